"""Recurrent layers: a cell applied step by step, in one direction or both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.cells import Cell
from charrnn.nn.functional import product
from charrnn.nn.layers.base import (
    INFERENCE,
    Backward,
    Context,
    Layer,
    dropout_mask,
    flat,
    linear,
    linear_backward,
)
from charrnn.nn.params import Array, Ids, Params, Spec, State, prefixed


class Recurrent:
    """One cell unrolled over time.

    x is `(T, B, input_size)`, or symbol numbers `(T, B)`, which stand for one-hot vectors: their
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
        """With `one_hot` W is initialised for inputs with a single non-zero entry."""
        self.cell = cell
        self.input_size = input_size
        self.output_size = hidden_size
        self.fan_in = 1 if one_hot else input_size
        self.weight_dropout = weight_dropout

    def specs(self) -> Iterator[Spec]:
        return self.cell.specs(self.input_size, self.output_size, self.fan_in)

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(np.zeros((batch, self.output_size), dtype) for _ in self.cell.state)

    def forward(
        self, p: Params, x: Array | Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        cell, (steps, batch), hidden = self.cell, x.shape[:2], self.output_size
        cache = {"z": linear(x, p["W"], p["b"])}  # (T, B, gates * H)
        for name, first in zip(cell.state, state, strict=True):
            cache[name] = np.empty((steps + 1, batch, hidden), first.dtype)
            cache[name][0] = first
        for name, width in cell.saved.items():
            cache[name] = np.empty((steps, batch, width * hidden), state[0].dtype)
        u = np.empty_like(cache["z"][0])  # (B, gates * H)
        U = p["U"] if cell.recurrent else None
        mask = None
        if U is not None and self.weight_dropout and context.rng is not None:
            mask = dropout_mask(context.rng, U.shape, self.weight_dropout, U.dtype)
            U = U * mask
        times_U = None if U is None else product(U, u)
        for h, step in zip(cache["h"], cell.step_views(cache), strict=False):
            if times_U:
                times_U(h)
            cell.forward(p, u, step)
        final = tuple(cache[name][-1].copy() for name in cell.state)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dh, *rest = [d.copy() for d in dstate]
            z, times_UT = cache["z"], None
            if U is not None:
                times_UT = product(np.ascontiguousarray(U.T), dh)  # a contiguous copy is faster
            for du, dy_t, step in zip(
                z[::-1], dy[::-1], cell.local_gradients(p, cache), strict=True
            ):
                dh += dy_t
                bypass = cell.backward(dh, rest, step)
                if times_UT:
                    times_UT(du)
                else:
                    dh[...] = 0
                if bypass is not None:
                    dh += bypass
            if U is not None:
                dU = flat(cache["h"][:-1]).T @ flat(z)
                grads["U"][...] += dU if mask is None else dU * mask
            da = cell.parameter_gradients(cache, grads)
            grads["b"][...] += flat(da).sum(axis=0)
            return linear_backward(x, p["W"], da, grads["W"]), (dh, *rest)

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
        half, width = len(layer0.initial_state(0, state[0].dtype)), layer0.output_size
        order = _reversed(x.shape[0], x.shape[1], context.lengths)
        y0, final0, backward0 = layer0.forward(p.scope("ahead"), x, state[:half], context)
        y1, final1, backward1 = layer1.forward(p.scope("back"), x[order], state[half:], context)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dy0, dy1 = dy[..., :width], dy[..., width:]
            dx0, dinitial0 = backward0(grads.scope("ahead"), dy0, dstate[:half])
            dx1, dinitial1 = backward1(grads.scope("back"), dy1[order], dstate[half:])
            dx = None if dx0 is None or dx1 is None else dx0 + dx1[order]
            return dx, (*dinitial0, *dinitial1)

        return np.concatenate([y0, y1[order]], axis=-1), (*final0, *final1), backward


def _reversed(steps: int, batch: int, lengths: Ids | None) -> tuple[Ids, Ids]:
    """Indices into `(T, B)` that reverse every sequence within its length. They are their own
    inverse.
    """
    t = np.arange(steps)[:, None]
    if lengths is None:
        lengths = np.full(batch, steps)
    return np.where(t < lengths, lengths - 1 - t, t), np.arange(batch)[None]
