"""Evaluation: each symbol is predicted once, with results independent of batching."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from charrnn.language.evaluate import Loss, evaluate, surprisal
from charrnn.models import LANGUAGE_MODEL_CELLS, CharRNN, NetworkConfig
from charrnn.nn.params import Array, Ids, State

V = 9


def network(
    cell: str, dtype: DTypeLike = np.float64, spread: float = 0.5, layers: int = 2
) -> CharRNN:
    rng = np.random.default_rng(3)
    model = CharRNN.initialized(NetworkConfig(V, cell, 8, layers), rng, dtype)
    model.params.flat += (spread * rng.standard_normal(model.num_parameters)).astype(dtype)
    if cell == "relu":  # relu diverges where the other cells saturate
        for layer in range(layers):
            model.params[f"{layer}.U"][...] *= 0.3
    return model


def one_by_one(model: CharRNN, ids: Ids) -> Array:
    """Surprisal by its definition: predict and then read one symbol at a time."""
    state, nats = model.initial_state(1), []
    for symbol in ids:
        nats.append(-model.predict(state)[0, symbol])
        _, state = model.read(np.array([[symbol]]), state)
    return np.array(nats)


@pytest.mark.slow
@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_surprisal_does_not_depend_on_streams_or_chunks(
    cell: str, rng: np.random.Generator
) -> None:
    model, ids = network(cell), rng.integers(0, V, 3001)
    expected = one_by_one(model, ids)
    for streams, chunk in [(1, 64), (1, 5000), (5, 20), (40, 7), (1000, 2)]:
        np.testing.assert_allclose(
            surprisal(model, ids, streams=streams, chunk=chunk), expected, atol=1e-8
        )


def test_surprisal_is_exact_for_a_model_that_never_forgets(rng: np.random.Generator) -> None:
    """With forget gates stuck open, the state never converges to that of a fresh start."""
    model, ids = network("lstm", layers=1), rng.integers(0, V, 1200)
    model.params["0.b"][8:16] = 40.0
    model.params["0.U"][:, 8:16] = model.params["0.W"][:, 8:16] = 0
    expected = one_by_one(model, ids)
    np.testing.assert_allclose(surprisal(model, ids, streams=12, chunk=10), expected, atol=1e-8)


def test_single_precision_agrees_to_a_millionth(rng: np.random.Generator) -> None:
    ids = rng.integers(0, V, 4000)
    exact = evaluate(network("gru"), ids).nats_per_char
    for streams in (1, 8, 64):
        loss = evaluate(network("gru", np.float32), ids, streams=streams)
        assert loss.nats_per_char == pytest.approx(exact, abs=2e-6)


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_reading_in_chunks_equals_reading_whole(cell: str, rng: np.random.Generator) -> None:
    model, ids = network(cell), rng.integers(0, V, (30, 4))
    whole, end = model.read(ids, model.initial_state(4))
    first, state = model.read(ids[:11], model.initial_state(4))
    second, after = model.read(ids[11:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, atol=1e-12)
    for a, b in zip(after, end, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
@given(at=st.integers(0, 19), data=st.data())
@settings(max_examples=15)
def test_predictions_do_not_depend_on_later_symbols(
    cell: str, at: int, data: st.DataObject
) -> None:
    model = network(cell)
    ids = np.array(data.draw(st.lists(st.integers(0, V - 1), min_size=20, max_size=20)))
    other = ids.copy()
    other[at] = (ids[at] + data.draw(st.integers(1, V - 1))) % V
    before = model.read(ids[:, None], model.initial_state(1))[0]
    after = model.read(other[:, None], model.initial_state(1))[0]
    np.testing.assert_array_equal(before[:at], after[:at])
    assert not np.array_equal(before[at], after[at])


def test_predict_is_the_last_row_of_read(rng: np.random.Generator) -> None:
    model = network("lstm")
    log_p, state = model.read(rng.integers(0, V, (5, 2)), model.initial_state(2))
    np.testing.assert_allclose(model.predict(state), log_p[-1], atol=1e-12)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=-1), 1)


def test_the_three_units_are_the_same_loss() -> None:
    loss = Loss(math.log(8), 10)
    assert loss.bits_per_char == pytest.approx(3)
    assert loss.perplexity == pytest.approx(8)
    assert set(loss.to_json()) == {"nats_per_char", "bits_per_char", "perplexity", "chars"}


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_surprisal_does_not_depend_on_segments(cell: str, rng: np.random.Generator) -> None:
    model, ids = network(cell), rng.integers(0, V, 1500)
    expected = one_by_one(model, ids)
    for segment in (400, 777):
        nats = surprisal(model, ids, streams=6, chunk=10, segment=segment)
        np.testing.assert_allclose(nats, expected, atol=1e-8)


@pytest.mark.parametrize("entries", [1, 100, 1 << 22])
def test_the_loss_is_the_mean_surprisal_for_any_block_size(
    entries: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, ids = network("gru"), rng.integers(0, V, 1500)
    expected = one_by_one(model, ids).mean()
    monkeypatch.setattr("charrnn.language.evaluate._ENTRIES", entries)
    for segment in (400, 1 << 20):
        monkeypatch.setattr("charrnn.language.evaluate._SEGMENT", segment)
        assert evaluate(model, ids, streams=6).nats_per_char == pytest.approx(expected, abs=1e-8)


class Uniform:
    """A uniform model without memory."""

    vocab_size = 2

    def initial_state(self, batch: int) -> State:
        return (np.zeros((batch, 1), np.float32),)

    def predict(self, state: State) -> Array:
        return np.full((len(state[0]), 2), -math.log(2))

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        return np.full((*ids.shape, 2), -math.log(2)), state


def test_memory_does_not_grow_with_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.language.evaluate._SEGMENT", 1 << 15)
    peaks = []
    for size in (100_000, 400_000):
        ids = np.zeros(size, np.uint8)
        tracemalloc.start()
        assert evaluate(Uniform(), ids).bits_per_char == pytest.approx(1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
