"""Labelled texts: two file formats, stratified splits and padded batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.batches import Buckets
from charrnn.data.examples import Examples
from charrnn.data.padding import PAD
from charrnn.data.reading import TextOptions
from charrnn.data.split import PARTS, Split, divide
from charrnn.errors import CorpusError
from charrnn.tasks import ClassifyConfig, make_task
from tests.labelled_texts import LETTERS, labelled, some_examples, source, words, write_classes

SPLIT = Split(0.6, 0.2, 0.2)


def lines_of(examples: Examples, part: str) -> set[tuple[str, str]]:
    numbers = examples.parts[part]
    texts = [examples.vocabulary.decode(ids) for ids in examples.texts(numbers)]
    labels = [examples.classes[n] for n in examples.labels[numbers]]
    return set(zip(labels, texts, strict=True))


def batches(examples: Examples, **options: Any) -> Buckets:
    chunks = make_task(examples, ClassifyConfig(**options)).batches()
    assert isinstance(chunks, Buckets)
    return chunks


def test_both_file_formats_hold_the_same_examples(tmp_path: Path) -> None:
    files = [tmp_path / f.split("/")[1] for f in write_classes(tmp_path)]
    one, many = some_examples(split=SPLIT), Examples.read(files, split=SPLIT)
    assert one.classes == many.classes == tuple(LETTERS)
    assert one.sha256 == many.sha256
    for part in PARTS:
        assert lines_of(one, part) == lines_of(many, part)
        assert len(lines_of(one, part)) == len(one.parts[part])


def test_renaming_a_file_renames_its_class(tmp_path: Path) -> None:
    paths = [tmp_path / f.split("/")[1] for f in write_classes(tmp_path)]
    before = Examples.read(paths).sha256
    paths[0] = paths[0].rename(tmp_path / "fish.txt")
    after = Examples.read(paths)
    assert "fish" in after.classes
    assert after.sha256 != before


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    st.sampled_from(["0.8,0.1,0.1", "0.34,0.33,0.33", "0.5,0,0.5", "0.9,0.1", "1", "0.7,0.2,0.1"]),
    st.integers(0, 9),
)
def test_every_split_has_its_share_of_every_class(
    counts: list[int], shares: str, seed: int
) -> None:
    split = Split.parse(shares)
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = divide(labels, split, seed)
    together = np.concatenate([parts[part] for part in PARTS])
    assert sorted(together) == list(range(len(labels)))
    for label, count in enumerate(counts):
        counted = {part: int((labels[parts[part]] == label).sum()) for part in PARTS}
        assert counted["train"] >= 1
        for part, share in vars(split).items():
            assert abs(counted[part] - share * count) < 1 + (count * split.train < 1)
            assert share or not counted[part] or part == "train"


def test_tiny_classes_are_split_at_random() -> None:
    parts = divide(np.repeat(np.arange(200), 4), Split(0.9, 0.05, 0.05), 1)
    assert 20 <= len(parts["valid"]) <= 60
    assert 20 <= len(parts["test"]) <= 60


def test_the_seed_determines_the_split() -> None:
    a, b, c = (some_examples(split=SPLIT, seed=seed) for seed in (1, 1, 2))
    assert lines_of(a, "test") == lines_of(b, "test")
    assert lines_of(a, "test") != lines_of(c, "test")


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.text("xy", min_size=1, max_size=3)), min_size=4)
)
def test_no_line_of_a_class_is_in_two_splits(lines: list[tuple[str, str]]) -> None:
    text = "A\tx\nB\ty\n" + "".join(f"{label}\t{line}\n" for label, line in lines)
    examples = Examples.read([source(text)], split=Split(1, 0, 0))
    assert lines_of(examples, "train") == {("A", "x"), ("B", "y"), *lines}
    assert examples.repeated == len(lines) + 2 - len(examples.labels)
    parts = Examples.read([source(text * 3 + labelled())], split=SPLIT).parts
    assert sum(map(len, parts.values())) == len(set(np.concatenate(list(parts.values()))))


def test_a_line_can_be_in_several_classes() -> None:
    examples = Examples.read([source("A\tsame\nB\tsame\n")], split=Split(1, 0, 0))
    assert lines_of(examples, "train") == {("A", "same"), ("B", "same")}


def test_validation_and_test_files_replace_shares_and_are_removed_from_training() -> None:
    shared = f"cow\t{words('cow')[0]}\n"
    examples = some_examples(
        test=source(shared + "cow\tmom\n"), valid=source(shared + "bird\ttt\n")
    )
    assert lines_of(examples, "test") == {("cow", words("cow")[0]), ("cow", "mom")}
    assert lines_of(examples, "valid") == {("bird", "tt")}
    assert not lines_of(examples, "train") & (
        lines_of(examples, "test") | lines_of(examples, "valid")
    )
    assert len(examples.parts["train"]) == 119 - ("mom" in words("cow"))


BAD = [
    ("one.txt", "a\nb\n", "one.txt has one class only"),
    ("two.tsv", "A\tx\nB y\n", "Line 2 of two.tsv is not a class, a tab and a text"),
    ("two.txt", "A\tx\n\n\nB y\n", "Line 4 of two.txt"),
    ("two.tsv", "A\tx\nB\t \n", "Line 2 of two.tsv"),
    ("two.tsv", "x\n", "Line 1 of two.tsv"),
    ("none.txt", " \n\n", "none.txt has no lines"),
    ("few.tsv", "A\tx\nB\ty\n", "few.tsv has 2 distinct texts, too few for a validation part"),
]


@pytest.mark.parametrize(("name", "text", "message"), BAD)
def test_invalid_files_are_refused_with_the_line_number(name: str, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        Examples.read([source(text, name)], split=SPLIT)


def test_a_test_class_absent_from_training_is_refused() -> None:
    with pytest.raises(
        CorpusError, match=r"has the class 'dog', which does not occur in words\.tsv"
    ):
        some_examples(test=source("dog\twuff\n"))


def test_space_around_texts_and_empty_lines_are_dropped() -> None:
    examples = Examples.read([source("A\t x y \r\n\n \nB \ty\tz\n")], split=Split(1, 0, 0))
    assert lines_of(examples, "train") == {("A", "x y"), ("B", "y\tz")}


def test_symbols_outside_the_training_part_are_unknown() -> None:
    examples = some_examples(test=source("cow\tmoé\n"))
    assert "é" not in examples.vocabulary.symbols
    (ids,) = examples.texts(examples.parts["test"])
    assert ids[-1] == examples.unknown == len(examples.vocabulary) - 1
    with pytest.raises(CorpusError, match="lower --min-count"):
        some_examples(options=TextOptions(min_count=10**6))


def test_long_texts_are_truncated() -> None:
    examples = some_examples(longest=4)
    assert examples.lengths.max() == 4
    assert examples.shortened == sum(len(w) > 4 for label in LETTERS for w in words(label))
    assert "4 symbols" in examples.notes[-1]


def test_byte_symbols_are_utf_8_bytes() -> None:
    text = "A\té\nB\tö\n"
    examples = Examples.read([source(text)], split=Split(1, 0, 0), options=TextOptions("byte"))
    assert examples.lengths.tolist() == [2, 2]
    assert lines_of(examples, "train") == {("A", "é"), ("B", "ö")}


def test_an_epoch_reads_every_text_and_fills_the_last_batch() -> None:
    examples = some_examples(split=SPLIT)
    buckets = batches(examples, batch=7)
    train = examples.parts["train"]
    assert buckets.chunks == -(-len(train) // 7)
    drawn = [np.sort(buckets.draw(epoch).ravel()) for epoch in range(2)]
    for numbers in drawn:
        assert set(numbers) == set(train)
        assert len(numbers) - len(train) < 7
    assert not np.array_equal(buckets.draw(0), buckets.draw(1))


def test_batches_are_reproducible() -> None:
    examples = some_examples()
    expected = [batches(examples, batch=8).chunk(n, epoch) for n, epoch in ((2, 1), (0, 0), (2, 1))]
    buckets = batches(examples, batch=8)
    for (texts, labels), (n, epoch) in zip(expected, ((2, 1), (0, 0), (2, 1)), strict=True):
        again = buckets.chunk(n, epoch)
        np.testing.assert_array_equal(again[0], texts)
        np.testing.assert_array_equal(again[1], labels)


def test_a_batch_has_texts_of_similar_length_and_padding() -> None:
    examples = some_examples(80)
    buckets = batches(examples, batch=8)
    spread = []
    for n in range(buckets.chunks):
        texts, labels = buckets.chunk(n)
        numbers = buckets.draw(0)[n]
        np.testing.assert_array_equal(labels, examples.labels[numbers])
        lengths = (texts != PAD).sum(axis=0)
        np.testing.assert_array_equal(lengths, examples.lengths[numbers])
        for stream, ids in enumerate(examples.texts(numbers)):
            read = texts[: len(ids), stream]
            assert (read[read != ids] == examples.unknown).all()
            assert (texts[len(ids) :, stream] == PAD).all()
        assert texts[texts != PAD].max() <= examples.unknown
        spread.append(np.ptp(lengths))
    assert np.mean(spread) < 2
    assert PAD < 0


def test_the_unknown_symbol_occurs_in_training() -> None:
    examples = some_examples(80)
    buckets = batches(examples, batch=8)
    chunks = [buckets.chunk(n, epoch)[0] for epoch in range(5) for n in range(buckets.chunks)]
    share = sum((t == examples.unknown).sum() for t in chunks) / sum(
        (t != PAD).sum() for t in chunks
    )
    assert 0.003 < share < 0.03


def test_the_batch_size_is_limited_by_the_training_split() -> None:
    assert batches(some_examples(5), batch=500).batch == 12
