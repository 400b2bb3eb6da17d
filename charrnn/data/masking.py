"""Hiding symbols of a text, for a network to restore: in training, and to measure how well it does.

Half of the hidden spans are single symbols, a quarter pairs, and so on: a span goes on with a
chance of one half (a geometric length, 2 in the mean, as SpanBERT has longer ones; Joshi et al.
2020). The spans of a stream lie anywhere in it, every symbol being as likely to be hidden; two may
touch, and one may go on where the stream begins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.params import Ids

_GO_ON = 0.5
_ROW = 100  # symbols of a text that are hidden by the share


def hidden_places(
    streams: int, length: int, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which symbols to hide `(streams, length)`: the same number in every stream, at least one."""
    count = min(length, max(1, round(share * length)))
    ends = np.cumsum(rng.geometric(1 - _GO_ON, (streams, count)), axis=1)
    spans = np.diff(np.minimum(ends, count), axis=1, prepend=0)  # those beyond the count are empty
    shown = np.full((streams, length - count), -1)
    pieces = rng.permuted(np.concatenate([shown, spans], axis=1), axis=1).ravel()
    places = np.repeat(pieces > 0, np.abs(pieces)).reshape(streams, length)
    turned = (rng.integers(length, size=(streams, 1)) + np.arange(length)) % length
    return np.take_along_axis(places, turned, axis=1)


def hide(ids: Ids, places: NDArray[np.bool_], gap: int) -> Ids:
    """The same symbols with the number `gap` at these places."""
    return np.where(places, gap, ids.astype(np.min_scalar_type(gap)))


def hidden_in_text(length: int, share: float, seed: int = 0) -> NDArray[np.bool_]:
    """Which symbols of a text to hide `(length,)`: always the same for the same numbers."""
    row = min(length, _ROW)
    rows = -(-length // row)
    return hidden_places(rows, row, share, np.random.default_rng([5, seed])).ravel()[:length]
