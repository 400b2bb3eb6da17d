"""Only the matrix products of charrnn's training step, in the same order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.shapes import GATES, Setting, Shape
from charrnn.nn.functional import make_matmul
from charrnn.nn.params import Params
from charrnn.training.parallel.workers import ProcessWorker, ThreadWorker

ONE_HOT_LIMIT = 350
"""Above this vocab size, charrnn sums the rows of dW without a product."""

Array = NDArray[np.float32]
Product = tuple[Array, Array, Array]
"""Two factors and the array for their product."""


@dataclass(frozen=True)
class Layer:
    """The products of one recurrent layer."""

    forward: list[Product]
    backward: list[Product]


class Share:
    """The products of some streams, with the interface of a model, for a worker."""

    def __init__(self, shape: Shape) -> None:
        self.params = Params({}, _empty(0))
        self.products = [callable_of(*product) for product in products_of(shape)]

    def loss_and_gradient(self, *job: Any) -> tuple[float, tuple[Array, ...]]:
        """Compute all products, in order."""
        for multiply in self.products:
            multiply()
        return 0.0, ()


def build(shape: Shape, setting: Setting) -> Callable[[], float]:
    """All products of one step. BLAS has read its number of threads from the environment.

    Workers divide the streams as in charrnn; each computes its own products.
    """
    workers = min(setting.workers, shape.batch)
    edges = [n * shape.batch // workers for n in range(workers + 1)]
    first, *rest = (Share(replace(shape, batch=b - a)) for a, b in pairwise(edges))
    worker: Any = ProcessWorker if sys.platform == "linux" else ThreadWorker
    others = [worker(share) for share in rest]
    job = (None, None, (), 1.0, None)

    def step() -> float:
        for other in others:
            other.start(*job)
        first.loss_and_gradient()
        for other in others:
            other.result()
        return 0.0

    return step


def callable_of(a: Array, b: Array, out: Array) -> Callable[[], object]:
    """A function that computes the product in the same way as charrnn."""
    if a.flags.c_contiguous and b.flags.c_contiguous:
        return partial(make_matmul(b, out), a)
    return partial(np.matmul, a, b, out)


def products_of(shape: Shape) -> Iterator[Product]:
    """The layers from the bottom up, the output layer, and the layers from the top down."""
    layers = [_layer(shape, first=n == 0) for n in range(shape.layers)]
    rows, hidden, symbols = shape.chars, shape.hidden, shape.symbols
    y, V, dlogits = _random(rows, hidden), _random(hidden, symbols), _random(rows, symbols)
    for layer in layers:
        yield from layer.forward
    yield y, V, _empty(rows, symbols)
    yield y.T, dlogits, _empty(hidden, symbols)
    yield dlogits, V.T, _empty(rows, hidden)
    for layer in reversed(layers):
        yield from layer.backward


def operations(shape: Shape) -> int:
    """The number of multiplications and additions."""
    return sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in products_of(shape))


def _layer(shape: Shape, *, first: bool) -> Layer:
    steps, batch, hidden = shape.seq, shape.batch, shape.hidden
    wide, rows = GATES[shape.cell] * hidden, shape.chars
    # Each step has its own slice of h and z, as in training, so that caches behave alike.
    h, z = _random(steps, batch, hidden), _random(steps, batch, wide)
    flat_h, flat_z = h.reshape(rows, hidden), z.reshape(rows, wide)
    U, u, dh = _random(hidden, wide), _empty(batch, wide), _empty(batch, hidden)
    forward = [(h_t, U, u) for h_t in h]
    UT = np.ascontiguousarray(U.T)
    backward = [(z_t, UT, dh) for z_t in z[::-1]]
    backward.append((flat_h.T, flat_z, _empty(hidden, wide)))
    if not first:
        x, W = _random(rows, hidden), _random(hidden, wide)
        forward.insert(0, (x, W, _empty(rows, wide)))
        backward.append((x.T, flat_z, _empty(hidden, wide)))
        backward.append((flat_z, W.T, _empty(rows, hidden)))
    elif shape.symbols <= ONE_HOT_LIMIT:
        one_hot = np.eye(shape.symbols, dtype=np.float32)[np.arange(rows) % shape.symbols]
        backward.append((one_hot.T, flat_z, _empty(shape.symbols, wide)))
    return Layer(forward, backward)


def _random(*size: int) -> Array:
    return np.random.default_rng(1).standard_normal(size, np.float32)


def _empty(*size: int) -> Array:
    return np.empty(size, np.float32)
