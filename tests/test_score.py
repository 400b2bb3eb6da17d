"""Scores of lines: each line alone, with results independent of batching."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike

import charrnn
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import VocabularyError
from charrnn.language import score as scoring
from charrnn.language.evaluate import surprisal
from charrnn.language.text_model import TextModel
from charrnn.models import CharRNN, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.params import Array, Ids, State
from charrnn.runs.checkpoint import read_meta
from tests.conftest import ROOT

LETTERS = "abcdefgh \n"
lines = st.lists(st.text(LETTERS[:-1], max_size=40), min_size=1, max_size=12)


def model(
    letters: str | bytes = LETTERS,
    cell: str = "gru",
    dtype: DTypeLike = np.float64,
    **of_vocabulary: Any,
) -> TextModel:
    vocabulary = Vocabulary(
        letters if isinstance(letters, bytes) else map(ord, letters), **of_vocabulary
    )
    rng = np.random.default_rng(5)
    network = CharRNN.initialized(NetworkConfig(len(vocabulary), cell, 8, 2), rng, dtype)
    network.params.flat += (0.5 * rng.standard_normal(network.num_parameters)).astype(dtype)
    return TextModel(network, vocabulary)


def by_definition(text_model: TextModel, line: str) -> Array:
    """Read a line end, then predict and read each symbol of the line and its end."""
    end, *ids = text_model.vocabulary.encode("\n" + line + "\n")
    _, state = text_model.model.read(np.array([[end]]), text_model.model.initial_state(1))
    nats = []
    for symbol in ids:
        nats.append(-text_model.model.predict(state)[0, symbol])
        _, state = text_model.model.read(np.array([[symbol]]), state)
    return np.array(nats)


@pytest.mark.parametrize("cell", CELLS)
@given(lines, st.integers(1, 5), st.integers(1, 9), st.integers(1, 60))
@settings(max_examples=15)
def test_batched_lines_score_as_single_ones(
    cell: str, texts: list[str], streams: int, chunk: int, segment: int
) -> None:
    """Lines of different lengths share a batch; padding has no effect."""
    m = model(cell=cell)
    ids = [m.vocabulary.encode(text + "\n") for text in texts]
    end = m.vocabulary.encode("\n")
    scored = list(scoring.alone(m.model, ids, end, streams=streams, chunk=chunk, segment=segment))
    assert len(scored) == len(texts)
    for text, nats in zip(texts, scored, strict=True):
        np.testing.assert_allclose(nats, by_definition(m, text), atol=1e-9)


def test_a_very_long_line_is_read_in_pieces_with_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(scoring, "_LONG", 50)
    m = model()
    texts = ["ab", "".join(rng.choice(list("abc "), 3000)), "", "c" * 60]
    for scored, text in zip(m.score(texts), texts, strict=True):
        np.testing.assert_allclose(scored.nats, by_definition(m, text), atol=1e-8)


def test_lines_are_read_a_segment_at_a_time_and_in_full_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    m = model()
    shapes: list[tuple[int, ...]] = []
    read = m.model.read

    def note_and_read(ids: Ids, state: State) -> tuple[Array, State]:
        shapes.append(ids.shape)
        return read(ids, state)

    monkeypatch.setattr(m.model, "read", note_and_read)
    ids = [m.vocabulary.encode("abcdefg\n")] * 40
    scored = scoring.alone(m.model, ids, ids[0][-1:], streams=4, segment=8 * 12)
    next(scored)
    assert shapes == [(1, 1)] + [(8, 4)] * 3
    assert len(list(scored)) == 39
    assert shapes[1:] == [(8, 4)] * 10


def test_single_precision_agrees_to_a_hundred_thousandth(rng: np.random.Generator) -> None:
    texts = ["".join(rng.choice(list(LETTERS[:-1]), n)) for n in (3, 70, 0, 41, 41)]
    for exact, single in zip(
        model().score(texts), model(dtype=np.float32).score(texts), strict=True
    ):
        np.testing.assert_allclose(single.nats, exact.nats, atol=1e-5)


def test_the_probabilities_of_all_lines_add_up_to_one() -> None:
    """exp(-nats) is a distribution over lines: all of up to 5 letters, and the longer ones."""
    m = model("ab\n")
    texts = ["".join(t) for n in range(6) for t in itertools.product("ab", repeat=n)]
    ended = sum(np.exp(-s.nats.sum()) for s in m.score(texts))
    longer = sum(np.exp(-s.nats[:-1].sum()) for s in m.score(texts) if len(s.text) == 5)
    longer -= sum(np.exp(-s.nats.sum()) for s in m.score(texts) if len(s.text) == 5)
    assert ended + longer == pytest.approx(1, abs=1e-12)
    assert 0.01 < ended < 0.99


def test_a_line_starts_from_the_state_of_a_sample_without_seed_text() -> None:
    m = model()
    first = next(iter(m.generate(length=1, temp=0)))
    assert min(LETTERS[:-1], key=lambda c: m.score([c])[0].nats[0]) == first


@given(lines)
@settings(max_examples=20)
def test_in_context_the_lines_are_one_text(texts: list[str]) -> None:
    m = model()
    scored = m.score(texts, context=True)
    whole = surprisal(m.model, m.vocabulary.encode("\n" + "".join(t + "\n" for t in texts)))[1:]
    np.testing.assert_allclose(np.concatenate([s.nats for s in scored]), whole, atol=1e-9)
    assert [s.text for s in scored] == texts
    np.testing.assert_allclose(scored[0].nats, by_definition(m, texts[0]), atol=1e-9)


def test_line_ends_count_if_the_vocabulary_has_them() -> None:
    (scored,) = model().score(["abc"])
    assert (scored.characters, scored.loss.chars) == (["a", "b", "c", "\n"], 4)
    assert scored.loss.nats_per_char == pytest.approx(scored.nats.mean())
    (scored,) = model("abc").score(["abc\n"])
    assert (scored.characters, scored.loss.chars) == (["a", "b", "c"], 3)
    (nothing,) = model("abc").score([""])
    assert (nothing.loss.chars, nothing.loss.nats_per_char) == (0, 0)


def test_lines_can_be_one_text_or_several_strings() -> None:
    expected = [(s.line, s.text, s.loss) for s in model().score(["ab", "", "c"])]
    for same in ("ab\n\nc\n", "ab\n\nc", ["ab\n", "\n", "c"]):
        assert [(s.line, s.text, s.loss) for s in model().score(same)] == expected
    assert model().score([]) == model().score([], context=True) == []


def test_an_unseen_character_is_named_with_its_line_or_skipped() -> None:
    m = model()
    with pytest.raises(VocabularyError, match=r"'Z' \(U\+005A\), number 3 of line 2"):
        m.score(["ab", "abZ"])
    _, scored = m.score(["ab", "aZb"], skip_unknown=True)
    assert scored.text == "aZb"
    assert scored.loss.chars == 3
    assert np.isnan(scored.nats).tolist() == [False, True, False, False]
    np.testing.assert_allclose(scored.nats[[0, 2, 3]], m.score(["ab"])[0].nats)


def test_a_vocabulary_with_an_unknown_symbol_reads_every_character() -> None:
    (scored,) = model(unknown=True).score(["aZb"])
    assert (scored.text, scored.loss.chars) == ("aZb", 4)
    assert not np.isnan(scored.nats).any()


@given(st.text("aé吃🍎", max_size=12))
@settings(max_examples=20)
def test_the_nats_of_a_character_are_the_sum_of_those_of_its_bytes(text: str) -> None:
    m = model(bytes(range(256)), unit="byte")
    (scored,) = m.score([text])
    assert scored.characters == [*text, "\n"]
    assert scored.loss.chars == len(text.encode()) + 1
    nats_of_bytes = iter(by_definition(m, text))
    expected = [sum(next(nats_of_bytes) for _ in c.encode()) for c in scored.characters]
    np.testing.assert_allclose(scored.nats, expected, atol=1e-9)


def test_invalid_bytes_are_scored_separately() -> None:
    m = model(b"ab\xff\xe5\n", unit="byte")
    line = np.frombuffer(b"a\xff\xe5b", np.uint8)
    (scored,) = scoring.score(m.model, m.vocabulary, [line])
    assert scored.characters == ["a", "\ufffd", "\ufffd", "b", "\n"]
    assert np.nansum(scored.nats) == pytest.approx(scored.loss.nats_per_char * 5)


SURPRISING = [  # line, word, replacement
    ("I shall not go with thee to night.", "shall", "shlal"),
    ("The king is in the garden with his brother.", "king", "knig"),
    ("Come hither, boy, and bring the letter.", "bring", "brign"),
    ("He gave the money to his father.", "the", "teh"),
    ("Good sir, I will remember what you said.", "remember", "remmeber"),
    ("My lord, the king is in the garden.", "the king", "king the"),
    ("He is a man of honour and of sense.", "is a", "a is"),
    ("Let us go to the church this morning.", "church", "iglesia"),
    ("I have not seen the woman since that day.", "woman", "donna"),
    ("Farewell, my heart, until we meet again.", "heart", "coeur"),
    ("I will not speak of it to any man.", "man", "Mensch"),
]
ALSO_WORSE = [
    ("I shall not go with thee to night.", "shall not", "not shall"),
    ("Give me the letter and be gone.", "the letter", "letter the"),
    ("She is the mother of my friend.", "the mother", "mother the"),
    ("I shall not go with thee to night.", " night.", ""),
]


def test_the_bundled_model_names_its_text_without_a_path() -> None:
    meta = read_meta(ROOT / "checkpoints" / "shakespeare" / "best.npz")
    assert meta["corpus"]["sources"] == ["tinyshakespeare.txt"]


@pytest.fixture(scope="module")
def shakespeare() -> TextModel:
    model = charrnn.load(ROOT / "checkpoints" / "shakespeare")
    assert isinstance(model, TextModel)
    return model


@pytest.mark.parametrize(("line", "right", "wrong"), SURPRISING + ALSO_WORSE)
def test_errors_in_a_line_raise_its_loss(
    line: str, right: str, wrong: str, shakespeare: TextModel
) -> None:
    good, bad = shakespeare.score([line, line.replace(right, wrong, 1)])
    assert bad.loss.nats_per_char > good.loss.nats_per_char + 0.1


@pytest.mark.parametrize(("line", "right", "wrong"), SURPRISING)
def test_the_most_surprising_character_is_in_the_altered_word(
    line: str, right: str, wrong: str, shakespeare: TextModel
) -> None:
    """It is in the altered word or directly behind it."""
    (bad,) = shakespeare.score([line.replace(right, wrong, 1)])
    at = bad.text.index(wrong)
    assert at <= bad.nats.argmax() <= at + len(wrong)


def test_an_unfinished_sentence_is_surprising_at_its_end(shakespeare: TextModel) -> None:
    (short,) = shakespeare.score(["I shall not go with thee to"])
    assert short.characters[short.nats.argmax()] == "\n"
