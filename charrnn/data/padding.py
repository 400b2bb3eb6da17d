"""Texts of unequal length side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.nn.params import Ids

PAD = -1
"""The id that fills a batch after the end of a text; no vocabulary uses it."""


def padded(texts: Sequence[Ids]) -> Ids:
    """Texts as the columns of an array `(T, B)`, filled with `PAD` up to the longest."""
    table = np.full((max(map(len, texts)), len(texts)), PAD, np.int32)
    for stream, text in enumerate(texts):
        table[: len(text), stream] = text
    return table
