"""The few formulas that more than one room needs: sigmoid, softmax, cross-entropy, one-hot."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.params import Array, Ids

_UNPACKED = 1_000_000


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """1 / (1 + exp(-z)), written (1 + tanh(z / 2)) / 2: no overflow, and tanh is the fast one."""
    out = np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    out *= 0.5
    out += 0.5
    return out


def gate_activation(z: Array, s: Array, rest: Array) -> None:
    """Set z to s tanh(s z) + 1 - s: where s is 1/2 a sigmoid, where it is 1 a tanh, in one pass.

    `rest` is 1 - s.
    """
    z *= s
    np.tanh(z, z)
    z *= s
    z += rest


def gate_scale(kinds: tuple[float, ...], z: Array) -> tuple[Array, Array]:
    """The s and 1 - s of `gate_activation` for a row of equally wide gates, each as wide as z."""
    return _gate_scale(kinds, z.shape[-1] // len(kinds), z.dtype)


@lru_cache(64)
def _gate_scale(kinds: tuple[float, ...], width: int, dtype: Any) -> tuple[Array, Array]:
    s = np.repeat(np.array(kinds, dtype), width)
    return s, 1 - s


def softmax(logits: Array) -> Array:
    """exp(z) / sum exp(z) over the last axis."""
    p: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p


def log_softmax(logits: Array) -> Array:
    """log(exp(z) / sum exp(z)) over the last axis, in place; returns its argument."""
    logits -= logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return logits


def cross_entropy(logits: Array, targets: Ids, weights: Array | None = None) -> tuple[float, Array]:
    """Mean softmax cross-entropy and its gradient.

    logits `(N, V)` are overwritten by the gradient, softmax(z) - onehot(target), over N.
    targets `(N,)`. The loss is in nats per symbol. weights `(N,)` are how often each counts.
    """
    n = len(targets)
    rows = np.arange(n)
    logits -= logits.max(axis=1, keepdims=True)
    at_target = logits[rows, targets]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1)
    nats, share = np.log(total) - at_target, np.full_like(total, 1 / n)
    if weights is not None:
        nats, share = nats * weights, share * weights
    loss = float(np.mean(nats, dtype=np.float64))
    logits *= (share / total)[:, None]
    logits[rows, targets] -= share
    return loss, logits


def one_hot(ids: Ids, size: int, dtype: DTypeLike = np.float32) -> Array:
    """Each id as a vector of zeros with a single one: `(...)` to `(..., size)`."""
    out: Array = np.zeros((*np.shape(ids), size), dtype)
    np.put_along_axis(out, np.asarray(ids, dtype=np.intp)[..., None], 1, axis=-1)
    return out


def add_rows_at(into: Array, ids: Ids, rows: Array) -> None:
    """into[ids[n]] += rows[n] for every n: the gradient of the row gather W[x].

    into `(V, D)`, ids `(N,)`, rows `(N, D)`. For a small vocabulary this is the product with the
    one-hot matrix; for a large one, where that matrix is nearly all zeros, sums of sorted segments.
    """
    if len(into) <= 350:
        into += one_hot(ids, len(into), rows.dtype).T @ rows
        return
    order = np.argsort(ids, kind="stable")
    present, first = np.unique(ids[order], return_index=True)
    into[present] += np.add.reduceat(rows[order], first, axis=0)


def product(W: Array, out: Array) -> Callable[[Array], object]:
    """The product h -> h W, written to `out`, for one W and many h: `(B, K) (K, N)` to `(B, N)`.

    BLAS first packs both factors into a layout of its own, which for a small batch takes as long as
    multiplying. OpenBLAS leaves that out where B K N is at most a million, so W is taken in
    blocks of columns that are small enough, if they need not be too narrow for it.
    """
    (batch, width), rows = out.shape, len(W)
    most = _UNPACKED // max(1, batch * rows)
    if most < width and (fits := [n for n in range(32, most + 1) if width % n == 0]):
        W, out = (x.reshape(len(x), -1, fits[-1]).swapaxes(0, 1) for x in (W, out))
        return lambda h: np.matmul(h, W, out=out)
    return lambda h: h.dot(W, out)  # the quickest to call


def blocks(z: Array, count: int) -> list[Any]:
    """The `count` equal blocks of the last axis, as views: `(..., count * H)` to `(..., H)`."""
    width = z.shape[-1] // count
    return [z[..., k * width : (k + 1) * width] for k in range(count)]
