"""Outputs and gradients equal PyTorch's nn.RNN, nn.LSTM and nn.GRU (see golden/make_golden.py)."""

from pathlib import Path

import numpy as np
import pytest

from charrnn.nn.cells import CELLS
from charrnn.nn.layers import Recurrent, Sequential
from charrnn.nn.params import Params

GOLDEN = np.load(Path(__file__).parent / "golden" / "pytorch.npz")
HIDDEN_SIZE, LAYERS = 4, 2


def converted(get, kind):
    """PyTorch's parameters under charrnn's names.

    PyTorch adds two biases; charrnn's b is their sum. In the candidate of a GRU the reset gate
    scales the recurrent bias, which is q.
    """
    params = {}
    for n in range(LAYERS):
        params[f"{n}.W"] = get(f"weight_ih_l{n}").T
        params[f"{n}.U"] = get(f"weight_hh_l{n}").T
        b_input, b_hidden = get(f"bias_ih_l{n}"), get(f"bias_hh_l{n}").copy()
        if kind == "GRU":
            params[f"{n}.q"] = b_hidden[2 * HIDDEN_SIZE :].copy()
            b_hidden[2 * HIDDEN_SIZE :] = 0
        params[f"{n}.b"] = b_input + b_hidden
    return params


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_outputs_and_gradients_equal_those_of_pytorch(kind):
    def golden(name):
        return GOLDEN[f"{kind}/{name}"]

    cell = CELLS[kind.lower()]
    x, count = golden("x"), len(cell.state)
    stack = Sequential(
        {
            "0": Recurrent(cell, x.shape[2], HIDDEN_SIZE),
            "1": Recurrent(cell, HIDDEN_SIZE, HIDDEN_SIZE),
        }
    )
    params = Params.initialised(stack.specs(), np.random.default_rng(0), np.float64)
    for name, value in converted(golden, kind).items():
        params[name][...] = value

    def states(name):  # (layer 0: h, c; layer 1: h, c)
        return tuple(golden(f"{name}{s}")[n] for n in range(LAYERS) for s in range(count))

    y, final, backward = stack.forward(params, x, states("state"))
    grads = params.zeros_like()
    dx, dinitial = backward(grads, golden("dy"), states("dfinal"))

    np.testing.assert_allclose(y, golden("y"), atol=1e-10)
    np.testing.assert_allclose(dx, golden("dx"), atol=1e-10)
    for got, wanted in zip((*final, *dinitial), states("final") + states("dstate"), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-10)
    for n in range(LAYERS):
        np.testing.assert_allclose(grads[f"{n}.W"], golden(f"dweight_ih_l{n}").T, atol=1e-10)
        np.testing.assert_allclose(grads[f"{n}.U"], golden(f"dweight_hh_l{n}").T, atol=1e-10)
        np.testing.assert_allclose(grads[f"{n}.b"], golden(f"dbias_ih_l{n}"), atol=1e-10)
        if kind == "GRU":
            dq = golden(f"dbias_hh_l{n}")[2 * HIDDEN_SIZE :]
            np.testing.assert_allclose(grads[f"{n}.q"], dq, atol=1e-10)
