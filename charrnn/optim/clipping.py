"""Gradient clipping, in place, on the flat gradient vector."""

from __future__ import annotations

import math

import numpy as np

from charrnn.nn.params import Array


def clip_norm(grad: Array, limit: float | None) -> float:
    """Scale `grad` `(N,)` to the Euclidean norm `limit` if its norm is larger.

    Returns the norm before clipping. With a limit of 0 or None, nothing is clipped.

    Pascanu, Mikolov and Bengio (2013).
    """
    norm = math.sqrt(float(np.dot(grad, grad)))
    if limit and norm > limit:
        grad *= limit / norm
    return norm


def clip_value(grad: Array, limit: float | None) -> None:
    """Clip every entry to [-limit, limit]. With a limit of 0 or None, nothing is clipped."""
    if limit:
        np.clip(grad, -limit, limit, out=grad)
