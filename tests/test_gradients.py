"""Hand-written gradients against central differences in float64."""

from typing import Any

import numpy as np
import pytest

from charrnn.diagnostics.gradcheck import Agreement, check_layer
from charrnn.models import NETWORKS, CharRNN, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.functional import add_rows_at, one_hot
from charrnn.nn.layers import (
    OUTPUTS,
    Bidirectional,
    Dense,
    Dropout,
    Output,
    Recurrent,
    Residual,
    Sequential,
)
from charrnn.nn.layers.base import Backward, Rng, dropout_mask
from charrnn.nn.params import Array, Ids, Params, State

T, B, V, H = 7, 3, 5, 4


def inputs(kind: str, rng: np.random.Generator) -> Array:
    return rng.integers(0, V, (T, B)) if kind == "one-hot" else rng.standard_normal((T, B, V))


def assert_agree(agreements: dict[str, Agreement]) -> None:
    for name, agreement in agreements.items():
        assert agreement.numeric != 0, name
        assert agreement.relative_error < 1e-6, (name, agreement)


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_a_single_layer_is_correct(
    cell: str, kind: str, rng: np.random.Generator
) -> None:
    agreements = check_layer(Recurrent(CELLS[cell], V, H), inputs(kind, rng), rng)
    assert {"W", "b", "state"} | ({"U"} if CELLS[cell].recurrent else set()) <= set(agreements)
    assert ("x" in agreements) == (kind == "dense")
    assert_agree(agreements)


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_a_stack_with_dropout_and_output_is_correct(
    cell: str, kind: str, rng: np.random.Generator
) -> None:
    stack = Sequential(
        {
            "0": Recurrent(CELLS[cell], V, H),
            "drop": Dropout(H, 0.4),
            "1": Recurrent(CELLS[cell], H, H + 1, dropped=0.3),
            "out": Dense(H + 1, V),
        }
    )
    assert_agree(check_layer(stack, inputs(kind, rng), rng, dropout_seed=3))


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_two_bidirectional_layers_is_correct(
    cell: str, kind: str, rng: np.random.Generator
) -> None:
    """Sequences have different lengths; padding must not contribute."""

    def bidirectional(inputs: int, hidden: int) -> Bidirectional:
        return Bidirectional(
            Recurrent(CELLS[cell], inputs, hidden), Recurrent(CELLS[cell], inputs, hidden + 1)
        )

    class Padded(Sequential):
        def forward(
            self,
            p: Params,
            x: Array | Ids,
            state: State,
            rng: Rng | None = None,
            lengths: Ids | None = None,
        ) -> tuple[Array, State, Backward]:
            return super().forward(p, x, state, rng, np.array([T, 2, 4]))

    stack = Padded({"0": bidirectional(V, H), "1": bidirectional(2 * H + 1, H)})
    assert_agree(check_layer(stack, inputs(kind, rng), rng))


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_a_residual_layer_is_correct(cell: str, rng: np.random.Generator) -> None:
    assert_agree(check_layer(Residual(Recurrent(CELLS[cell], V, V)), inputs("dense", rng), rng))


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("name", ["output", *OUTPUTS])
def test_the_gradient_of_an_output_layer_is_correct(
    name: str, kind: str, rng: np.random.Generator
) -> None:
    x, ids = inputs(kind, rng), rng.integers(0, V, (T, B))

    class WithTargets(OUTPUTS.get(name, Output)):  # type: ignore[misc] # whichever it is
        def forward(self, p: Params, x: Array, state: State, rng: Rng | None = None) -> Any:
            return super().forward(p, x, state, rng, ids=ids)

    if name == "output" and kind == "one-hot":
        pytest.skip("a plain output reads the layer below")
    agreements = check_layer(WithTargets(V, V if name == "output" else H, V), x, rng)
    if name != "jordan":
        del agreements["state"]  # with teacher forcing nothing depends on the state
    assert_agree(agreements)


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_a_single_step_is_correct(cell: str, rng: np.random.Generator) -> None:
    assert_agree(check_layer(Recurrent(CELLS[cell], V, H), rng.integers(0, V, (1, B)), rng))


