"""Filling gaps: with a bidirectional model, and from the left with any language model."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.data.code_points import Unit
from charrnn.data.masking import mask, masked_in_text
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.errors import ConfigError, VocabularyError
from charrnn.filling.gaps import (
    evaluate_masked,
    fill_by_confidence,
    fill_left_to_right,
    predict_gaps,
)
from charrnn.filling.text_filler import TextFiller
from charrnn.language.evaluate import surprisal
from charrnn.models import CharRNN, LanguageModel, MaskedLanguageModel, NetworkConfig, NGram
from charrnn.nn.params import Array, Ids
from tests.conftest import VERSE

V = 3


class Neighbours(MaskedLanguageModel):
    """A model without parameters that sees only the two neighbours of a gap. It predicts the
    left one, with more confidence if both are known.
    """

    vocab_size = mask_id = V

    def __init__(self) -> None:
        pass

    def predict(self, ids: Ids) -> Array:
        padded = np.pad(ids, ((1, 1), (0, 0)), constant_values=V)
        rows = []
        for stream, step in zip(*np.nonzero((ids == V).T), strict=True):
            left, right = padded[step, stream], padded[step + 2, stream]
            p = np.full(V, 1.0)
            p[left % V] += 4.0 * (left < V) + 1.0 * (right < V)
            rows.append(np.log(p / p.sum()))
        return np.array(rows).reshape(-1, V)


texts = st.lists(st.integers(0, V), min_size=1, max_size=500).map(np.array)


@settings(max_examples=25)
@given(texts)
def test_every_gap_is_predicted_once_with_its_context(ids: Ids) -> None:
    """The result does not depend on where windows of the text end."""
    whole = Neighbours().predict(ids[:, None])
    places: list[int] = []
    windows: list[int] = []
    log_p: list[Array] = []
    for some, window, rows in predict_gaps(Neighbours(), ids):
        places.extend(some.tolist())
        windows.extend(window.tolist())
        log_p.extend(rows)
    assert places == np.flatnonzero(ids == V).tolist()
    np.testing.assert_array_equal(np.array(log_p).reshape(-1, V), whole)
    assert windows == sorted(windows)


def test_the_most_certain_gap_is_filled_first_and_the_rest_predicted_again() -> None:
    guesses = list(fill_by_confidence(Neighbours(), np.array([2, V, V, V, 1, V, 0])))
    assert [g.at for g in guesses] == [5, 1, 2, 3]
    assert [g.symbol for g in sorted(guesses, key=lambda g: g.at)] == [2, 2, 2, 1]


@settings(max_examples=10)
@given(texts)
def test_all_gaps_are_filled_and_nothing_else_changes(ids: Ids) -> None:
    before = ids.copy()
    filled = [g.at for g in fill_by_confidence(Neighbours(), ids)]
    assert sorted(filled) == np.flatnonzero(ids == V).tolist()
    np.testing.assert_array_equal(ids, before)


def test_measure_scores_the_predictions_of_hidden_symbols(
    rng: np.random.Generator,
) -> None:
    model = MaskedLanguageModel.initialized(NetworkConfig(V, "gru", 5, 1), rng, np.float64)
    ids = rng.integers(0, V, 90)
    places = masked_in_text(90, 0.2, 7)
    log_p = model.predict(mask(ids, places, V)[:, None])
    truth = ids[places]
    measured = evaluate_masked(model, ids, 0.2, 7)
    assert measured.loss.chars == len(truth) == 18
    assert measured.loss.nats_per_char == pytest.approx(-log_p[np.arange(18), truth].mean())
    assert measured.accuracy == pytest.approx((log_p.argmax(axis=1) == truth).mean())


def networks(seed: int) -> CharRNN:
    rng = np.random.default_rng(seed)
    model = CharRNN.initialized(NetworkConfig(V, "rnn", 4, 1), rng, np.float64)
    model.params.flat += rng.standard_normal(model.num_parameters)
    return model


def counted(seed: int) -> NGram:
    return NGram.fit(np.random.default_rng(seed).integers(0, V, 60), V, 3)


models = st.one_of(st.builds(networks, st.integers(0, 99)), st.builds(counted, st.integers(0, 99)))


def posterior(model: LanguageModel, ids: Ids, gaps: list[int], end: int) -> Array:
    """P(fillings | the text up to `end`), by enumeration: `(V, V, ...)`."""
    p = np.zeros((V,) * len(gaps))
    for filling in product(range(V), repeat=len(gaps)):
        ids[gaps] = filling
        p[filling] = np.exp(-surprisal(model, ids[:end]).sum())
    posterior: Array = p / p.sum()
    return posterior


@settings(max_examples=25)
@given(models, st.integers(0, 11), st.integers(0, 12), st.integers(0, 9))
def test_a_single_gap_is_filled_by_the_rule_of_bayes(
    model: LanguageModel, at: int, ahead: int, seed: int
) -> None:
    ids = np.random.default_rng(seed).integers(0, V, 12)
    holed = ids.copy()
    holed[at] = V
    (guess,) = fill_left_to_right(model, holed, ahead=ahead)
    expected = posterior(model, ids, [at], at + ahead + 1)
    assert guess.at == at
    np.testing.assert_allclose(np.exp(guess.log_p), expected, rtol=1e-6)


@settings(max_examples=25)
@given(models, st.sets(st.integers(0, 11), min_size=2, max_size=3), st.integers(0, 9))
def test_several_gaps_are_filled_jointly(model: LanguageModel, places: set[int], seed: int) -> None:
    """The beam is wide enough to be exact: each gap is marginalized over the later ones."""
    gaps = sorted(places)
    ids = np.random.default_rng(seed).integers(0, V, 12)
    holed = ids.copy()
    holed[gaps] = V
    p = posterior(model, ids, gaps, 12)
    for guess, at in zip(fill_left_to_right(model, holed, ahead=12), gaps, strict=True):
        assert guess.at == at
        marginal = p.reshape(V, -1).sum(axis=1)
        np.testing.assert_allclose(np.exp(guess.log_p), marginal / marginal.sum(), rtol=1e-6)
        p = p[guess.symbol]


def test_symbols_beyond_the_look_ahead_have_no_effect() -> None:
    model = networks(5)
    ids = np.array([0, 1, V, 2, 2, 1, 0, 1])
    other = np.array([0, 1, V, 2, 2, 1, 1, 2])
    (a,), (b,) = (fill_left_to_right(model, x, ahead=3) for x in (ids, other))
    np.testing.assert_allclose(a.log_p, b.log_p)
    (a,), (b,) = (fill_left_to_right(model, x, ahead=4) for x in (ids, other))
    assert np.abs(a.log_p - b.log_p).max() > 1e-6


def test_a_beam_of_one_is_greedy() -> None:
    model = counted(3)
    ids = np.array([0, 1, V, V, 2])
    guesses = list(fill_left_to_right(model, ids, beam=1))
    state = model.initial_state(1)
    after, state = model.read(ids[:2, None], state)
    first = after[-1, 0].argmax()
    after, _ = model.read(np.array([[first]]), state)
    assert [g.symbol for g in guesses] == [first, after[-1, 0].argmax()]


@settings(max_examples=25)
@given(models, st.integers(0, V - 1))
def test_a_suppressed_symbol_is_never_filled_in(model: LanguageModel, suppressed: int) -> None:
    ids = np.array([V, 1, V, V, 0, V])
    for guess in fill_left_to_right(model, ids, [suppressed]):
        assert guess.symbol != suppressed
        assert np.exp(guess.log_p).sum() == pytest.approx(1)
    for guess in fill_by_confidence(Neighbours(), ids, [suppressed]):
        assert guess.symbol != suppressed
        assert np.exp(guess.log_p).sum() == pytest.approx(1)


def verse_filler(
    unit: Unit = "char", text: str = VERSE[:4000], unknown: bool = False
) -> TextFiller:
    vocabulary = Vocabulary(Vocabulary((), unit).to_code_points(text).tolist(), unit, unknown)
    ids = vocabulary.encode(text)
    return TextFiller(NGram.fit(ids, len(vocabulary), 5), vocabulary)


def test_a_filler_says_what_it_is() -> None:
    filler = verse_filler(text="abracadabra")
    assert isinstance(filler.model, NGram)
    counts = filler.model.num_parameters
    assert repr(filler) == f"TextFiller(ngram 5, {counts} parameters, 5 characters)"


def test_a_filled_text_has_positions_alternatives_and_probabilities() -> None:
    filled = verse_filler().fill("And wh_n th_ sun", alternatives=3)
    assert filled.text == "And when the sun"
    assert [g.at for g in filled.gaps] == [6, 11]
    assert sorted(g.order for g in filled.gaps) == [1, 2]
    for gap in filled.gaps:
        assert gap.text == filled.text[gap.at] == gap.alternatives[0][0]
        chances = [p for _, p in gap.alternatives]
        assert chances == sorted(chances, reverse=True)
        assert len(chances) == 3
        assert sum(chances) <= 1 + 1e-9


def test_the_gap_mark_can_be_changed() -> None:
    for filler, mark in product((verse_filler(), verse_filler("byte")), "?é[\n"):
        assert filler.fill(f"wh{mark}n", mark).text == "when"
        assert filler.count(f"wh{mark}{mark}_", mark) == 2
    for wrong in ("", "??"):
        with pytest.raises(ConfigError, match="A gap is marked by one character"):
            verse_filler().fill("when", wrong)


def test_a_text_without_gaps_is_unchanged() -> None:
    assert verse_filler().fill("when").text == "when"
    assert verse_filler().fill("").gaps == []


def test_chinese_is_filled_character_by_character() -> None:
    filler = verse_filler(text="床前看月光，疑是地上霜。举头望明月，低头思故乡。\n" * 9)
    assert filler.fill("床前_月光，疑_地上霜。").text == "床前看月光，疑是地上霜。"


def test_with_a_byte_vocabulary_each_byte_is_a_gap() -> None:
    filled = verse_filler("byte", "Le café où l’été dure.\n" * 20).fill("Le caf__ où l’ét__ dure.")
    assert filled.text == "Le café où l’été dure."
    assert [(g.at, g.text) for g in filled.gaps][:2] == [(6, "\\xc3"), (6, "\\xa9")]


def word_filler(text: str) -> TextFiller:
    vocabulary = Words.of(text)
    ids = vocabulary.encode(text)
    return TextFiller(NGram.fit(ids, len(vocabulary), 4), vocabulary)


def test_with_a_word_vocabulary_a_gap_is_a_word_and_the_space_before_it() -> None:
    filler = word_filler("The king, my lord, is dead. Long live the king!\n" * 20)
    assert filler.fill("The king, my _, is dead.").text == "The king, my lord, is dead."
    assert filler.fill("The king_ my lord, is _.").text == "The king, my lord, is dead."
    (gap,) = filler.fill("_ king, my lord").gaps
    assert (gap.at, gap.end, gap.text) == (0, 3, "The")
    (gap,) = filler.fill("The _, my lord").gaps
    assert (gap.at, gap.end, gap.text) == (3, 8, " king")


def test_the_loss_of_hidden_words_is_over_their_characters(rng: np.random.Generator) -> None:
    text = "The king, my lord, is dead.\n" * 30
    vocabulary = Words.of(text)
    ids = vocabulary.encode(text)
    model = MaskedLanguageModel.initialized(NetworkConfig(len(vocabulary), "gru", 4, 1), rng)
    hidden = ids[masked_in_text(len(ids), 0.15)]
    by_word = evaluate_masked(model, ids, 0.15)
    by_char = evaluate_masked(model, ids, 0.15, 0, vocabulary)
    assert by_char.loss.words == by_word.loss.chars == len(hidden)
    assert by_char.loss.chars == vocabulary.chars(hidden)
    assert by_char.loss.nats_per_symbol == pytest.approx(by_word.loss.nats_per_char)
    assert by_char.accuracy == by_word.accuracy


def test_unseen_characters_are_an_error_or_kept_unread() -> None:
    filler = verse_filler()
    with pytest.raises(VocabularyError, match=r"'é'.*number 2 of"):
        filler.fill("wéh_n")
    with pytest.raises(VocabularyError, match=r"'é'.*number 6 of"):
        filler.fill("wh_n_é")
    filled = filler.fill("é And wh_n é", skip_unknown=True)
    assert filled.text == "é And when é"
    assert (filled.skipped, filled.gaps[0].at) == (2, 8)


def test_line_ends_and_the_unknown_symbol_are_never_filled_in() -> None:
    filler = verse_filler(text="a\n" * 50, unknown=True)
    filled = filler.fill("a__")
    assert filled.text == "aaa"
    assert all({t for t, _ in g.alternatives} == {"a"} for g in filled.gaps)
