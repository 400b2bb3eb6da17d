"""The interface of all layers, and the matrix products that they share.

    forward(params, x, state, context) -> (y, state, backward)
    backward(grads, dy, dstate)        -> (dx, dstate)

A layer stores nothing between calls. The state is an argument and a result; what the backward pass
needs is stored in the closure `backward`. Truncated BPTT therefore keeps the state, drops the
backward and passes zeros as the gradient of the final state.

`backward` adds to `grads` and returns the gradients of the input and of the initial state; dx is
None if x holds symbol numbers. It reuses the memory of the forward pass, so call it at most once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.functional import add_rows_at
from charrnn.nn.params import Array, Ids, Params, Shape, Spec, State

Backward = Callable[[Params, Array, State], tuple[Array | None, State]]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Context:
    """What a forward pass needs besides parameters, input and state."""

    rng: Rng | None = None
    """Random generator for dropout. If present, the forward pass is in training mode."""
    lengths: Ids | None = None
    """Steps of each sequence before its padding `(B,)`; None if no sequence is padded. Layers that
    only run forward ignore it, since padding comes last."""
    ids: Ids | None = None
    """The symbol numbers `(T, B)` that the network reads, for layers above the first."""


INFERENCE = Context()
"""The context outside training, of sequences without padding."""


class Layer(Protocol):
    """A function from a sequence `(T, B, input_size)` to a sequence `(T, B, output_size)`."""

    output_size: int

    def specs(self) -> Iterator[Spec]:
        """The layer's parameters."""
        ...

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        """The state before the first step: zeros `(batch, ...)`."""
        ...

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        """Map x `(T, B, input_size)`, or symbol numbers `(T, B)`, to y. Returns y, the final state
        and the backward pass.
        """
        ...


def state_zeros_like(state: State) -> State:
    """Zeros in the shapes of a state."""
    return tuple(np.zeros_like(s) for s in state)


def dropout_mask(rng: Rng, shape: Shape, rate: float, dtype: DTypeLike) -> Array:
    """A random mask: 0 with probability `rate`, else 1 / (1 - rate), so that its mean is 1."""
    mask = (rng.random(shape, np.float32) >= rate).astype(dtype)
    mask *= 1 / (1 - rate)
    return mask


def flat(x: Array) -> Array:
    """Merge the time and batch axes: `(T, B, D)` to `(T * B, D)`."""
    return x.reshape(-1, x.shape[-1])


def is_ids(x: Array | Ids) -> bool:
    """Whether x holds symbol numbers."""
    return x.dtype.kind in "iu"


def linear(x: Array | Ids, W: Array, b: Array) -> Array:
    """A = x W + b for all steps at once. For symbol numbers, the product is a row gather, W[x]."""
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
    """Add x^T da to dW and return dx = da W^T, or None if x holds symbol numbers."""
    if is_ids(x):
        add_rows_at(dW, x.ravel(), flat(da))
        return None
    dW += flat(x).T @ flat(da)
    dx: Array = np.matmul(flat(da), W.T).reshape(x.shape)
    return dx
