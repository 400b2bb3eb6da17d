"""Ensembles: several models that average their predictions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import VocabularyError
from charrnn.language.evaluate import evaluate, surprisal
from charrnn.language.sampling import sample_ids
from charrnn.models import CharRNN, Ensemble, LanguageModel, NetworkConfig, NGram
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.tasks import load

LETTERS = "abcdef\n"
V = len(LETTERS)


def network(cell: str = "gru", seed: int = 0, layers: int = 1, vocab_size: int = V) -> CharRNN:
    rng = np.random.default_rng(seed)
    model = CharRNN.initialized(NetworkConfig(vocab_size, cell, 6, layers), rng, np.float64)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters)
    return model


def mixed() -> Ensemble:
    counts = NGram.fit(np.random.default_rng(2).integers(0, V, 500), V, 3)
    return Ensemble([network("lstm", 1, 2), counts, network("gru", 3)])


def test_an_ensemble_averages_probabilities(rng: np.random.Generator) -> None:
    model, ids = mixed(), rng.integers(0, V, (12, 3))
    assert isinstance(model, LanguageModel)
    log_p, state = model.read(ids, model.initial_state(3))
    probabilities = [np.exp(m.read(ids, m.initial_state(3))[0]) for m in model.members]
    np.testing.assert_allclose(np.exp(log_p), sum(probabilities) / 3, atol=1e-12)
    np.testing.assert_allclose(model.predict(state), log_p[-1], atol=1e-12)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=-1), 1)


def test_reading_in_chunks_equals_reading_whole(rng: np.random.Generator) -> None:
    model, ids = mixed(), rng.integers(0, V, (30, 2))
    whole, _ = model.read(ids, model.initial_state(2))
    first, state = model.read(ids[:11], model.initial_state(2))
    second, _ = model.read(ids[11:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, atol=1e-12)


def test_surprisal_does_not_depend_on_the_number_of_streams(rng: np.random.Generator) -> None:
    model, ids = mixed(), rng.integers(0, V, 1500)
    expected = surprisal(model, ids, streams=1)
    np.testing.assert_allclose(surprisal(model, ids, streams=7, chunk=10), expected, atol=1e-8)


@settings(max_examples=20)
@given(st.lists(st.integers(0, V - 1), min_size=1, max_size=40), st.integers(0, 99))
def test_the_loss_is_at_most_the_mean_loss_of_the_members(ids: list[int], seed: int) -> None:
    members = [network("gru", seed), network("rnn", seed + 1)]
    text = np.array(ids)
    losses = [evaluate(m, text).nats_per_char for m in members]
    assert evaluate(Ensemble(members), text).nats_per_char <= np.mean(losses) + 1e-12


def test_an_ensemble_of_identical_models_equals_the_model(rng: np.random.Generator) -> None:
    ids = rng.integers(0, V, 300)
    twice = surprisal(Ensemble([network(), network()]), ids)
    np.testing.assert_allclose(twice, surprisal(network(), ids), atol=1e-12)


def test_samples_of_an_ensemble_depend_only_on_their_seeds() -> None:
    seed = np.array([1, 2, 3])
    rngs = [np.random.default_rng(n) for n in (4, 5)]
    together = np.stack(list(sample_ids(mixed(), seed, 50, rngs)))
    alone = np.stack(list(sample_ids(mixed(), seed, 50, [np.random.default_rng(5)])))
    np.testing.assert_array_equal(together[:, 1], alone[:, 0])


def test_members_must_have_the_same_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="5"):
        Ensemble([network(), network(vocab_size=5)])
    for name, letters in (("a", LETTERS), ("b", LETTERS), ("c", "ghijkl\n")):
        checkpoint.save(
            Checkpoint(network(seed=ord(name)), Vocabulary.of(letters)), tmp_path / name
        )
    model = load(tmp_path / "a", tmp_path / "b")
    assert isinstance(model.model, Ensemble)
    assert len(model.model.members) == 2
    assert model.perplexity("abc") > 1
    with pytest.raises(
        VocabularyError, match=r"c has another vocabulary than .*a \(7 chars, not 7"
    ):
        load(tmp_path / "a", tmp_path / "b", tmp_path / "c")
