"""Layers that keep only some steps of a sequence. They have no parameters and no state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.layers.base import INFERENCE, Backward, Context
from charrnn.nn.params import Array, Ids, Params, Spec, State


class StepSelection:
    """Base class: no parameters, no state, input and output of the same size."""

    def __init__(self, output_size: int) -> None:
        self.output_size = output_size

    def specs(self) -> Iterator[Spec]:
        return iter(())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return ()


class LastStep(StepSelection):
    """The last step of each sequence before its padding, y `(1, B, output_size)`.

    The first `forward_size` columns of x come from a forward layer. All other columns come from a
    backward layer, whose last step is step 0.
    """

    def __init__(self, output_size: int, forward_size: int | None = None) -> None:
        super().__init__(output_size)
        self.forward_size = output_size if forward_size is None else forward_size

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        lengths, forward_size = context.lengths, self.forward_size
        streams = np.arange(x.shape[1])
        last = np.full(len(streams), len(x) - 1) if lengths is None else lengths - 1
        y = np.concatenate([x[last, streams, :forward_size], x[0, :, forward_size:]], axis=-1)[None]

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx = np.zeros_like(x)
            dx[last, streams, :forward_size] = dy[0, :, :forward_size]
            dx[0, :, forward_size:] = dy[0, :, forward_size:]
            return dx, ()

        return y, (), backward


class MaskedSteps(StepSelection):
    """The steps at which the network reads the token `mask_id`, y `(1, N, output_size)`.

    N counts these steps over all streams: those of the first stream in order of time, then those of
    the second, and so on. Needs `context.ids`.
    """

    def __init__(self, output_size: int, mask_id: int) -> None:
        super().__init__(output_size)
        self.mask_id = mask_id

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        assert context.ids is not None
        stream, step = np.nonzero((context.ids == self.mask_id).T)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx = np.zeros_like(x)
            dx[step, stream] = dy[0]
            return dx, ()

        return x[step, stream][None], (), backward
