"""Hand-written gradients against central differences in float64."""

import numpy as np
import pytest

from charrnn.diagnostics.gradcheck import NumericComparison, check_layer
from charrnn.models import LANGUAGE_MODEL_CELLS, CharRNN, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.functional import add_rows_at, dropout_mask, one_hot
from charrnn.nn.layers import (
    JORDAN,
    Bidirectional,
    Context,
    Dense,
    Dropout,
    LastStep,
    MaskedSteps,
    Recurrent,
    Residual,
    Sequential,
    Stateless,
)
from charrnn.nn.params import Array, Params

T, B, V, H = 7, 3, 5, 4


def inputs(kind: str, rng: np.random.Generator) -> Array:
    return rng.integers(0, V, (T, B)) if kind == "one-hot" else rng.standard_normal((T, B, V))


def assert_agree(agreements: dict[str, NumericComparison]) -> None:
    for name, agreement in agreements.items():
        assert agreement.numeric != 0, name
        assert agreement.relative_error < 1e-6, (name, agreement)


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_a_recurrent_layer(cell: str, kind: str, rng: np.random.Generator) -> None:
    found = check_layer(Recurrent(CELLS[cell], V, H), inputs(kind, rng), rng)
    recurrent = {"U"} if CELLS[cell].has_recurrent_weights else set()
    assert {"W", "b", "state"} | recurrent <= set(found)
    assert ("x" in found) == (kind == "dense")
    assert_agree(found)


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_a_stack_with_dropout_and_output(
    cell: str, kind: str, rng: np.random.Generator
) -> None:
    stack = Sequential(
        {
            "0": Recurrent(CELLS[cell], V, H),
            "drop": Dropout(H, 0.4),
            "1": Recurrent(CELLS[cell], H, H + 1, weight_dropout=0.3),
            "out": Dense(H + 1, V),
        }
    )
    assert_agree(check_layer(stack, inputs(kind, rng), rng, dropout_seed=3))


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_two_bidirectional_layers_with_padding(
    cell: str, kind: str, rng: np.random.Generator
) -> None:
    def bidirectional(input_size: int, hidden_size: int) -> Bidirectional:
        return Bidirectional(
            Recurrent(CELLS[cell], input_size, hidden_size),
            Recurrent(CELLS[cell], input_size, hidden_size + 1),
        )

    stack = Sequential({"0": bidirectional(V, H), "1": bidirectional(2 * H + 1, H)})
    context = Context(lengths=np.array([T, 2, 4]))
    assert_agree(check_layer(stack, inputs(kind, rng), rng, context=context))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_a_residual_layer(cell: str, rng: np.random.Generator) -> None:
    assert_agree(check_layer(Residual(Recurrent(CELLS[cell], V, V)), inputs("dense", rng), rng))


def test_gradients_of_a_dense_layer_that_carries_its_input(rng: np.random.Generator) -> None:
    found = check_layer(Dense(V, H, carry=True), inputs("dense", rng), rng)
    assert found["state"].analytic == found["state"].numeric == 0
    del found["state"]
    assert_agree(found)


def test_a_carried_input_predicts_the_newest_output(rng: np.random.Generator) -> None:
    layer = Dense(V, H, carry=True)
    p, x = Params.initialized(layer.specs(), rng, np.float64), inputs("dense", rng)
    y, state, _ = layer.forward(p, x, layer.initial_state(B, np.float64))
    np.testing.assert_allclose(layer.predict(p, state), y[-1], atol=1e-14)


@pytest.mark.parametrize("kind", ["one-hot", "dense"])
@pytest.mark.parametrize("name", JORDAN)
def test_gradients_of_a_jordan_layer(name: str, kind: str, rng: np.random.Generator) -> None:
    context = Context(ids=rng.integers(0, V, (T, B)))
    found = check_layer(JORDAN[name](V, H, V), inputs(kind, rng), rng, context=context)
    if name == "jordan-forced":
        del found["state"]  # teacher forcing replaces the state
    assert_agree(found)


