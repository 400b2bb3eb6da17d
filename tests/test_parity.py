"""Outputs and gradients equal PyTorch's nn.RNN, nn.LSTM and nn.GRU (see golden/make_golden.py)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from charrnn.nn.cells import CELLS
from charrnn.nn.layers import Recurrent, Sequential
from charrnn.nn.params import Array, Params, State

GOLDEN = np.load(Path(__file__).parent / "golden" / "pytorch.npz")
HIDDEN, LAYERS = 4, 2


def ours(get: Callable[[str], Array], kind: str) -> dict[str, Array]:
    """PyTorch's parameters of each layer under our names.

    PyTorch adds two biases; ours is their sum, except for a GRU's candidate, whose recurrent
    bias q is multiplied by the reset gate.
    """
    arrays = {}
    for n in range(LAYERS):
        arrays[f"{n}.W"] = get(f"weight_ih_l{n}").T
        arrays[f"{n}.U"] = get(f"weight_hh_l{n}").T
        b_input, b_hidden = get(f"bias_ih_l{n}"), get(f"bias_hh_l{n}").copy()
        if kind == "GRU":
            arrays[f"{n}.q"] = b_hidden[2 * HIDDEN :].copy()
            b_hidden[2 * HIDDEN :] = 0
        arrays[f"{n}.b"] = b_input + b_hidden
    return arrays


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_outputs_and_gradients_equal_pytorchs(kind: str) -> None:
    def golden(name: str) -> Array:
        array: Array = GOLDEN[f"{kind}/{name}"]
        return array

    cell = CELLS[kind.lower()]
    x, count = golden("x"), len(cell.state_names)
    stack = Sequential(
        {"0": Recurrent(cell, x.shape[2], HIDDEN), "1": Recurrent(cell, HIDDEN, HIDDEN)}
    )
    params = Params.initialized(stack.specs(), np.random.default_rng(0), np.float64)
    for name, value in ours(golden, kind).items():
        params[name][...] = value

    def states(name: str) -> State:  # (layer 0: h, c; layer 1: h, c)
        return tuple(golden(f"{name}{s}")[n] for n in range(LAYERS) for s in range(count))

    y, final, backward = stack.forward(params, x, states("state"))
    grads = params.zeros_like()
    dx, dstart = backward(grads, golden("dy"), states("dfinal"))

    np.testing.assert_allclose(y, golden("y"), atol=1e-10)
    assert dx is not None
    np.testing.assert_allclose(dx, golden("dx"), atol=1e-10)
    for got, expected in zip((*final, *dstart), states("final") + states("dstate"), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-10)
    for n in range(LAYERS):
        np.testing.assert_allclose(grads[f"{n}.W"], golden(f"dweight_ih_l{n}").T, atol=1e-10)
        np.testing.assert_allclose(grads[f"{n}.U"], golden(f"dweight_hh_l{n}").T, atol=1e-10)
        np.testing.assert_allclose(grads[f"{n}.b"], golden(f"dbias_ih_l{n}"), atol=1e-10)
        if kind == "GRU":
            dq = golden(f"dbias_hh_l{n}")[2 * HIDDEN :]
            np.testing.assert_allclose(grads[f"{n}.q"], dq, atol=1e-10)
