"""Many to one: layers that make a single step of a whole sequence.

y is `(1, B, inputs)`. Each answers for the true steps of a sequence alone, of which there is at
least one: what follows them within `lengths` is padding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.layers.base import Backward, Rng
from charrnn.nn.params import Array, Ids, Params, Spec, State


class Pooling:
    """What these layers have in common: no parameters and no state."""

    def __init__(self, width: int) -> None:
        self.width = width

    def specs(self) -> Iterator[Spec]:
        return iter(())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return ()


class LastStep(Pooling):
    """y = the last step; of what reads backwards the first step, which it reads last.

    Of x `(T, B, width)` the first `ahead` columns read forwards, all others backwards.
    """

    def __init__(self, width: int, ahead: int | None = None) -> None:
        super().__init__(width)
        self.ahead = width if ahead is None else ahead

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        streams, half = np.arange(x.shape[1]), self.ahead
        last = np.full(len(streams), len(x) - 1) if lengths is None else lengths - 1
        y = np.concatenate([x[last, streams, :half], x[0, :, half:]], axis=-1)[None]

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx = np.zeros_like(x)
            dx[last, streams, :half] = dy[0, :, :half]
            dx[0, :, half:] = dy[0, :, half:]
            return dx, ()

        return y, (), backward


class Mean(Pooling):
    """y = the mean over all steps."""

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        share = _true(x, lengths).astype(x.dtype)
        share /= share.sum(axis=0)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            return share * dy, ()

        return (x * share).sum(axis=0, keepdims=True), (), backward


class Max(Pooling):
    """y = the largest value over all steps, each column by itself (Collobert et al. 2011)."""

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        at = np.where(_true(x, lengths), x, -np.inf).argmax(axis=0, keepdims=True)  # (1, B, width)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx = np.zeros_like(x)
            np.put_along_axis(dx, at, dy, axis=0)
            return dx, ()

        return np.take_along_axis(x, at, axis=0), (), backward


def _true(x: Array, lengths: Ids | None) -> Array:
    """Which steps `(T, B, 1)` are more than padding."""
    steps, batch = x.shape[:2]
    if lengths is None:
        return np.ones((steps, batch, 1), bool)
    true: Array = (np.arange(steps)[:, None] < lengths)[..., None]
    return true
