"""The interface of all layers.

    forward(params, x, state, context) -> (y, state, backward)
    backward(grads, dy, dstate)        -> (dx, dstate)

A layer stores nothing between calls. The state is an argument and a result; what the backward pass
needs is stored in the closure `backward`. Truncated BPTT therefore keeps the state, drops the
backward and passes zeros as the gradient of the final state.

`backward` adds to `grads` and returns the gradients of the input and of the initial state; dx is
None if x holds token ids. It reuses the memory of the forward pass, so call it at most once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.params import Array, Ids, IntArray, Params, Spec, State

Backward = Callable[[Params, Array, State], tuple[Array | None, State]]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Context:
    """What a forward pass needs besides parameters, input and state."""

    rng: Rng | None = None
    """Random generator for dropout. If present, the forward pass is in training mode."""
    lengths: IntArray | None = None
    """Steps of each sequence before its padding `(B,)`; None if no sequence is padded. Layers that
    only run forward ignore it, since padding comes last."""
    ids: Ids | None = None
    """The token ids `(T, B)` that the network reads, for layers above the first."""


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
        """Map x `(T, B, input_size)`, or token ids `(T, B)`, to y. Returns y, the final state
        and the backward pass.
        """
        ...


def state_zeros_like(state: State) -> State:
    """Zeros in the shapes of a state."""
    return tuple(np.zeros_like(s) for s in state)
