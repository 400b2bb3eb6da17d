"""Long short-term memory with peephole connections from the cell state to the gates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Step
from charrnn.nn.cells.lstm import LSTM
from charrnn.nn.functional import gate_activation, split_blocks
from charrnn.nn.initializers import constant
from charrnn.nn.params import Array, Params, Spec


class PeepholeLSTM(LSTM):
    """i = sigmoid(a_i + u_i + p_i c)       input gate
    f = sigmoid(a_f + u_f + p_f c)       forget gate
    g = tanh(a_g + u_g)                  candidate
    c' = f c + i g
    o = sigmoid(a_o + u_o + p_o c')      output gate
    h' = o tanh(c')

    with one weight per unit in each p. Gers and Schmidhuber, "Recurrent nets that time and
    count" (2000); Graves, "Generating sequences with recurrent neural networks" (2013).
    """

    name: ClassVar[str] = "peephole"

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        yield from super().specs(input_size, hidden_size, fan_in)
        for name in ("p_i", "p_f", "p_o"):
            yield Spec(name, (hidden_size,), constant(0.0))

    def forward(self, p: Params, u: Array, step: Step) -> None:
        s, z, i, f, g, o, c, c1, tanh_c, h1 = step
        hidden = c.shape[1]
        z += u
        i += p["p_i"] * c
        f += p["p_f"] * c
        gate_activation(z[:, : 3 * hidden], *(x[: 3 * hidden] for x in s))  # i, f, g
        np.multiply(f, c, c1)
        np.multiply(i, g, tanh_c)
        c1 += tanh_c  # c' = f c + i g
        o += p["p_o"] * c1
        gate_activation(o, *(x[3 * hidden :] for x in s))
        np.tanh(c1, tanh_c)
        np.multiply(o, tanh_c, h1)  # h' = o tanh(c')

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        peep = p["p_i"], p["p_f"], p["p_o"]
        return [(*step, peep) for step in super().local_gradients(p, cache)]

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        ifg, o, dh_dc, dc_dc, (p_i, p_f, p_o) = step
        (dc,) = dstate
        o *= dh  # du_o
        dh_dc *= dh
        dc += dh_dc
        dc += p_o * o
        ifg *= dc[:, None]  # du_i, du_f, du_g
        dc *= dc_dc
        dc += p_i * ifg[:, 0]
        dc += p_f * ifg[:, 1]  # dc = dc' f + p_i du_i + p_f du_f
        return None

    def parameter_gradients(self, cache: Cache, grads: Params) -> Array:
        du_i, du_f, _, du_o = split_blocks(cache["z"], 4)
        c = cache["c"]
        grads["p_i"][...] += (du_i * c[:-1]).sum(axis=(0, 1))
        grads["p_f"][...] += (du_f * c[:-1]).sum(axis=(0, 1))
        grads["p_o"][...] += (du_o * c[1:]).sum(axis=(0, 1))
        return cache["z"]
