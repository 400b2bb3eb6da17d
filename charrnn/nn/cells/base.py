"""What a cell is: elementwise mathematics between two matrix products.

    input drive      a = x W + b        the layer: all time steps in one product
    recurrent drive  u = h U            the layer: one product a step
    cell             (a, u, state) -> state        here, elementwise

A cell is written in four short pieces. `forward` is the equation of one step. `local_gradients`
writes down, for all steps at once, every local derivative that does not depend on the gradient
flowing back; `backward` is then a few multiplications a step. `parameter_gradients` collects what
remains when the loop is done. Arrays are `(T, B, width)` over a whole sequence, `(B, width)` within
a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from charrnn.nn.initializers import constant, orthogonal, uniform
from charrnn.nn.params import Array, Params, Spec

Cache = dict[str, Array]
"""All that the forward pass keeps of a sequence of T steps.

`z` `(T, B, gates * H)`: the input drive, where the cell leaves its gates;
each state by its name `(T + 1, B, H)`, from the state before the first step to that after the last;
each name in `Cell.saved` `(T, B, width * H)`.
"""
Step = tuple[Any, ...]
"""One step's views into the trace, in the order the cell wants them."""


class Cell:
    """A recurrent cell. Subclasses fill in the class variables and the equations."""

    name: ClassVar[str]
    gates: ClassVar[int]
    """Width of the drives a and u, in units of the hidden size."""
    recurrent: ClassVar[bool] = True
    """Whether h enters a product with U. Where it does not there is neither U nor u."""
    state: ClassVar[tuple[str, ...]] = ("h",)
    """The names of the state; the first, h, is the output and enters the recurrent product."""
    saved: ClassVar[Mapping[str, int]] = {}
    """What else of each step the derivative needs, with its width in units of H."""

    def specs(self, input_size: int, hidden_size: int, fan_in: int) -> Iterator[Spec]:
        """W `(inputs, gates * H)`, U `(H, gates * H)`, b `(gates * H,)`, and what a cell adds.

        `fan_in` is how many inputs are not zero at a time: entries of W have the variance
        1 / fan_in, so that the drive starts with a variance like that of its input.
        """
        width = self.gates * hidden_size
        yield Spec("W", (input_size, width), uniform(np.sqrt(3.0 / fan_in)))
        if self.recurrent:
            yield Spec("U", (hidden_size, width), orthogonal)
        yield Spec("b", (width,), constant(0.0))

    def step_views(self, cache: Cache) -> Iterable[Step]:
        """The views that `forward` works on, step by step."""
        raise NotImplementedError

    def forward(self, p: Params, u: Array, step: Step) -> None:
        """One step: from the drives and the old state to the new state, all inside the views.

        u `(B, gates * H)` lives until the next step only.
        """
        raise NotImplementedError

    def local_gradients(self, p: Params, cache: Cache) -> Iterable[Step]:
        """The local derivatives of every step, as views from the last step to the first.

        May overwrite `cache["z"]`; `backward` must leave du, the gradient of u, there.
        """
        raise NotImplementedError

    def backward(self, dh: Array, dstate: list[Array], step: Step) -> Array | None:
        """One step back: from dh `(B, H)`, the whole gradient of the new h, to du in `cache["z"]`.

        `dstate` holds the gradients of the states after h, which are updated in place. Returns
        what of dh reaches the old h without passing through U, or None where there is no such way.
        """
        raise NotImplementedError

    def parameter_gradients(self, cache: Cache, grads: Params) -> Array:
        """Called when the loop is done and du has served for dU: add the gradients of the cell's
        own parameters to `grads` and return da, the gradient of a. Where a and u enter only as
        their sum, da is du.
        """
        return cache["z"]
