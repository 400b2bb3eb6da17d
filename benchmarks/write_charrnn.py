"""Sampling with charrnn's `write`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.shapes import Setting, Shape
from charrnn.language.sampling import sample_ids
from charrnn.models import CharRNN, NetworkConfig


def build(shape: Shape, setting: Setting) -> Callable[[], float]:
    """Sample `shape.batch` streams of `shape.seq` symbols in parallel."""
    config = NetworkConfig(shape.symbols, shape.cell, shape.hidden, shape.layers)
    model = CharRNN.initialized(config, np.random.default_rng(1))
    rngs = [np.random.default_rng(n) for n in range(shape.batch)]
    first = np.zeros(1, np.uint8)

    def step() -> float:
        return float(list(sample_ids(model, first, shape.seq, rngs))[-1][0])

    return step
