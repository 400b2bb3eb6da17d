"""Recurrent layers: a cell applied step by step, in one direction or both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.cells import Cell
from charrnn.nn.functional import (
    dropout_mask,
    linear,
    linear_backward,
    make_matmul,
    merge_time_batch,
)
from charrnn.nn.layers.base import (
    INFERENCE,
    Backward,
    Context,
    Layer,
)
from charrnn.nn.params import Array, Ids, IntArray, Params, Spec, State, prefixed


class Recurrent:
    """One cell unrolled over time.

    x is `(T, B, input_size)`, or token ids `(T, B)`, which stand for one-hot vectors: their
    product with W is a row gather. In training each entry of U is set to 0 with probability
    `weight_dropout` and scaled by 1 / (1 - weight_dropout) otherwise, with one mask for all steps
    of a chunk (Wan et al. 2013; Merity, Keskar and Socher 2018).
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        *,
        one_hot: bool = False,
        weight_dropout: float = 0.0,
    ) -> None:
        """With `one_hot` W is initialized for inputs with a single non-zero entry."""
        self.cell = cell
        self.input_size = input_size
        self.output_size = hidden_size
        self.fan_in = 1 if one_hot else input_size
        self.weight_dropout = weight_dropout

    def specs(self) -> Iterator[Spec]:
        return self.cell.specs(self.input_size, self.output_size, self.fan_in)

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(np.zeros((batch, self.output_size), dtype) for _ in self.cell.state_names)

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        cell, (steps, batch), hidden = self.cell, x.shape[:2], self.output_size
        cache = {"z": linear(x, p["W"], p["b"])}  # (T, B, num_blocks * H)
        for name, first in zip(cell.state_names, state, strict=True):
            cache[name] = np.empty((steps + 1, batch, hidden), first.dtype)
            cache[name][0] = first
        for name, width in cell.saved.items():
            cache[name] = np.empty((steps, batch, width * hidden), state[0].dtype)
        u = np.empty_like(cache["z"][0])  # (B, num_blocks * H)
        U = p["U"] if cell.has_recurrent_weights else None
        mask = None
        if U is not None and self.weight_dropout and context.rng is not None:
            mask = dropout_mask(context.rng, U.shape, self.weight_dropout, U.dtype)
            U = U * mask
        times_U = None if U is None else make_matmul(U, u)
        for h, step in zip(cache["h"], cell.step_views(cache), strict=False):
            if times_U:
                times_U(h)
            cell.forward(p, u, step)
        final = tuple(cache[name][-1].copy() for name in cell.state_names)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dh, *other_dstates = [d.copy() for d in dstate]
            z, times_UT = cache["z"], None
            if U is not None:
                times_UT = make_matmul(np.ascontiguousarray(U.T), dh)  # a contiguous copy is faster
            for du, dy_t, step in zip(
                z[::-1], dy[::-1], cell.local_gradients(p, cache), strict=True
            ):
                dh += dy_t
                bypass = cell.backward(dh, other_dstates, step)
                if times_UT:
                    times_UT(du)
                else:
                    dh[...] = 0
                if bypass is not None:
                    dh += bypass
            if U is not None:
                dU = merge_time_batch(cache["h"][:-1]).T @ merge_time_batch(z)
                grads["U"][...] += dU if mask is None else dU * mask
            da = cell.parameter_gradients(cache, grads)
            grads["b"][...] += merge_time_batch(da).sum(axis=0)
            return linear_backward(x, p["W"], da, grads["W"]), (dh, *other_dstates)

        return cache["h"][1:], final, backward


class Bidirectional:
    """Two layers on the same sequence, one in each direction; y is their outputs side by side.

    Schuster and Paliwal (1997). The output at each step depends on later steps, so the layer cannot
    serve in a language model. A padded sequence is reversed within its length, so that neither
    layer reads padding before the sequence.
    """

    def __init__(self, forward_layer: Layer, backward_layer: Layer) -> None:
        self.layers = {"ahead": forward_layer, "back": backward_layer}  # names in checkpoints
        self.output_size = forward_layer.output_size + backward_layer.output_size

    def specs(self) -> Iterator[Spec]:
        for name, layer in self.layers.items():
            yield from prefixed(name, layer.specs())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(s for layer in self.layers.values() for s in layer.initial_state(batch, dtype))

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        layer0, layer1 = self.layers.values()
        num_states0 = len(layer0.initial_state(0, state[0].dtype))
        size0 = layer0.output_size
        order = _reversed(x.shape[0], x.shape[1], context.lengths)
        state0, state1 = state[:num_states0], state[num_states0:]
        y0, final0, backward0 = layer0.forward(p.scope("ahead"), x, state0, context)
        y1, final1, backward1 = layer1.forward(p.scope("back"), x[order], state1, context)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dy0, dy1 = dy[..., :size0], dy[..., size0:]
            dx0, dinitial0 = backward0(grads.scope("ahead"), dy0, dstate[:num_states0])
            dx1, dinitial1 = backward1(grads.scope("back"), dy1[order], dstate[num_states0:])
            dx = None if dx0 is None or dx1 is None else dx0 + dx1[order]
            return dx, (*dinitial0, *dinitial1)

        return np.concatenate([y0, y1[order]], axis=-1), (*final0, *final1), backward


def _reversed(steps: int, batch: int, lengths: IntArray | None) -> tuple[IntArray, IntArray]:
    """Indices into `(T, B)` that reverse every sequence within its length. They are their own
    inverse.
    """
    t = np.arange(steps)[:, None]
    if lengths is None:
        lengths = np.full(batch, steps)
    return np.where(t < lengths, lengths - 1 - t, t), np.arange(batch)[None]
