"""Words: lossless tokenization, block boundaries, and losses per character."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn import cli
from charrnn.cli.views.display import loss_table, units
from charrnn.data.corpus import Corpus
from charrnn.data.encode import encode
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import Split
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.data.words import cut, last_boundary
from charrnn.errors import CorpusError, VocabularyError
from charrnn.language.evaluate import Loss, evaluate
from charrnn.language.text_model import TextModel
from charrnn.models import CharRNN, NetworkConfig
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.tasks import LanguageModelConfig
from charrnn.training.events import Stepped
from tests.conftest import LONG_TEXT, VERSE, as_read, last_event, network_trainer

WORD = TextOptions("word")
TRICKY = st.text(
    st.sampled_from("ab3_ \t\n\r'’.,é\u0301\u3099天かア한\U0001f469\u200d\ufe0f\xa0\u3000")
)


@given(st.text() | TRICKY)
def test_the_words_joined_are_the_text(text: str) -> None:
    assert "".join(cut(text)) == text
    vocabulary = Words.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.chars(vocabulary.encode(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("To be, or not", ["To", " be", ",", " or", " not"]),
        ("don't o’er 'tis' 3.14", ["don't", " o’er", " '", "tis", "'", " 3", ".", "14"]),
        ("  a \t b\n\n  c \n", [" ", " a", " \t", " b", "\n", "\n", " ", " c", " ", "\n"]),
        ("白日 依，a山", ["白", "日", " 依", "，", "a", "山"]),
        ("cafe\u0301s हिन्दी ❤️!", ["cafe\u0301s", " हिन्दी", " ❤️", "!"]),
    ],
)
def test_words_are_cut_as_specified(text: str, pieces: list[str]) -> None:
    assert cut(text) == pieces


@given(st.text() | TRICKY, st.text() | TRICKY)
def test_a_word_boundary_does_not_depend_on_what_follows(text: str, following: str) -> None:
    at = last_boundary(text)
    assert cut(text[:at]) + cut(text[at:] + following) == cut(text + following)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TRICKY, min_size=1, max_size=2), size=st.integers(1, 9))
def test_blocks_do_not_cut_words(
    texts: list[str], size: int, encodings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.data.reading._BLOCK", size)
    sources = [Source("a", (t + " don't\n\n  'tis" * 10).encode()) for t in texts]
    encoded = encode(sources, WORD, "a")
    read = [as_read(s.content) for s in sources]
    expected = [piece for text in read for piece in cut(text)]
    assert [encoded.vocabulary.symbols[n] for n in encoded.ids] == expected
    assert encoded.ends[0] == len(cut(read[0]))
    again = encode(sources, WORD, "a")  # read from the store
    assert again.vocabulary == encoded.vocabulary
    np.testing.assert_array_equal(again.ids, encoded.ids)


def test_words_are_another_encoding_than_characters(encodings: Path, long_text: Path) -> None:
    words = encode([Source.of(long_text)], WORD, "text")
    characters = encode([Source.of(long_text)], TextOptions(), "text")
    assert len(list(encodings.iterdir())) == 2
    assert words.vocabulary.decode(words.ids) == as_read(LONG_TEXT.encode())
    assert characters.vocabulary.unit == "char"


def test_rare_words_become_the_unknown_symbol_which_is_never_written() -> None:
    corpus = read("a a b a a c\n" * 4 + " rare", 2)
    vocabulary = corpus.vocabulary
    assert vocabulary.symbols == ["\n", " a", " b", " c", "a", "\ufffd"]
    ids = vocabulary.encode("a strange b")
    assert vocabulary.decode(ids) == "a\ufffd b"
    assert vocabulary.chars(ids) == 4
    model = TextModel(network(vocabulary), vocabulary)
    assert "\ufffd" not in "".join(model.generate("", 300, temp=3))


def test_an_unseen_word_is_named_with_its_position() -> None:
    vocabulary = Words.of("to be\n")
    with pytest.raises(
        VocabularyError, match=r"the word ' or', at character 6 of the text \(and 1"
    ):
        vocabulary.encode("to be or or not")
    assert vocabulary.encode("to or be", skip_unknown=True).tolist() == [2, 1]
    with pytest.raises(CorpusError, match=r"nothing but the word '\\n'"):
        encode([Source("a", b"\n\n\n")], WORD, "a")


def read(text: str, min_count: int = 1, split: Split | None = None) -> Corpus:
    source = Source("text", text.encode())
    return Corpus.read(
        [source], split=split or Split(1, 0, 0), options=TextOptions("word", min_count=min_count)
    )


def network(vocabulary: Vocabulary) -> CharRNN:
    return CharRNN.initialized(
        NetworkConfig(len(vocabulary), "gru", 7, 1), np.random.default_rng(4)
    )


@pytest.fixture(scope="module")
def text_model() -> TextModel:
    vocabulary = read(VERSE[:4000], 2).vocabulary
    return TextModel(network(vocabulary), vocabulary)


def test_the_loss_is_all_nats_over_all_characters(text_model: TextModel) -> None:
    text = VERSE[:600] + " hippopotamus"
    loss = text_model.evaluate(text)
    nats = text_model.surprisal(text)
    seen = text_model.vocabulary.decode(text_model.vocabulary.encode(text))
    assert loss.chars == len(seen) < len(text)
    assert loss.nats_per_char == pytest.approx(nats.sum() / len(seen))
    assert loss.nats_per_symbol == pytest.approx(nats.mean())
    data = loss.to_json()
    assert data["words"] == len(nats) == len(cut(text))
    assert data["unknown"] == seen.count("\ufffd") > 1
    assert data["perplexity_per_word"] == pytest.approx(math.exp(nats.mean()))
    both = loss + text_model.evaluate(" of the")
    further = text_model.surprisal(" of the").sum()
    assert both.nats_per_char == pytest.approx((nats.sum() + further) / (loss.chars + 7))
    assert f"{loss.unknown / loss.words:.2%} unknown" in units(loss)
    assert len(loss_table({"valid": loss}, 200).columns) == 8
    assert len(loss_table({"valid": Loss(1.0, 9)}, 200).columns) == 5


def test_a_limit_counts_characters(text_model: TextModel) -> None:
    vocabulary = text_model.vocabulary
    ids = vocabulary.encode(VERSE[:900])
    for limit in (1, 20, 77):
        part = vocabulary.up_to(ids, limit)
        chars = vocabulary.chars(part)
        assert chars <= limit < chars + 12 or len(part) == 1
    assert len(vocabulary.up_to(ids, None)) == len(ids)


def test_score_sums_to_the_total_and_lists_words(text_model: TextModel) -> None:
    lines = VERSE[:300]
    scores = text_model.score(lines)
    for s, line in zip(scores, lines.split("\n"), strict=False):
        assert s.text == line
        assert s.characters == [*cut(line), "\n"]
        assert s.loss.words == len(s.nats)
        assert s.loss.nats_per_char * s.loss.chars == pytest.approx(s.nats.sum())
    whole = text_model.score(lines, context=True)
    ids = text_model.vocabulary.encode("\n" + lines + "\n" * (not lines.endswith("\n")))
    total = evaluate(text_model.model, ids, text_model.vocabulary)
    first = evaluate(text_model.model, ids[:1]).nats_per_char
    nats = sum(s.nats.sum() for s in whole)
    assert nats == pytest.approx(total.nats_per_char * total.chars - first, rel=1e-5)


@pytest.mark.parametrize("place", range(50, 60))
def test_the_stop_string_can_end_within_a_word(place: int, text_model: TextModel) -> None:
    free = "".join(text_model.generate("", 200, seed=3))
    stop = free[place : place + place % 7 + 1]
    stopped = "".join(text_model.generate("", 200, seed=3, stop=stop))
    assert stopped == free.partition(stop)[0]


def test_a_checkpoint_keeps_the_words_as_a_list(text_model: TextModel, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    model, vocabulary = text_model.model, text_model.vocabulary
    assert isinstance(model, CharRNN)
    assert isinstance(vocabulary, Words)
    checkpoint.save(Checkpoint(model, vocabulary), path)
    assert checkpoint.read_meta(path)["vocabulary"]["words"] == vocabulary.words
    loaded = checkpoint.load(path).vocabulary
    assert loaded == vocabulary
    assert isinstance(loaded, Words)


def test_vocabularies_of_older_versions_can_be_read() -> None:
    old = Vocabulary.from_json({"unit": "char", "unknown": True, "codes": [97, 98]})
    assert type(old) is Vocabulary
    assert old.encode("abc").tolist() == [0, 1, 2]


def test_training_reports_losses_per_character() -> None:
    corpus = read(VERSE[:3000], 1, Split(0.8, 0.1, 0.1))
    assert sum(corpus.chars.values()) == 3000
    config = LanguageModelConfig(unit="word", hidden=6, layers=1, steps=2, batch=4, seq=8)
    events = list(network_trainer(corpus, config).events())
    losses = [e.train for e in events if isinstance(e, Stepped)]
    uniform = math.log(len(corpus.vocabulary))
    for loss in losses:
        assert loss.nats_per_symbol == pytest.approx(uniform, rel=0.15)
        assert loss.nats_per_char < uniform / 2
    end = last_event(events).losses
    assert {name: loss.chars for name, loss in end.items()} == corpus.chars
    assert end["valid"].unknown == 0


@pytest.mark.parametrize("cell", ["gru --steps 3 --hidden 8", "ngram --order 2"])
def test_every_command_accepts_a_word_model(cell: str, tmp_path: Path) -> None:
    text = tmp_path / "verse.txt"
    text.write_text(VERSE[:3000])
    out = str(tmp_path)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli.cli, [*arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    run("train", str(text), "--unit", "word", "--min-count", "2", "--out", out, "--name", "m",
        "--cell", *cell.split())  # fmt: skip
    model = f"{out}/m"
    evaluated = json.loads(run("eval", model, str(text), "--json"))
    assert evaluated["words"] == len(cut(VERSE[:3000]))
    assert evaluated["unknown"] > 0
    assert "ppl/word" in run("eval", model, str(text))
    assert json.loads(run("info", model, "--json"))["vocabulary"]["unit"] == "word"
    assert "(word)" in run("info", model)
    scored = json.loads(run("score", model, str(text), "--json"))
    assert scored["words"] == evaluated["words"] + 1  # the end of the last line
    assert "".join(scored["lines"][0]["characters"]) == VERSE.partition("\n")[0] + "\n"
    run("score", model, str(text), "--show")
    written = run("sample", model, "--length", "5", "--seed", "1", "--json")
    assert 1 <= len(cut(json.loads(written)["samples"][0]["text"])) <= 5
