"""The Elman network with rectified linear units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Cell, Step
from charrnn.nn.params import Array, Params, Shape, Spec


class IRNN(Cell):
    """h' = max(0, a + u)        with U initialized to half the identity

    Le, Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified linear units"
    (2015). They use the full identity for long-term dependencies and a small multiple of it for
    speech. A text has no end at which h could be reset: from the full identity, training exploded
    within 30 updates at every learning rate from 3e-5 to 4e-3 (Adam, RMSprop and SGD); from half
    the identity it did so at none.
    """

    name: ClassVar[str] = "relu"
    num_blocks: ClassVar[int] = 1

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        W, U, b = super().specs(input_size, hidden_size, fan_in)
        yield from (W, U._replace(init=_half_identity), b)

    def step_views(self, cache: Cache) -> Iterable[Step]:
        return zip(cache["z"], cache["h"][1:], strict=True)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        a, h1 = step
        np.add(a, u, h1)
        np.maximum(h1, 0, out=h1)  # h' = max(0, a + u)

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        s = cache["z"]
        s[...] = cache["h"][1:] > 0  # dh'/du = 1 where h' > 0
        return zip(s[::-1], strict=True)

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        (s,) = step
        s *= dh
        return None


def _half_identity(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(np.eye(shape[0]) / 2)
