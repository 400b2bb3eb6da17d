"""Layers that take every step by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.layers.base import Backward, Rng, dropout_mask, flat, linear, linear_backward
from charrnn.nn.params import Array, Ids, Params, Spec, State, constant, uniform


class Dropout:
    """In training each unit is silent with probability `rate`, else 1 / (1 - rate) as loud.

    Srivastava et al. (2014); on the way between layers only, never on the way through time
    (Zaremba, Sutskever and Vinyals 2014). In a stream the same units are silent from the first step
    of a chunk to its last (Gal and Ghahramani 2016), so that none can be told from the step before.
    """

    def __init__(self, width: int, rate: float) -> None:
        self.width = width
        self.rate = rate

    def specs(self) -> Iterator[Spec]:
        return iter(())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return ()

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        if rng is None or self.rate == 0:
            return x, (), lambda grads, dy, dstate: (dy, ())
        mask = dropout_mask(rng, x.shape[1:], self.rate, x.dtype)  # (B, H)
        return x * mask, (), lambda grads, dy, dstate: (dy * mask, ())


class Dense:
    """y = x V + c, the same at every step: the output layer."""

    def __init__(self, inputs: int, width: int) -> None:
        self.inputs = inputs
        self.width = width

    def specs(self) -> Iterator[Spec]:
        yield Spec("V", (self.inputs, self.width), uniform(1 / np.sqrt(self.inputs)))
        yield Spec("c", (self.width,), constant(0.0))

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return ()

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            grads["c"][...] += flat(dy).sum(axis=0)
            return linear_backward(x, p["V"], dy, grads["V"]), ()

        return linear(x, p["V"], p["c"]), (), backward
