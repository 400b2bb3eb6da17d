"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Cell, Step
from charrnn.nn.functional import gate_activation, gate_scale, split_blocks
from charrnn.nn.params import Array, Params, Spec


class LSTM(Cell):
    """i = sigmoid(a_i + u_i)        input gate
    f = sigmoid(a_f + u_f)        forget gate
    g = tanh(a_g + u_g)           candidate
    o = sigmoid(a_o + u_o)        output gate
    c' = f c + i g
    h' = o tanh(c')

    Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000),
    whose bias is initialized to 1 (Jozefowicz, Zaremba and Sutskever 2015). The gates are in
    PyTorch's order.
    """

    name: ClassVar[str] = "lstm"
    num_blocks: ClassVar[int] = 4
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    saved: ClassVar[Mapping[str, int]] = {"tanh_c": 1}

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        W, U, b = super().specs(input_size, hidden_size, fan_in)
        forget = np.repeat([0.0, 1.0, 0.0, 0.0], hidden_size)
        yield from (W, U, b._replace(init=lambda *_: forget))

    def step_views(self, cache: Cache) -> Iterable[Step]:
        z, c = cache["z"], cache["c"]
        s = gate_scale((0.5, 0.5, 1, 0.5), z)  # i, f, o are sigmoids, g is a tanh
        views = zip(z, *split_blocks(z, 4), c, c[1:], cache["tanh_c"], cache["h"][1:], strict=False)
        return ((s, *view) for view in views)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        s, z, i, f, g, o, c, c1, tanh_c, h1 = step
        z += u
        gate_activation(z, *s)  # i, f, g, o
        np.multiply(f, c, c1)
        np.multiply(i, g, tanh_c)
        c1 += tanh_c  # c' = f c + i g
        np.tanh(c1, tanh_c)
        np.multiply(o, tanh_c, h1)  # h' = o tanh(c')

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        s, c, tanh_c = cache["z"], cache["c"][:-1], cache["tanh_c"]
        i, f, g, o = split_blocks(s, 4)
        dc_dc = f.copy()
        dh_dc = tanh_c * tanh_c
        np.subtract(1, dh_dc, dh_dc)
        dh_dc *= o  # dh'/dc' = o (1 - tanh(c')^2)
        di = g * i
        dg = i - di * g  # dc'/du_g = i (1 - g^2)
        di -= di * i  # dc'/du_i = g i (1 - i)
        f -= f * f
        f *= c  # dc'/du_f = c f (1 - f)
        o -= o * o
        o *= tanh_c  # dh'/du_o = tanh(c') o (1 - o)
        i[...], g[...] = di, dg
        ifg = s[..., : -s.shape[-1] // 4].reshape(*s.shape[:2], 3, -1)
        return zip(ifg[::-1], o[::-1], dh_dc[::-1], dc_dc[::-1], strict=True)

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        ifg, o, dh_dc, dc_dc = step
        (dc,) = dstate
        o *= dh  # du_o
        dh_dc *= dh
        dc += dh_dc
        ifg *= dc[:, None]  # du_i, du_f, du_g
        dc *= dc_dc  # for the previous step: dc = dc' f
        return None
