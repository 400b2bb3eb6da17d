"""The Elman network with rectified units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from charrnn.cells.base import Cell, Step, Trace
from charrnn.params import Array, Params, Shape, Spec, uniform


class ReLU(Cell):
    """h' = max(0, a + u)        with U the identity at the start

    Le, Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified linear units"
    (2015). At first each unit holds on to what it has, and small first weights W keep the sum of a
    long text in bounds.
    """

    name: ClassVar[str] = "relu"
    gates: ClassVar[int] = 1

    def specs(self, inputs: int, hidden: int, fan_in: int) -> Iterator[Spec]:
        W, U, b = super().specs(inputs, hidden, fan_in)
        yield W._replace(init=uniform(0.1 * np.sqrt(3.0 / fan_in)))
        yield U._replace(init=_identity)
        yield b

    def steps(self, k: Trace) -> Iterable[Step]:
        return zip(k["z"], k["h"][1:], strict=True)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        a, h1 = step
        np.add(a, u, h1)
        np.maximum(h1, 0, out=h1)  # h' = max(0, a + u)

    def linearise(self, p: Params, k: Trace) -> Iterable[Step]:
        s = k["z"]
        s[...] = k["h"][1:] > 0  # dh'/du = 1 where h' > 0
        return zip(s[::-1], strict=True)

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        (s,) = step
        s *= dh
        return None


def _identity(rng: np.random.Generator, shape: Shape) -> Array:
    identity: Array = np.eye(shape[0])
    return identity
