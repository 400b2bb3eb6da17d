"""Layers own the matrix products: recurrent, dropout, dense, and stacks of them.

    forward(params, x, state, rng) -> (y, state, backward)
    backward(grads, dy, dstate)    -> (dx, dstate)

A layer remembers nothing between calls: state goes in and comes out, and all that the derivative
needs is held by the backward. Truncated BPTT is therefore "keep the state, drop the backward".
A backward adds to `grads`, may be called once (it works in the memory of the forward pass), and
returns dx = None where x were symbol numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.functional import add_rows_at
from charrnn.nn.params import Array, Ids, Params, Shape, Spec, State

Backward = Callable[[Params, Array, State], tuple[Array | None, State]]
Rng = np.random.Generator


class Layer(Protocol):
    """From a sequence `(T, B, inputs)` to a sequence `(T, B, width)`."""

    width: int

    def specs(self) -> Iterator[Spec]:
        """The parameters it wants."""
        ...

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        """The state before the first symbol: zeros `(batch, ...)`."""
        ...

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        """Read x from `state` on. With `rng` it is training (dropout is on), without it is use.

        `lengths` `(B,)` says how many steps of each sequence are more than padding, where not all
        are. What reads forwards has no need of it: padding comes last.
        """
        ...


def dropout_mask(rng: Rng, shape: Shape, rate: float, dtype: DTypeLike) -> Array:
    """A mask: zero with probability `rate`, else 1 / (1 - rate), so that the mean is 1."""
    mask = (rng.random(shape, np.float32) >= rate).astype(dtype)
    mask *= 1 / (1 - rate)
    return mask


def flat(x: Array) -> Array:
    """Time and batch as one axis: `(T, B, D)` to `(T * B, D)`."""
    return x.reshape(-1, x.shape[-1])


def is_ids(x: Array | Ids) -> bool:
    """Whether x are symbol numbers."""
    return x.dtype.kind in "iu"


def linear(x: Array | Ids, W: Array, b: Array) -> Array:
    """A = x W + b for every step at once."""
    if not is_ids(x):
        a: Array = flat(x).dot(W).reshape(*x.shape[:2], -1)
        a += b
    elif len(W) < x.size:
        a = (W + b).take(x, axis=0)
    else:
        a = W.take(x, axis=0)
        a += b
    return a


def linear_backward(x: Array | Ids, W: Array, da: Array, dW: Array) -> Array | None:
    """Add x^T da to dW and return dx = da W^T (None for symbol numbers)."""
    if is_ids(x):
        add_rows_at(dW, x.ravel(), flat(da))
        return None
    dW += flat(x).T @ flat(da)
    dx: Array = np.matmul(flat(da), W.T).reshape(x.shape)
    return dx
