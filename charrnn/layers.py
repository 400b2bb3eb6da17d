"""Layers own the matrix products: recurrent, dropout, dense, and stacks of them.

    forward(params, x, state, rng) -> (y, state, pullback)
    pullback(grads, dy, dstate)    -> (dx, dstate)

A layer remembers nothing between calls: state goes in and comes out, and all that the derivative
needs is held by the pullback. Truncated BPTT is therefore "keep the state, drop the pullback".
A pullback adds to `grads`, may be called once (it works in the memory of the forward pass), and
returns dx = None where x were symbol numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from charrnn.cells import Cell
from charrnn.functional import add_rows_at, product
from charrnn.params import Array, Ids, Params, Spec, State, constant, prefixed, uniform

Pullback = Callable[[Params, Array, State], tuple[Array | None, State]]
Rng = np.random.Generator


class Layer(Protocol):
    """From a sequence `(T, B, inputs)` to a sequence `(T, B, width)`."""

    width: int

    def specs(self) -> Iterator[Spec]:
        """The parameters it wants."""
        ...

    def start(self, batch: int, dtype: DTypeLike) -> State:
        """The state before the first symbol: zeros `(batch, ...)`."""
        ...

    def forward(
        self, p: Params, x: Array | Ids, state: State, rng: Rng | None = None
    ) -> tuple[Array, State, Pullback]:
        """Read x from `state` on. With `rng` it is training (dropout is on), without it is use."""
        ...


class Recurrent:
    """One cell unrolled over time.

    x is `(T, B, inputs)`, or `(T, B)` symbol numbers, which stand for one-hot vectors: the product
    with W is then a gather of its rows.
    """

    def __init__(self, cell: Cell, inputs: int, hidden: int, *, one_hot: bool = False) -> None:
        """With `one_hot` the first weights are those for inputs of which only one is not zero."""
        self.cell = cell
        self.inputs = inputs
        self.width = hidden
        self.fan_in = 1 if one_hot else inputs

    def specs(self) -> Iterator[Spec]:
        return self.cell.specs(self.inputs, self.width, self.fan_in)

    def start(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(np.zeros((batch, self.width), dtype) for _ in self.cell.state)

    def forward(
        self, p: Params, x: Array | Ids, state: State, rng: Rng | None = None
    ) -> tuple[Array, State, Pullback]:
        cell, (steps, batch), hidden = self.cell, x.shape[:2], self.width
        k = {"z": _drive(x, p["W"], p["b"])}  # (T, B, gates * H)
        for name, first in zip(cell.state, state, strict=True):
            k[name] = np.empty((steps + 1, batch, hidden), first.dtype)
            k[name][0] = first
        for name, width in cell.kept.items():
            k[name] = np.empty((steps, batch, width * hidden), state[0].dtype)
        u = np.empty_like(k["z"][0])  # (B, gates * H)
        times_U = product(p["U"], u)
        for h, step in zip(k["h"], cell.steps(k), strict=False):
            times_U(h)
            cell.forward(p, u, step)
        last = tuple(k[name][-1].copy() for name in cell.state)

        def pullback(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dh, *rest = [d.copy() for d in dstate]
            z = k["z"]
            times_UT = product(np.ascontiguousarray(p["U"].T), dh)  # a plain copy multiplies faster
            for du, dy_t, step in zip(z[::-1], dy[::-1], cell.linearise(p, k), strict=True):
                dh += dy_t
                past_U = cell.backward(dh, rest, step)
                times_UT(du)
                if past_U is not None:
                    dh += past_U
            grads["U"][...] += _flat(k["h"][:-1]).T @ _flat(z)
            da = cell.finish(k, grads)
            grads["b"][...] += _flat(da).sum(axis=0)
            return _drive_back(x, p["W"], da, grads["W"]), (dh, *rest)

        return k["h"][1:], last, pullback


def _flat(x: Array) -> Array:
    """Time and batch as one axis: `(T, B, D)` to `(T * B, D)`."""
    return x.reshape(-1, x.shape[-1])


def _is_ids(x: Array | Ids) -> bool:
    return x.dtype.kind in "iu"


def _drive(x: Array | Ids, W: Array, b: Array) -> Array:
    """A = x W + b for every step at once."""
    if not _is_ids(x):
        a: Array = np.matmul(_flat(x), W).reshape(*x.shape[:2], -1)
        a += b
    elif len(W) < x.size:
        a = np.take(W + b, x, axis=0)
    else:
        a = np.take(W, x, axis=0)
        a += b
    return a


def _drive_back(x: Array | Ids, W: Array, da: Array, dW: Array) -> Array | None:
    """Add x^T da to dW and return dx = da W^T (None for symbol numbers)."""
    if _is_ids(x):
        add_rows_at(dW, x.ravel(), _flat(da))
        return None
    dW += _flat(x).T @ _flat(da)
    dx: Array = np.matmul(_flat(da), W.T).reshape(x.shape)
    return dx


class Dropout:
    """In training each entry is zero with probability `rate`, else 1 / (1 - rate) as large.

    Srivastava et al. (2014); on the way between layers only, never on the way through time
    (Zaremba, Sutskever and Vinyals 2014).
    """

    def __init__(self, width: int, rate: float) -> None:
        self.width = width
        self.rate = rate

    def specs(self) -> Iterator[Spec]:
        return iter(())

    def start(self, batch: int, dtype: DTypeLike) -> State:
        return ()

    def forward(
        self, p: Params, x: Array | Ids, state: State, rng: Rng | None = None
    ) -> tuple[Array, State, Pullback]:
        if rng is None or self.rate == 0:
            return x, (), lambda grads, dy, dstate: (dy, ())
        mask = (rng.random(x.shape, np.float32) >= self.rate).astype(x.dtype)
        mask *= 1 / (1 - self.rate)
        return x * mask, (), lambda grads, dy, dstate: (dy * mask, ())


class Dense:
    """y = x V + c, the same at every step: the output layer."""

    def __init__(self, inputs: int, width: int) -> None:
        self.inputs = inputs
        self.width = width

    def specs(self) -> Iterator[Spec]:
        yield Spec("V", (self.inputs, self.width), uniform(1 / np.sqrt(self.inputs)))
        yield Spec("c", (self.width,), constant(0.0))

    def start(self, batch: int, dtype: DTypeLike) -> State:
        return ()

    def forward(
        self, p: Params, x: Array | Ids, state: State, rng: Rng | None = None
    ) -> tuple[Array, State, Pullback]:
        def pullback(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            grads["c"][...] += _flat(dy).sum(axis=0)
            return _drive_back(x, p["V"], dy, grads["V"]), ()

        return _drive(x, p["V"], p["c"]), (), pullback


class Stack:
    """Layers one upon the other, each with a name; parameters are called `name.W` and so on."""

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)
        self.width = list(self.layers.values())[-1].width

    def specs(self) -> Iterator[Spec]:
        for name, layer in self.layers.items():
            yield from prefixed(name, layer.specs())

    def start(self, batch: int, dtype: DTypeLike) -> State:
        return tuple(s for layer in self.layers.values() for s in layer.start(batch, dtype))

    def forward(
        self, p: Params, x: Array | Ids, state: State, rng: Rng | None = None
    ) -> tuple[Array, State, Pullback]:
        after: State = ()
        pullbacks: list[tuple[str, Pullback, int]] = []
        for name, layer in self.layers.items():
            own = len(layer.start(0, x.dtype))
            x, new, back = layer.forward(p.part(name), x, state[len(after) : len(after) + own], rng)
            after += new
            pullbacks.append((name, back, own))

        def pullback(grads: Params, dy: Array, dstate: State) -> tuple[Array | None, State]:
            dx: Array | None = dy
            before: State = ()
            for name, back, own in reversed(pullbacks):
                assert dx is not None
                cut = len(dstate) - own
                dx, new = back(grads.part(name), dx, dstate[cut:])
                dstate, before = dstate[:cut], new + before
            return dx, before

        return np.asarray(x), after, pullback
