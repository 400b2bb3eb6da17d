"""Masking symbols of a text: for training a masked language model, and for evaluating it.

Masked spans have a geometric length with mean 2: half of them are single symbols, a quarter pairs,
and so on (as in SpanBERT, with longer spans; Joshi et al. 2020). Every symbol of a stream is
equally likely to be masked. Two spans may touch, and a span may wrap around from the end of its
stream to the beginning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.params import Ids

_CONTINUE = 0.5  # probability that a span continues
_ROW = 100  # symbols of a text that form one stream


def masked_places(
    streams: int, length: int, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which symbols to mask `(streams, length)`: the same number in every stream, at least one."""
    count = min(length, max(1, round(share * length)))
    ends = np.cumsum(rng.geometric(1 - _CONTINUE, (streams, count)), axis=1)
    spans = np.diff(np.minimum(ends, count), axis=1, prepend=0)  # spans past the count are empty
    visible = np.full((streams, length - count), -1)
    pieces = rng.permuted(np.concatenate([visible, spans], axis=1), axis=1).ravel()
    places = np.repeat(pieces > 0, np.abs(pieces)).reshape(streams, length)
    rotated = (rng.integers(length, size=(streams, 1)) + np.arange(length)) % length
    return np.take_along_axis(places, rotated, axis=1)


def mask(ids: Ids, places: NDArray[np.bool_], mask_id: int) -> Ids:
    """A copy of the ids with `mask_id` at the masked places."""
    return np.where(places, mask_id, ids.astype(np.min_scalar_type(mask_id)))


def masked_in_text(length: int, share: float, seed: int = 0) -> NDArray[np.bool_]:
    """Which symbols of a text to mask `(length,)`; a function of its arguments."""
    row = min(length, _ROW)
    rows = -(-length // row)
    return masked_places(rows, row, share, np.random.default_rng([5, seed])).ravel()[:length]