def test_gradients_of_the_last_steps_of_padded_sequences(rng: np.random.Generator) -> None:
    """Of 3 forward columns at the last step, of the others at the first."""
    x, lengths = inputs("dense", rng), np.array([T, 2, 4])
    stack = Sequential({"end": LastStep(V, 3), "out": Dense(V, H)})
    assert_agree(check_layer(stack, x, rng, context=Context(lengths=lengths)))
    y, _, _ = LastStep(V, 3).forward(Params({}, np.zeros(0)), x, (), Context(lengths=lengths))
    for n, length in enumerate(lengths):
        np.testing.assert_array_equal(y[0, n], [*x[length - 1, n, :3], *x[0, n, 3:]])


def test_gradients_of_selected_steps(rng: np.random.Generator) -> None:
    """In the order of the streams and, within a stream, of time."""
    x, ids = inputs("dense", rng), rng.integers(0, 3, (T, B))
    stack = Sequential({"select": MaskedSteps(V, 2), "out": Dense(V, H)})
    assert_agree(check_layer(stack, x, rng, context=Context(ids=ids)))
    y, _, _ = MaskedSteps(V, 2).forward(Params({}, np.zeros(0)), x, (), Context(ids=ids))
    wanted = [x[t, n] for n in range(B) for t in range(T) if ids[t, n] == 2]
    np.testing.assert_array_equal(y[0], wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_a_stateless_layer(cell: str, rng: np.random.Generator) -> None:
    layer = Recurrent(CELLS[cell], V, H)
    found = check_layer(Stateless(layer), inputs("dense", rng), rng)
    assert "state" not in found
    assert_agree(found)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_a_single_step(cell: str, rng: np.random.Generator) -> None:
    assert_agree(check_layer(Recurrent(CELLS[cell], V, H), rng.integers(0, V, (1, B)), rng))


@pytest.mark.parametrize(("layers", "residual"), [(1, False), (2, False), (3, True)])
@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_loss_and_gradient_of_a_language_model(
    cell: str, layers: int, residual: bool, rng: np.random.Generator
) -> None:
    config = NetworkConfig(V, cell, H, layers, dropout=0.3, residual=residual)
    model = CharRNN.initialized(config, rng, np.float64)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters)
    ids, targets = rng.integers(0, V, (2, T, B))
    state = tuple(rng.standard_normal(s.shape) for s in model.initial_state(B))
    grads, direction = model.params.zeros_like(), rng.standard_normal(model.num_parameters)
    at = model.params.flat.copy()

    def loss(eps: float, into: Params) -> float:
        model.params.flat[:] = at + eps * direction
        return model.loss_and_gradient(ids, targets, state, into, np.random.default_rng(4))[0]

    loss(0, grads)
    numeric = (loss(1e-6, grads.zeros_like()) - loss(-1e-6, grads.zeros_like())) / 2e-6
    np.testing.assert_allclose(grads.flat @ direction, numeric, rtol=1e-6)


