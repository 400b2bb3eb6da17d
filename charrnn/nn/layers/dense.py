"""Layers that apply the same function to every step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.functional import dropout_mask, linear, linear_backward, merge_time_batch
from charrnn.nn.initializers import constant, uniform
from charrnn.nn.layers.base import INFERENCE, Backward, Context
from charrnn.nn.params import Array, Ids, Params, Spec, State


class Dropout:
    """In training, sets each unit to 0 with probability `rate` and scales it by 1 / (1 - rate)
    otherwise (Srivastava et al. 2014).

    Dropout is applied between layers, not to the recurrent connections (Zaremba, Sutskever and
    Vinyals 2014). Each stream has one mask for all steps of a chunk (Gal and Ghahramani 2016), so a
    dropped unit cannot be inferred from the previous step.
    """

    def __init__(self, output_size: int, rate: float) -> None:
        self.output_size = output_size
        self.rate = rate

    def specs(self) -> Iterator[Spec]:
        return iter(())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return ()

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        if context.rng is None or self.rate == 0:
            return x, (), lambda grads, dy, dstate: (dy, ())
        mask = dropout_mask(context.rng, x.shape[1:], self.rate, x.dtype)  # (B, H)
        return x * mask, (), lambda grads, dy, dstate: (dy * mask, ())


class Dense:
    """y = x V + c, the same at every step.

    With `carry` the state is the newest input x `(B, input_size)`, zeros at the start. `predict`
    then computes the newest output from the state alone.
    """

    def __init__(self, input_size: int, output_size: int, carry: bool = False) -> None:
        self.input_size = input_size
        self.output_size = output_size
        self.carry = carry

    def specs(self) -> Iterator[Spec]:
        shape = (self.input_size, self.output_size)
        yield Spec("V", shape, uniform(1 / np.sqrt(self.input_size)))
        yield Spec("c", (self.output_size,), constant(0.0))

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return (np.zeros((batch, self.input_size), dtype),) if self.carry else ()

    def predict(self, p: Params, state: State) -> Array:
        """The output for the newest input, `(B, output_size)`. Needs `carry`."""
        y: Array = state[0] @ p["V"]
        y += p["c"]
        return y

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            grads["c"][...] += merge_time_batch(dy).sum(axis=0)
            dx = linear_backward(x, p["V"], dy, grads["V"])
            if not self.carry:
                return dx, ()
            assert dx is not None, "a carried input is an array of numbers"
            dx[-1] += dstate[0]
            return dx, (np.zeros_like(dstate[0]),)

        return linear(x, p["V"], p["c"]), (x[-1].copy(),) if self.carry else (), backward
