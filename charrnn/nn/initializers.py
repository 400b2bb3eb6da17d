"""Initializers: functions that draw the initial values of a parameter."""

from __future__ import annotations

import numpy as np

from charrnn.nn.params import Array, Init, Params, Shape


def constant(value: float) -> Init:
    """All entries equal `value`."""
    return lambda rng, shape: np.full(shape, value)


def uniform(bound: float) -> Init:
    """Entries uniform in [-bound, bound]."""
    return lambda rng, shape: rng.uniform(-bound, bound, shape)


def orthogonal(rng: np.random.Generator, shape: Shape) -> Array:
    """Square orthogonal blocks side by side (Saxe, McClelland and Ganguli 2014).

    In a recurrent matrix `(H, gates * H)`, the `(H, H)` block of each gate preserves the norm of h.
    """
    rows, columns = shape
    blocks = []
    for _ in range(columns // rows):
        q, r = np.linalg.qr(rng.standard_normal((rows, rows)))
        blocks.append(q * np.sign(np.diagonal(r)))
    return np.concatenate(blocks, axis=1)


def redraw_weights(params: Params, init: Init, rng: np.random.Generator) -> None:
    """Reinitialize all matrices with `init`. Vectors, such as biases, stay as they are."""
    for name in params:
        if params[name].ndim > 1:
            params[name][...] = init(rng, params[name].shape)