@pytest.mark.parametrize("cell", LANGUAGE_MODEL_CELLS)
def test_a_network_passes_the_gradient_of_its_state_back_through_chunks(
    cell: str, rng: np.random.Generator
) -> None:
    """Two chunks with the gradient of the state handed back are one chunk of the whole text."""
    model = CharRNN.initialized(NetworkConfig(V, cell, H, 2), rng, np.float64)
    model.params.flat += 0.3 * rng.standard_normal(model.num_parameters)
    ids, start = rng.integers(0, V, (T, B)), model.initial_state(B)
    whole, halves = model.params.zeros_like(), model.params.zeros_like()
    logits, final, backward = model.forward(ids, start)
    dlogits = rng.standard_normal(logits.shape)
    dfinal = tuple(rng.standard_normal(s.shape) for s in final)
    dx, dstart = backward(whole, dlogits, dfinal)
    first, state, first_backward = model.forward(ids[:3], start)
    second, _, second_backward = model.forward(ids[3:], state)
    _, dstate = second_backward(halves, dlogits[3:], dfinal)
    _, dinitial = first_backward(halves, dlogits[:3], dstate)
    assert dx is None
    np.testing.assert_allclose(np.concatenate([first, second]), logits, atol=1e-13)
    np.testing.assert_allclose(halves.flat, whole.flat, atol=1e-12)
    for a, b in zip(dinitial, dstart, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_row_gradients_of_a_large_vocabulary(rng: np.random.Generator) -> None:
    """Sorted segment sums against the one-hot product."""
    ids, rows = rng.integers(0, 400, 1000), rng.standard_normal((1000, 6))
    summed = np.zeros((400, 6))
    add_rows_at(summed, ids, rows)
    np.testing.assert_allclose(summed, one_hot(ids, 400, np.float64).T @ rows, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_backward_adds_to_the_gradients(cell: str, rng: np.random.Generator) -> None:
    layer = Recurrent(CELLS[cell], V, H)
    params = Params.initialized(layer.specs(), rng, np.float64)
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
    b = CharRNN.initialized(NetworkConfig(V, "lstm", H, 1), rng).params["0.b"]
    assert b.tolist() == [0] * H + [1] * H + [0] * 2 * H


def test_dropout_has_one_mask_per_stream_and_chunk(rng: np.random.Generator) -> None:
    layer, x = Dropout(200, 0.25), np.ones((7, 3, 200))
    y, _, _ = layer.forward(Params({}, np.zeros(0)), x, (), Context(rng))
    np.testing.assert_array_equal(y, np.broadcast_to(y[0], y.shape))
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert (y[0, 0] != y[0, 1]).any()
    assert abs((y == 0).mean() - 0.25) < 0.06


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_weight_dropout_has_one_mask_per_chunk_and_none_outside_training(
    cell: str, rng: np.random.Generator
) -> None:
    layer = Recurrent(CELLS[cell], V, H, weight_dropout=0.5)
    p = Params.initialized(layer.specs(), rng, np.float64)
    x, state = rng.standard_normal((T, B, V)), layer.initial_state(B, np.float64)
    whole = Params(p.shapes, p.flat.copy())
    whole["U"][...] *= dropout_mask(np.random.default_rng(5), p["U"].shape, 0.5, np.float64)
    trained = layer.forward(p, x, state, Context(np.random.default_rng(5)))[0]
    np.testing.assert_array_equal(trained, layer.forward(whole, x, state)[0])
    assert (whole["U"] == 0).any()
    assert (layer.forward(p, x, state)[0] != trained).any()


def test_dropout_is_off_outside_training(rng: np.random.Generator) -> None:
    model = CharRNN.initialized(NetworkConfig(V, "gru", 8, 2, dropout=0.5), rng, np.float64)
    ids, state = rng.integers(0, V, (T, B)), model.initial_state(B)
    losses = [
        model.loss_and_gradient(ids, ids, state, model.params.zeros_like(), generator)[0]
        for generator in (None, None, np.random.default_rng(1), np.random.default_rng(2))
    ]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


@pytest.mark.parametrize("cell", CELLS)
def test_padding_does_not_change_the_outputs_of_a_bidirectional_layer(
    cell: str, rng: np.random.Generator
) -> None:
    layer = Bidirectional(Recurrent(CELLS[cell], V, H), Recurrent(CELLS[cell], V, H))
    params = Params.initialized(layer.specs(), rng, np.float64)
    x, lengths = inputs("dense", rng), np.array([T, 2, 4])
    context = Context(lengths=lengths)
    y, _, _ = layer.forward(params, x, layer.initial_state(B, np.float64), context)
    for n, length in enumerate(lengths):
        alone = layer.forward(params, x[:length, n : n + 1], layer.initial_state(1, np.float64))[0]
        np.testing.assert_allclose(y[:length, n], alone[:, 0], atol=1e-14)
