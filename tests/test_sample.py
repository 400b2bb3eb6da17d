"""Sampling: distributions, seeds, stop strings."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from charrnn.cli.commands.sample import command
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import ConfigError, VocabularyError
from charrnn.language.sampling import SamplingConfig, distribution, sample_ids
from charrnn.language.text_model import TextModel
from charrnn.models import CharRNN, NetworkConfig, NGram
from charrnn.models.ensemble import Ensemble

LETTERS = "abcdefgh \n"
logits = st.lists(st.floats(-20, 20), min_size=2, max_size=12)


def model(dtype: DTypeLike = np.float32) -> TextModel:
    vocabulary = Vocabulary.of(LETTERS)
    rng = np.random.default_rng(8)
    network = CharRNN.initialized(NetworkConfig(len(vocabulary), "gru", 16, 2), rng, dtype)
    network.params.flat *= 2
    return TextModel(network, vocabulary)


@given(logits, st.floats(0.05, 5), st.integers(0, 12), st.floats(0.05, 1))
def test_a_distribution_sums_to_one_over_the_allowed_symbols(
    z: list[float], temp: float, k: int, top_p: float
) -> None:
    p = distribution(np.array([z]), SamplingConfig(temp, k, top_p))[0]
    assert p.sum() == pytest.approx(1)
    assert (p > 0).sum() <= (k or len(z))
    assert p.max() > 0
    assert z[p.argmax()] == pytest.approx(max(z), abs=1e-6)


@given(logits, st.floats(0.1, 5))
def test_temperature_is_a_power_of_the_probabilities(z: list[float], temp: float) -> None:
    plain = np.exp(z - np.max(z)) / np.exp(z - np.max(z)).sum()
    expected = plain ** (1 / temp) / (plain ** (1 / temp)).sum()
    np.testing.assert_allclose(
        distribution(np.array([z]), SamplingConfig(temp))[0], expected, atol=1e-9
    )


def test_top_p_keeps_the_smallest_sufficient_set() -> None:
    log_p = np.log([[0.5, 0.3, 0.15, 0.05]])
    assert (distribution(log_p, SamplingConfig(top_p=0.5))[0] > 0).sum() == 1
    assert (distribution(log_p, SamplingConfig(top_p=0.79))[0] > 0).sum() == 2
    np.testing.assert_allclose(
        distribution(log_p, SamplingConfig(top_p=0.7999))[0], [0.625, 0.375, 0, 0]
    )


def test_temperature_zero_is_argmax() -> None:
    assert distribution(np.log([[0.2, 0.7, 0.1]]), SamplingConfig(0)).tolist() == [[0, 1, 0]]
    texts = {"".join(model().generate("a", 40, temp=0, seed=s)) for s in range(3)}
    assert len(texts) == 1


def test_draws_follow_the_predicted_distribution() -> None:
    text_model = model()
    state = text_model.model.initial_state(1)
    expected = np.exp(text_model.model.predict(state)[0])
    rngs = [np.random.default_rng(n) for n in range(4000)]
    drawn = next(sample_ids(text_model.model, np.zeros(0, int), 1, rngs))
    shares = np.bincount(drawn, minlength=len(LETTERS)) / len(rngs)
    np.testing.assert_allclose(shares, expected, atol=0.03)


def test_a_suppressed_symbol_is_never_drawn() -> None:
    text_model = model()
    for ids in sample_ids(
        text_model.model, np.zeros(0, int), 200, [np.random.default_rng(1)], suppressed=3
    ):
        assert ids[0] != 3


def test_samples_depend_on_the_seed() -> None:
    texts = ["".join(model().generate("ab", 80, seed=s)) for s in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]
    assert len(texts[0]) == 80


def test_each_sample_of_a_batch_depends_only_on_its_seed() -> None:
    text_model = model(np.float64)
    ids = text_model.vocabulary.encode("abc")
    together = zip(*text_model.stream(ids, 120, [4, 5, 6], SamplingConfig(0.9)), strict=True)
    for seed, sample in zip([4, 5, 6], together, strict=True):
        alone = b"".join(
            piece for (piece,) in text_model.stream(ids, 120, [seed], SamplingConfig(0.9))
        )
        assert b"".join(sample) == alone


@pytest.mark.slow
@given(st.text("ab", min_size=1, max_size=3), st.integers(0, 50))
def test_text_ends_before_the_stop_string(stop: str, seed: int) -> None:
    whole = "".join(model().generate("", 150, temp=2, seed=seed))
    stopped = "".join(model().generate("", 150, temp=2, seed=seed, stop=stop))
    assert stopped == (whole[: whole.index(stop)] if stop in whole else whole)


def test_sampling_continues_a_seed_of_any_length() -> None:
    text_model = model(np.float64)
    seed = LETTERS * 60
    ids = text_model.vocabulary.encode(seed)
    log_p, _ = text_model.model.read(ids[:, None], text_model.model.initial_state(1))
    first = "".join(text_model.generate(seed, 1, temp=0))
    assert text_model.vocabulary.encode(first)[0] == log_p[-1, 0].argmax()


@pytest.mark.parametrize(
    "bad", [{"temp": -1}, {"temp": float("nan")}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.1}]
)
def test_invalid_values_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        SamplingConfig(**bad)


def test_an_unseen_character_of_the_seed_text_is_named() -> None:
    with pytest.raises(VocabularyError, match="'Z'"):
        list(model().generate("Z"))


def test_a_sampling_option_is_a_keyword_and_a_field_alike() -> None:
    by_keyword = "".join(model().generate("a", 60, temp=0.5, top_k=3))
    config = SamplingConfig(temp=0.5, top_k=3)
    assert "".join(model().generate("a", 60, sampling=config)) == by_keyword
    both = model().generate("a", 60, sampling=SamplingConfig(temp=3, top_k=3), temp=0.5)
    assert "".join(both) == by_keyword
    with pytest.raises(TypeError, match="beam"):
        model().generate("a", beam=4)


def test_every_sampling_option_is_an_option_of_the_command() -> None:
    options: dict[str | None, Any] = {o.name: o for o in command.params}
    for field in fields(SamplingConfig):
        assert field.metadata["help"] in (options[field.name].help or "")
    assert (options["temp"].default, options["top_k"].default) == (0.8, 0)


def test_a_text_model_says_what_it_is() -> None:
    one = model()
    assert repr(one) == "TextModel(gru 2x16, 3,082 parameters, 10 characters)"
    ngram = NGram.fit(one.vocabulary.encode("abcabd"), 10, 2)
    assert repr(ngram) == "NGram(ngram 2, 8 counts, 10 symbols)"
    both = TextModel(Ensemble([one.model, ngram]), one.vocabulary)
    assert repr(both) == "TextModel(gru 2x16 + ngram 2, 3,090 parameters, 10 characters)"


def test_bytes_are_decoded_to_whole_characters() -> None:
    vocabulary = Vocabulary(b"\xe5\x90\x83a", unit="byte")
    network = CharRNN.initialized(NetworkConfig(4, "rnn", 3, 1), np.random.default_rng(0))
    text = "".join(TextModel(network, vocabulary).generate("a", 50, seed=1))
    assert "吃" in text or "\ufffd" in text
