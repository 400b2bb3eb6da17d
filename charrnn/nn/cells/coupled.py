"""Long short-term memory with coupled input and forget gates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Cell, Step
from charrnn.nn.functional import gate_activation, gate_scale, split_blocks
from charrnn.nn.params import Array, Params, Spec


class CoupledLSTM(Cell):
    """f = sigmoid(a_f + u_f)        forget gate, and i = 1 - f the input gate
    g = tanh(a_g + u_g)           candidate
    o = sigmoid(a_o + u_o)        output gate
    c' = f c + (1 - f) g
    h' = o tanh(c')

    The variant CIFG of Greff et al., "LSTM: a search space odyssey" (2015). The forget gate's bias
    is initialized to 1, as in the LSTM.
    """

    name: ClassVar[str] = "coupled"
    num_blocks: ClassVar[int] = 3
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    saved: ClassVar[Mapping[str, int]] = {"tanh_c": 1}

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        W, U, b = super().specs(input_size, hidden_size, fan_in)
        forget = np.repeat([1.0, 0.0, 0.0], hidden_size)
        yield from (W, U, b._replace(init=lambda *_: forget))

    def step_views(self, cache: Cache) -> Iterable[Step]:
        z, c = cache["z"], cache["c"]
        s = gate_scale((0.5, 1, 0.5), z)  # f, o are sigmoids, g is a tanh
        views = zip(z, *split_blocks(z, 3), c, c[1:], cache["tanh_c"], cache["h"][1:], strict=False)
        return ((s, *view) for view in views)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        s, z, f, g, o, c, c1, tanh_c, h1 = step
        z += u
        gate_activation(z, *s)  # f, g, o
        np.subtract(c, g, c1)
        c1 *= f
        c1 += g  # c' = g + f (c - g)
        np.tanh(c1, tanh_c)
        np.multiply(o, tanh_c, h1)  # h' = o tanh(c')

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        s, c, tanh_c = cache["z"], cache["c"][:-1], cache["tanh_c"]
        f, g, o = split_blocks(s, 3)
        dc_dc = f.copy()
        dh_dc = o * (1 - tanh_c * tanh_c)  # dh'/dc' = o (1 - tanh(c')^2)
        f -= f * f
        f *= c - g  # dc'/du_f = (c - g) f (1 - f)
        g *= -g
        g += 1
        g *= 1 - dc_dc  # dc'/du_g = (1 - f) (1 - g^2)
        o -= o * o
        o *= tanh_c  # dh'/du_o = tanh(c') o (1 - o)
        fg = s[..., : -o.shape[-1]].reshape(*s.shape[:2], 2, -1)
        return zip(fg[::-1], o[::-1], dh_dc[::-1], dc_dc[::-1], strict=True)

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        fg, o, dh_dc, dc_dc = step
        (dc,) = dstate
        o *= dh  # du_o
        dh_dc *= dh
        dc += dh_dc
        fg *= dc[:, None]  # du_f, du_g
        dc *= dc_dc  # for the previous step: dc = dc' f
        return None