@pytest.mark.parametrize(("layers", "residual"), [(1, False), (2, False), (3, True)])
@pytest.mark.parametrize("cell", NETWORKS)
def test_the_training_gradient_matches_finite_differences(
    cell: str, layers: int, residual: bool, rng: np.random.Generator
) -> None:
    config = NetworkConfig(V, cell, H, layers, dropout=0.3, residual=residual)
    model = CharRNN.initialised(config, rng, np.float64)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters)
    ids, targets = rng.integers(0, V, (2, T, B))
    state = tuple(rng.standard_normal(s.shape) for s in model.initial_state(B))
    grads, direction = model.params.zeros_like(), rng.standard_normal(model.num_parameters)
    at = model.params.flat.copy()

    def loss(eps: float, into: Params) -> float:
        model.params.flat[:] = at + eps * direction
        return model.gradient(ids, targets, state, into, np.random.default_rng(4))[0]

    loss(0, grads)
    numeric = (loss(1e-6, grads.zeros_like()) - loss(-1e-6, grads.zeros_like())) / 2e-6
    np.testing.assert_allclose(grads.flat @ direction, numeric, rtol=1e-6)


def test_a_large_vocabulary_gets_the_same_row_gradients(rng: np.random.Generator) -> None:
    """Sums over sorted segments equal the product with one-hot vectors."""
    ids, rows = rng.integers(0, 400, 1000), rng.standard_normal((1000, 6))
    summed = np.zeros((400, 6))
    add_rows_at(summed, ids, rows)
    np.testing.assert_allclose(summed, one_hot(ids, 400, np.float64).T @ rows, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_backward_accumulates_into_the_gradients(cell: str, rng: np.random.Generator) -> None:
    layer = Recurrent(CELLS[cell], V, H)
    params = Params.initialised(layer.specs(), rng, np.float64)
    x, start = inputs("dense", rng), layer.initial_state(B, np.float64)
    dy = rng.standard_normal((T, B, H))

    def add_to(grads: Params) -> Array:
        _, final, backward = layer.forward(params, x, start)
        backward(grads, dy.copy(), tuple(np.zeros_like(s) for s in final))
        gradient: Array = grads.flat.copy()
        return gradient

    grads = params.zeros_like()
    once = add_to(grads)
    np.testing.assert_allclose(add_to(grads), 2 * once)


def test_the_forget_bias_starts_at_one(rng: np.random.Generator) -> None:
    b = CharRNN.initialised(NetworkConfig(V, "lstm", H, 1), rng).params["0.b"]
    assert b.tolist() == [0] * H + [1] * H + [0] * 2 * H


def test_a_dropout_mask_is_constant_over_a_chunk(rng: np.random.Generator) -> None:
    layer, x = Dropout(200, 0.25), np.ones((7, 3, 200))
    y, _, _ = layer.forward(Params({}, np.zeros(0)), x, (), rng)
    np.testing.assert_array_equal(y, np.broadcast_to(y[0], y.shape))
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert (y[0, 0] != y[0, 1]).any()
    assert abs((y == 0).mean() - 0.25) < 0.06


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_weight_dropout_is_constant_over_a_chunk_and_off_in_use(
    cell: str, rng: np.random.Generator
) -> None:
    layer = Recurrent(CELLS[cell], V, H, dropped=0.5)
    p = Params.initialised(layer.specs(), rng, np.float64)
    x, state = rng.standard_normal((T, B, V)), layer.initial_state(B, np.float64)
    whole = Params(p.shapes, p.flat.copy())
    whole["U"][...] *= dropout_mask(np.random.default_rng(5), p["U"].shape, 0.5, np.float64)
    trained = layer.forward(p, x, state, np.random.default_rng(5))[0]
    np.testing.assert_array_equal(trained, layer.forward(whole, x, state)[0])
    assert (whole["U"] == 0).any()
    assert (layer.forward(p, x, state)[0] != trained).any()


def test_dropout_is_active_in_training_only(rng: np.random.Generator) -> None:
    model = CharRNN.initialised(NetworkConfig(V, "gru", 8, 2, dropout=0.5), rng, np.float64)
    ids, state = rng.integers(0, V, (T, B)), model.initial_state(B)
    losses = [
        model.gradient(ids, ids, state, model.params.zeros_like(), generator)[0]
        for generator in (None, None, np.random.default_rng(1), np.random.default_rng(2))
    ]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


@pytest.mark.parametrize("cell", CELLS)
def test_padding_does_not_change_the_output_of_a_bidirectional_layer(
    cell: str, rng: np.random.Generator
) -> None:
    layer = Bidirectional(Recurrent(CELLS[cell], V, H), Recurrent(CELLS[cell], V, H))
    params = Params.initialised(layer.specs(), rng, np.float64)
    x, lengths = inputs("dense", rng), np.array([T, 2, 4])
    y, _, _ = layer.forward(params, x, layer.initial_state(B, np.float64), lengths=lengths)
    for n, length in enumerate(lengths):
        alone = layer.forward(params, x[:length, n : n + 1], layer.initial_state(1, np.float64))[0]
        np.testing.assert_allclose(y[:length, n], alone[:, 0], atol=1e-14)
