"""The interface of a cell: elementwise operations between two matrix products.

    input drive      a = x W + b        computed by the layer, all steps in one product
    recurrent drive  u = h U            computed by the layer, one product per step
    cell             (a, u, state) -> state        elementwise

A cell has four parts. `forward` is the equation of one step. `local_gradients` computes, for all
steps at once, the local derivatives, which do not depend on the incoming gradient. `backward` then
needs only a few multiplications per step. `parameter_gradients` runs once after the loop. Arrays
are `(T, B, width)` for a sequence and `(B, width)` for a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from charrnn.nn.initializers import constant, orthogonal, uniform
from charrnn.nn.params import Array, Params, Spec

Cache = dict[str, Array]
"""What the forward pass stores of a sequence of T steps, by name.

`z` `(T, B, num_blocks * H)`: the input drive, overwritten by the gates;
each state `(T + 1, B, H)`, from the initial to the final one;
each name in `Cell.saved` `(T, B, width * H)`;
whatever `local_gradients` adds for `parameter_gradients`.
"""
Step = tuple[Any, ...]
"""Views into the cache for one step, in the order that the cell defines."""


class Cell:
    """A recurrent cell. Subclasses define the class variables and the equations."""

    name: ClassVar[str]
    num_blocks: ClassVar[int]
    """Number of blocks of H columns in W, U and b: one for each gate and each candidate."""
    has_recurrent_weights: ClassVar[bool] = True
    """Whether the cell uses u = h U. If not, it has no U and ignores u."""
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """Names of the state arrays. The first, h, is the output and enters the recurrent product."""
    saved: ClassVar[Mapping[str, int]] = {}
    """Other arrays that the forward pass stores, with their widths in multiples of H."""

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        """W `(input_size, K)`, U `(H, K)`, b `(K,)` with K = num_blocks * H, and any others.

        `fan_in` is the number of inputs that are non-zero at a time. Entries of W have the variance
        1 / fan_in, so that x W initially has about the variance of x.
        """
        width = self.num_blocks * hidden_size
        yield Spec("W", (input_size, width), uniform(np.sqrt(3.0 / fan_in)))
        if self.has_recurrent_weights:
            yield Spec("U", (hidden_size, width), orthogonal)
        yield Spec("b", (width,), constant(0.0))

    def step_views(self, cache: Cache) -> Iterable[Step]:
        """The views that `forward` takes, step by step."""
        raise NotImplementedError

    def forward(self, p: Params, u: Array, step: Step) -> None:
        """One step, from the drives and the old state to the new state. Writes into the views.

        u `(B, num_blocks * H)` is overwritten in the next step.
        """
        raise NotImplementedError

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        """The local derivatives of each step, from the last step to the first.

        May overwrite `cache["z"]`, where `backward` must write du, the gradient of u.
        """
        raise NotImplementedError

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        """One step back, from dh `(B, H)`, the total gradient of the new h, to du in `cache["z"]`.

        `dstate` holds the gradients of the states other than h; update them in place. Returns the
        part of the gradient of the old h that does not pass through U, or None if there is none.
        """
        raise NotImplementedError

    def parameter_gradients(self, cache: Cache, grads: Params) -> Array:
        """Add the gradients of parameters other than W, U and b to `grads` and return da, the
        gradient of a. Called after the loop, when dU is done. If a and u enter only as their sum,
        da is du.
        """
        return cache["z"]
