"""The continuous-time recurrent network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from charrnn.nn.cells.base import Cache, Cell, Step
from charrnn.nn.functional import sigmoid
from charrnn.nn.initializers import constant, orthogonal
from charrnn.nn.params import Array, Params, Spec


class CTRNN(Cell):
    """tau dy/dt = -y + sigmoid(y - theta) U + I(t)        with I = a = x W + b

    in Euler steps of one symbol, with h = sigmoid(y - theta) the output of a unit:

    y' = y + (a + u - y) / tau
    h' = sigmoid(y' - theta)

    Beer, "On the dynamics of small continuous-time recurrent neural networks" (1995). The time
    constants are learned: tau = 1 + exp(-w) exceeds 1 for any w, so that no Euler step overshoots.
    They are initialized between 1 and 2 symbols. Before the first symbol y and h are zero.
    """

    name: ClassVar[str] = "ctrnn"
    num_blocks: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("h", "y")

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        W, U, b = super().specs(input_size, hidden_size, fan_in)
        steep = lambda rng, shape: 4 * orthogonal(rng, shape)  # noqa: E731  the slope of a sigmoid is 1/4
        yield from (W, U._replace(init=steep), b)
        yield Spec("theta", (hidden_size,), constant(0.0))
        yield Spec("w", (hidden_size,), lambda rng, shape: rng.uniform(0, 4, shape))

    def step_views(self, cache: Cache) -> Iterable[Step]:
        y = cache["y"]
        return zip(cache["z"], y, y[1:], cache["h"][1:], strict=False)

    def forward(self, p: Params, u: Array, step: Step) -> None:
        z, y, y1, h1 = step
        np.add(z, u, z)
        z -= y  # tau dy/dt
        np.multiply(z, sigmoid(p["w"]), y1)  # 1 / tau = sigmoid(w)
        y1 += y
        np.subtract(y1, p["theta"], h1)
        sigmoid(h1, h1)

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        rate, h1 = sigmoid(p["w"]), cache["h"][1:]
        dh_dy = h1 * (1 - h1)
        cache["dw"] = cache["z"] * (rate * (1 - rate))  # dy'/dw = tau dy/dt d(1/tau)/dw
        cache["dtheta"] = -dh_dy
        parts = (cache["z"], dh_dy, cache["dw"], cache["dtheta"])
        return [(rate, *step) for step in zip(*(part[::-1] for part in parts), strict=True)]

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        rate, z, dh_dy, dw, dtheta = step
        (dy,) = dstate
        dh_dy *= dh
        dtheta *= dh
        dy += dh_dy
        dw *= dy
        np.multiply(dy, rate, z)  # du = dy' / tau
        dy -= z  # dy = dy' (1 - 1 / tau)
        return None

    def parameter_gradients(self, cache: Cache, grads: Params) -> Array:
        grads["theta"][...] += cache["dtheta"].sum(axis=(0, 1))
        grads["w"][...] += cache["dw"].sum(axis=(0, 1))
        return cache["z"]
