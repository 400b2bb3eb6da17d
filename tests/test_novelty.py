"""Novelty: which parts of a sample are copied, against a direct search."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.cli.views.novelty import NoveltyReport
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.language import novelty as module
from charrnn.language.novelty import Novelty, novelty
from charrnn.models import NGram
from charrnn.nn.params import Ids
from charrnn.runs.checkpoint import Checkpoint
from tests.conftest import VERSE
from tests.test_cli import charrnn

LENGTHS = (1, 2, 3, 5, 8)
words = st.text("abc", max_size=40)


def codes(text: str) -> Ids:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def text(run: Ids) -> str:
    return run.astype("<u4").tobytes().decode("utf-32-le")


def compare(
    samples: Iterable[str], blocks: Iterable[str], lengths: Sequence[int] = LENGTHS
) -> Novelty:
    return novelty([codes(s) for s in samples], [codes(b) for b in blocks], lengths)


def by_direct_search(samples: Iterable[str], corpus: str, length: int) -> float | None:
    runs = [s[i : i + length] for s in samples for i in range(len(s) - length + 1)]
    return sum(r in corpus for r in runs) / len(runs) if runs else None


def check(report: Novelty, samples: Sequence[str], corpus: str) -> None:
    for length, share in report.copied.items():
        expected = by_direct_search(samples, corpus, length)
        assert share == (expected if expected is None else pytest.approx(expected)), length
    longest = text(report.longest)
    assert longest in corpus
    assert not longest or any(longest in s for s in samples)
    longer = [s[i : i + len(longest) + 1] for s in samples for i in range(len(s) - len(longest))]
    assert not any(run in corpus for run in longer)


@settings(max_examples=60)
@given(st.lists(words, max_size=3), st.lists(words, max_size=5))
def test_novelty_matches_a_direct_search(samples: list[str], blocks: list[str]) -> None:
    check(compare(samples, blocks), samples, "".join(blocks))


@settings(max_examples=60)
@given(st.lists(words, min_size=1, max_size=3), st.lists(words, max_size=5))
def test_binary_search_and_lookup_table_find_the_same(
    samples: list[str], blocks: list[str]
) -> None:
    before, module._TABLE = module._TABLE, 0
    try:
        check(compare(samples, blocks), samples, "".join(blocks))
    finally:
        module._TABLE = before


@pytest.mark.parametrize("size", [1, 7, 100])
def test_runs_across_the_blocks_of_a_corpus_are_found(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", size)
    sample = VERSE[200:260] + "#" + VERSE[805:1005] + "#"
    pieces = [VERSE[at : at + 333] for at in range(0, 3000, 333)]
    report = compare([sample], pieces, (8, 20, 150))
    assert text(report.longest) == VERSE[805:1005]
    check(report, [sample], VERSE[:3000])


def test_a_run_does_not_extend_into_the_next_sample() -> None:
    report = compare(["ab", "cd"], ["abcd"], (2, 3))
    assert text(report.longest) == "ab"
    assert report.copied == {2: 1, 3: None}


def test_large_and_small_alphabets_are_supported() -> None:
    chinese = VERSE[:500].translate({ord(c): 0x4E00 + ord(c) * 7 for c in set(VERSE)})
    sample, corpus = chinese[100:200] + "\U0001f600" + chinese[:50], chinese[40:]
    check(compare([sample], [corpus], module.LENGTHS), [sample], corpus)


def test_an_empty_sample_copies_nothing() -> None:
    assert compare([], ["abc"], (8,)).copied == {8: None}
    assert len(compare([""], [], (8,)).longest) == 0


def test_bytes_and_code_points_of_any_width_can_be_compared() -> None:
    sample = np.frombuffer(b"\xff\x00abc", np.uint8)
    report = novelty([sample], [np.frombuffer(b"xx\xff\x00ab", np.uint8)], (2,))
    assert bytes(report.longest) == b"\xff\x00ab"
    assert report.copied[2] == pytest.approx(3 / 4)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "poem.txt").write_text(VERSE[:20000], "utf-8")
    return tmp_path


@pytest.mark.slow
def test_sample_reports_what_is_copied(corpus: Path) -> None:
    arguments = ["sample", "--length", "300", "--seed", "1", "--count", "2"]
    plain = charrnn(corpus, *arguments)
    done = charrnn(corpus, *arguments, "--novelty", "poem.txt")
    assert done.stdout == plain.stdout
    assert re.fullmatch(
        r'The longest substring copied from poem.txt has \d+ characters: ".*" '
        r"Copied: [\d.]+% of the substrings of 8 characters, [\d.]+% of those of 12, "
        r"[\d.]+% of those of 20. ",
        done.stderr.replace("\n", " "),
    )
    data = json.loads(charrnn(corpus, *arguments, "--novelty", "poem.txt", "--json").stdout)
    samples, report = [s["text"] for s in data["samples"]], data["novelty"]
    assert report.keys() == {"corpus", "longest", "run", "copied"}
    assert len(report["run"]) == report["longest"]
    assert report["run"] in VERSE[:20000]
    assert any(report["run"] in sample for sample in samples)
    for length, share in report["copied"].items():
        assert share == pytest.approx(by_direct_search(samples, VERSE[:20000], int(length)))


def test_a_long_copy_is_abbreviated(corpus: Path) -> None:
    model = Checkpoint(NGram.fit(np.arange(9), 9, 1), Vocabulary.of(VERSE))
    report = NoveltyReport(str(corpus / "poem.txt"), model, None)
    written = [[piece.encode()] for piece in ("#", VERSE[400:430], VERSE[430:700])]
    assert list(report.watch(iter(written), 1)) == written
    assert report.to_json()["run"] == VERSE[400:700]
    longest, _ = report.in_words()
    (shown,) = re.findall('has 300 characters: "(.*)"', longest)
    assert shown.replace("↵", "\n") == f"{VERSE[400:430]} ... {VERSE[670:700]}"


def test_words_are_compared_by_their_characters(corpus: Path) -> None:
    words = Words.of(VERSE[:20000])
    model = Checkpoint(NGram.fit(np.arange(len(words)), len(words), 1), words)
    report = NoveltyReport(str(corpus / "poem.txt"), model, None)
    list(report.watch(iter([[VERSE[301:320].encode()], [b"#\xe2\x80\xa6"]]), 1))
    longest, copied = report.in_words()
    assert "has 19 characters" in longest
    assert copied == (
        "Copied: 85.7% of the substrings of 8 characters, 80.0% of those of 12, "
        "0.0% of those of 20."
    )


def test_the_seed_text_is_not_counted(corpus: Path) -> None:
    seed = VERSE[3000:3100]
    done = charrnn(corpus, "sample", "--seed-text", seed, "--length", "1", "--json", "--seed", "1",
                   "--novelty", "poem.txt")  # fmt: skip
    assert json.loads(done.stdout)["novelty"]["longest"] <= 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--novelty", "."], 1, "Cannot read .: is a directory"),
        (["--novelty", "nowhere.txt"], 1, "There is no file 'nowhere.txt'"),
        (["--novelty", "-", "--seed-file", "-"], 2, "cannot both read standard input"),
    ],
)
def test_an_unreadable_corpus_is_reported_before_sampling(
    arguments: list[str], code: int, message: str, corpus: Path
) -> None:
    done = charrnn(corpus, "sample", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
