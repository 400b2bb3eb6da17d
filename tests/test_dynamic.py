"""Dynamic evaluation: the model learns each symbol only after predicting it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from charrnn.errors import ConfigError, DivergedError
from charrnn.language.dynamic import DynamicConfig, dynamic_surprisal, mean_squares
from charrnn.language.evaluate import surprisal
from charrnn.models import LANGUAGE_MODEL_CELLS, CharRNN, NetworkConfig
from charrnn.nn.params import Array, Ids

V = 7
FAST = DynamicConfig(lr=0.02, decay=0.05, seq=6)


def network(
    cell: str = "gru", dtype: DTypeLike = np.float64, layers: int = 2, spread: float = 0.3
) -> CharRNN:
    rng = np.random.default_rng(4)
    model = CharRNN.initialized(NetworkConfig(V, cell, 6, layers), rng, dtype)
    model.params.flat += (spread * rng.standard_normal(model.num_parameters)).astype(dtype)
    if cell == "relu":  # relu diverges where the other cells saturate
        for layer in range(layers):
            model.params[f"{layer}.U"][...] *= 0.3
    return model


def read(model: CharRNN, ids: Ids, options: DynamicConfig = FAST, seed: int = 0) -> Array:
    return np.concatenate(list(dynamic_surprisal(model, ids, options, np.random.default_rng(seed))))


@pytest.fixture(autouse=True)
def _few_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.language.dynamic._CHUNKS", 10)


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
@settings(max_examples=5)
@given(at=st.integers(0, 39), shift=st.integers(1, V - 1))
def test_predictions_do_not_depend_on_later_symbols(cell: str, at: int, shift: int) -> None:
    ids = np.random.default_rng(at).integers(0, V, 40)
    other = ids.copy()
    other[at] = (ids[at] + shift) % V
    model = network(cell)
    before, after = read(model, ids), read(model, other)
    np.testing.assert_array_equal(before[:at], after[:at])
    assert before[at] != after[at]


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_dynamic_evaluation_with_learning_rate_0_equals_static_evaluation(
    cell: str, rng: np.random.Generator
) -> None:
    model, ids = network(cell), rng.integers(0, V, 100)
    for decay in (0, 0.5):
        nats = read(model, ids, DynamicConfig(0, decay, 7))
        np.testing.assert_allclose(nats, surprisal(model, ids), atol=1e-9)


def test_each_chunk_is_predicted_before_the_update_rule_is_applied(
    rng: np.random.Generator,
) -> None:
    model, ids, config = network(), rng.integers(0, V, 50), DynamicConfig(0.01, 0.3, 8)
    s = np.sqrt(mean_squares(model, config.seq, np.random.default_rng(1)))
    w0, learned = model.params.flat, model.astype(np.float64)
    state, expected = model.initial_state(1), [-model.predict(model.initial_state(1))[0, ids[0]]]
    for at in range(0, 49, 8):
        x, y = ids[at : at + 8][: 49 - at, None], ids[at + 1 : at + 9, None]
        log_p, _ = learned.read(x, state)
        expected += [-log_p[t, 0, symbol] for t, symbol in enumerate(y[:, 0])]
        grads = learned.params.zeros_like()
        _, state = learned.loss_and_gradient(x, y, state, grads)
        w = learned.params.flat
        r = s / s.mean()
        w += np.minimum(0.3 * r, 1) * (w0 - w) - 0.01 * grads.flat / (s + s.mean() / 25)
    np.testing.assert_allclose(read(model, ids, config, seed=1), expected, atol=1e-9)


def test_dynamic_evaluation_leaves_the_model_unchanged(rng: np.random.Generator) -> None:
    model, ids = network(), rng.integers(0, V, 60)
    before = model.params.flat.copy()
    first = read(model, ids)
    for _ in zip(range(3), dynamic_surprisal(model, ids, FAST, rng), strict=False):
        pass
    np.testing.assert_array_equal(model.params.flat, before)
    np.testing.assert_array_equal(read(model, ids), first)


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_repetition_is_learned_in_single_precision(cell: str) -> None:
    model, ids = network(cell, np.float32), np.tile([1, 4, 2, 2, 6, 0, 3], 150)
    nats = read(model, ids, DynamicConfig(0.002, 0, 14))
    assert nats[-100:].mean() < 0.9 * surprisal(model, ids)[-100:].mean()


def test_decay_returns_the_parameters_to_their_trained_values(rng: np.random.Generator) -> None:
    model, ids = network(), rng.integers(0, V, 200)
    static = surprisal(model, ids)
    configs = [DynamicConfig(0.01, decay, 5) for decay in (0, 0.5)]
    far, near = (np.abs(read(model, ids, config) - static).mean() for config in configs)
    assert near < far / 2


@pytest.mark.parametrize("length", [1, 2, 5, 6, 7, 13])
def test_texts_of_any_length_are_predicted_completely(
    length: int, rng: np.random.Generator
) -> None:
    assert len(read(network(), rng.integers(0, V, length))) == length


def test_mean_squares_are_of_gradients_on_sampled_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With all parameters zero, every symbol has probability 1/V, and the gradient of c is the
    mean of `seq` independent terms p - onehot.
    """
    monkeypatch.setattr("charrnn.language.dynamic._CHUNKS", 1500)
    model = network("rnn", layers=1)
    model.params.flat[:] = 0
    c = slice(-V, None)
    estimate = mean_squares(model, 4, np.random.default_rng(0))
    np.testing.assert_allclose(estimate[c], (1 / V) * (1 - 1 / V) / 4, rtol=0.2)
    assert not estimate[:-V].any()


@pytest.mark.parametrize(
    "bad",
    [
        {"lr": -1},
        {"lr": float("inf")},
        {"lr": float("nan")},
        {"decay": 2},
        {"decay": -1},
        {"seq": 0},
    ],
)
def test_invalid_values_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"dynamic-{next(iter(bad))} is .*; it must be"):
        DynamicConfig(**bad)


def test_divergence_is_reported() -> None:
    model, ids = network("relu", np.float32, layers=3, spread=1.0), np.arange(600) % V
    with pytest.raises(DivergedError, match=r"after \d+ symbols; lower --dynamic-lr, now 1\."):
        read(model, ids, DynamicConfig(1, 0, 7))


def test_the_default_learning_rate_falls_with_network_size() -> None:
    rates = {
        size: DynamicConfig().resolve_lr(size) for size in (10, 380_000, 4_000_000, 40_000_000)
    }
    assert rates[10] == rates[380_000] == 5e-4
    assert rates[4_000_000] == pytest.approx(5e-4 * (384_400 / 4e6) ** 0.5)
    assert rates[40_000_000] == pytest.approx(rates[4_000_000] / 10**0.5)
    assert DynamicConfig(lr=0.1).resolve_lr(4_000_000) == 0.1
