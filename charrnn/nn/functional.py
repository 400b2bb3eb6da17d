"""Stateless functions: activations, cross-entropy, one-hot, dropout and matrix products."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.params import Array, Ids, Shape

_MAX_UNPACKED_SIZE = 1_000_000
"""Largest B K N of a matrix product that OpenBLAS computes without packing its factors."""


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """1 / (1 + exp(-z)), computed as (1 + tanh(z / 2)) / 2: it cannot overflow, and tanh is faster
    than exp.
    """
    out = np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    out *= 0.5
    out += 0.5
    return out


def gate_activation(z: Array, s: Array, offset: Array) -> None:
    """Replace z by s tanh(s z) + 1 - s: a sigmoid where s is 1/2, a tanh where s is 1.

    One pass over all gates. `offset` is 1 - s.
    """
    z *= s
    np.tanh(z, z)
    z *= s
    z += offset


def gate_scale(scales: tuple[float, ...], z: Array) -> tuple[Array, Array]:
    """The s and 1 - s of `gate_activation`, one entry per column of z.

    `scales` holds the s of each gate; all gates have the same width.
    """
    return _gate_scale(scales, z.shape[-1] // len(scales), z.dtype)


@lru_cache(64)
def _gate_scale(scales: tuple[float, ...], width: int, dtype: Any) -> tuple[Array, Array]:
    s = np.repeat(np.array(scales, dtype), width)
    return s, 1 - s


def softmax(logits: Array) -> Array:
    """The softmax over the last axis: exp(z) / sum exp(z)."""
    p: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p


def log_softmax(logits: Array) -> Array:
    """The log-softmax over the last axis, log(exp(z) / sum exp(z)). Overwrites its argument and
    returns it.
    """
    logits -= logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return logits


def cross_entropy(logits: Array, targets: Ids, weights: Array | None = None) -> tuple[float, Array]:
    """The mean cross-entropy of softmax(logits), in nats per symbol, and its gradient.

    logits are `(N, V)`, targets `(N,)`. The gradient, (softmax(z) - onehot(target)) / N, overwrites
    the logits. Each term is multiplied by its entry of weights `(N,)`; the sum is divided by N.
    """
    n = len(targets)
    rows = np.arange(n)
    logits -= logits.max(axis=1, keepdims=True)
    at_target = logits[rows, targets]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1)
    nats, scale = np.log(total) - at_target, np.full_like(total, 1 / n)
    if weights is not None:
        nats, scale = nats * weights, scale * weights
    loss = float(np.mean(nats, dtype=np.float64))
    logits *= (scale / total)[:, None]
    logits[rows, targets] -= scale
    return loss, logits


def one_hot(ids: Ids, size: int, dtype: DTypeLike = np.float32) -> Array:
    """Each id as a one-hot vector: `(...)` to `(..., size)`."""
    out: Array = np.zeros((*np.shape(ids), size), dtype)
    np.put_along_axis(out, np.asarray(ids, dtype=np.intp)[..., None], 1, axis=-1)
    return out


def add_rows_at(into: Array, ids: Ids, rows: Array) -> None:
    """into[ids[n]] += rows[n] for every n: the gradient of the row gather W[x].

    into is `(V, D)`, ids `(N,)`, rows `(N, D)`. For a small vocabulary this is a product with the
    one-hot matrix. For a large one, where that matrix is nearly all zeros, it sorts the rows by id
    and sums each segment.
    """
    if len(into) <= 350:
        into += one_hot(ids, len(into), rows.dtype).T @ rows
        return
    order = np.argsort(ids, kind="stable")
    present, first = np.unique(ids[order], return_index=True)
    into[present] += np.add.reduceat(rows[order], first, axis=0)


def dropout_mask(rng: np.random.Generator, shape: Shape, rate: float, dtype: DTypeLike) -> Array:
    """A random mask: 0 with probability `rate`, else 1 / (1 - rate), so that its mean is 1."""
    mask = (rng.random(shape, np.float32) >= rate).astype(dtype)
    mask *= 1 / (1 - rate)
    return mask


def merge_time_batch(x: Array) -> Array:
    """Merge the time and batch axes: `(T, B, D)` to `(T * B, D)`."""
    return x.reshape(-1, x.shape[-1])


def is_ids(x: Array | Ids) -> bool:
    """Whether x holds token ids."""
    return x.dtype.kind in "iu"


def linear(x: Array | Ids, W: Array, b: Array) -> Array:
    """The drive a = x W + b of all steps at once. For token ids, x W is a row gather, W[x]."""
    if not is_ids(x):
        a: Array = merge_time_batch(x).dot(W).reshape(*x.shape[:2], -1)
        a += b
    elif len(W) < x.size:
        a = (W + b).take(x, axis=0)
    else:
        a = W.take(x, axis=0)
        a += b
    return a


def linear_backward(x: Array | Ids, W: Array, da: Array, dW: Array) -> Array | None:
    """Add x^T da to dW and return dx = da W^T, or None if x holds token ids."""
    if is_ids(x):
        add_rows_at(dW, x.ravel(), merge_time_batch(da))
        return None
    dW += merge_time_batch(x).T @ merge_time_batch(da)
    dx: Array = np.matmul(merge_time_batch(da), W.T).reshape(x.shape)
    return dx


def make_matmul(W: Array, out: Array) -> Callable[[Array], object]:
    """A function that writes h W to `out`, for one W and many h: `(B, K) (K, N)` to `(B, N)`.

    BLAS first packs both factors into its own layout, which for a small batch takes as long as the
    multiplication. OpenBLAS skips packing if B K N is at most a million. A larger W is therefore
    split into blocks of columns below that size, unless they would be narrower than 32 columns.
    """
    (batch, columns), rows = out.shape, len(W)
    max_columns = _MAX_UNPACKED_SIZE // max(1, batch * rows)
    if max_columns < columns and (
        sizes := [n for n in range(32, max_columns + 1) if columns % n == 0]
    ):
        W, out = (x.reshape(len(x), -1, sizes[-1]).swapaxes(0, 1) for x in (W, out))
        return lambda h: np.matmul(h, W, out=out)
    return lambda h: h.dot(W, out)  # less call overhead than np.matmul


def split_blocks(z: Array, count: int) -> list[Any]:
    """Split the last axis into `count` views of equal size: `(..., count * H)` to `(..., H)`."""
    width = z.shape[-1] // count
    return [z[..., k * width : (k + 1) * width] for k in range(count)]
