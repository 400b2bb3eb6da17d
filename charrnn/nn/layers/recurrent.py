"""A cell unrolled over time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.cells import Cell
from charrnn.nn.functional import product
from charrnn.nn.layers.base import Backward, Layer, Rng, dropout_mask, flat, linear, linear_backward
from charrnn.nn.params import Array, Ids, Params, Spec, State, prefixed


class Recurrent:
    """One cell unrolled over time.

    x is `(T, B, inputs)`, or `(T, B)` symbol numbers, which stand for one-hot vectors: the product
    with W is then a gather of its rows. In training a share `dropped` of the entries of U is zero
    from the first step of a chunk to its last, and the others are so much larger (Wan et al. 2013;
    Merity, Keskar and Socher 2018).
    """

    def __init__(
        self, cell: Cell, inputs: int, hidden: int, *, one_hot: bool = False, dropped: float = 0.0
    ) -> None:
        """With `one_hot` the first weights are those for inputs of which only one is not zero."""
        self.cell = cell
        self.inputs = inputs
        self.width = hidden
        self.fan_in = 1 if one_hot else inputs
        self.dropped = dropped

    def specs(self) -> Iterator[Spec]:
        return self.cell.specs(self.inputs, self.width, self.fan_in)

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(np.zeros((batch, self.width), dtype) for _ in self.cell.state)

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        cell, (steps, batch), hidden = self.cell, x.shape[:2], self.width
        cache = {"z": linear(x, p["W"], p["b"])}  # (T, B, gates * H)
        for name, first in zip(cell.state, state, strict=True):
            cache[name] = np.empty((steps + 1, batch, hidden), first.dtype)
            cache[name][0] = first
        for name, width in cell.saved.items():
            cache[name] = np.empty((steps, batch, width * hidden), state[0].dtype)
        u = np.empty_like(cache["z"][0])  # (B, gates * H)
        U = p["U"] if cell.recurrent else None
        mask = None
        if U is not None and self.dropped and rng is not None:
            mask = dropout_mask(rng, U.shape, self.dropped, U.dtype)
            U = U * mask
        times_U = None if U is None else product(U, u)
        for h, step in zip(cache["h"], cell.step_views(cache), strict=False):
            if times_U:
                times_U(h)
            cell.forward(p, u, step)
        last = tuple(cache[name][-1].copy() for name in cell.state)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dh, *rest = [d.copy() for d in dstate]
            z, times_UT = cache["z"], None
            if U is not None:
                times_UT = product(np.ascontiguousarray(U.T), dh)  # a plain copy is faster
            for du, dy_t, step in zip(
                z[::-1], dy[::-1], cell.local_gradients(p, cache), strict=True
            ):
                dh += dy_t
                past_U = cell.backward(dh, rest, step)
                if times_UT:
                    times_UT(du)
                else:
                    dh[...] = 0
                if past_U is not None:
                    dh += past_U
            if U is not None:
                dU = flat(cache["h"][:-1]).T @ flat(z)
                grads["U"][...] += dU if mask is None else dU * mask
            da = cell.parameter_gradients(cache, grads)
            grads["b"][...] += flat(da).sum(axis=0)
            return linear_backward(x, p["W"], da, grads["W"]), (dh, *rest)

        return cache["h"][1:], last, backward


class Bidirectional:
    """Two layers that read the same text, one forwards and one backwards; y is both side by side.

    Schuster and Paliwal (1997). What it says of a step depends on what comes after, so it cannot
    predict or write a text. A sequence that is shorter than the others is turned round within its
    own length, so that neither layer meets the padding before the text.
    """

    def __init__(self, ahead: Layer, back: Layer) -> None:
        self.layers = {"ahead": ahead, "back": back}
        self.width = ahead.width + back.width

    def specs(self) -> Iterator[Spec]:
        for name, layer in self.layers.items():
            yield from prefixed(name, layer.specs())

    def initial_state(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(s for layer in self.layers.values() for s in layer.initial_state(batch, dtype))

    def forward(
        self,
        p: Params,
        x: Array | Ids,
        state: State,
        rng: Rng | None = None,
        lengths: Ids | None = None,
    ) -> tuple[Array, State, Backward]:
        ahead, back = self.layers.values()
        own = len(ahead.initial_state(0, state[0].dtype))
        turned = _turned(x.shape[0], x.shape[1], lengths)
        y0, after0, pull0 = ahead.forward(p.scope("ahead"), x, state[:own], rng, lengths)
        y1, after1, pull1 = back.forward(p.scope("back"), x[turned], state[own:], rng, lengths)

        def backward(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dy0, dy1 = dy[..., : ahead.width], dy[..., ahead.width :]
            dx0, before0 = pull0(grads.scope("ahead"), dy0, dstate[:own])
            dx1, before1 = pull1(grads.scope("back"), dy1[turned], dstate[own:])
            dx = None if dx0 is None or dx1 is None else dx0 + dx1[turned]
            return dx, (*before0, *before1)

        return np.concatenate([y0, y1[turned]], axis=-1), (*after0, *after1), backward


def _turned(steps: int, batch: int, lengths: Ids | None) -> tuple[Ids, Ids]:
    """Where in `(T, B)` each step lies when every sequence is turned round: its own inverse."""
    t = np.arange(steps)[:, None]
    if lengths is None:
        lengths = np.full(batch, steps)
    return np.where(t < lengths, lengths - 1 - t, t), np.arange(batch)[None]
