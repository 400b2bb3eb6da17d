"""The cell of the Elman network, the simplest recurrent network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Cell, Step
from charrnn.nn.params import Array, Params


class Elman(Cell):
    """h' = tanh(a + u)        with a = x W + b, u = h U

    Elman, "Finding structure in time", Cognitive Science 14 (1990).
    """

    name: ClassVar[str] = "rnn"
    num_blocks: ClassVar[int] = 1

    def step_views(self, cache: Cache) -> Iterable[Step]:
        return zip(cache["z"], cache["h"][1:], strict=True)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        a, h1 = step
        np.add(a, u, h1)
        np.tanh(h1, h1)  # h' = tanh(a + u)

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        h1, s = cache["h"][1:], cache["z"]
        np.multiply(h1, h1, s)
        np.subtract(1, s, s)  # dh'/du = 1 - h'^2
        return zip(s[::-1], strict=True)

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        (s,) = step
        s *= dh  # du = dh' (1 - h'^2)
        return None
