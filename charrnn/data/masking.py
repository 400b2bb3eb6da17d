"""Hiding symbols of a text, for a network to restore: in training, and to measure how well it does.

Half of the hidden spans are single symbols, a quarter pairs, and so on: a span goes on with a
chance of one half (a geometric length, 2 in the mean, as SpanBERT has longer ones; Joshi et al.
2020). The spans of a stream lie anywhere in it, every symbol being as likely to be hidden; two may
touch, and one may go on where the stream begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.data.corpus import fitting
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


@dataclass(frozen=True)
class Windows:
    """A text cut into windows of `seq` symbols, read `batch` at a time with some of them hidden.

    They lie end to end, or overlap a little so that every batch is full; in every epoch they begin
    elsewhere, by a random offset. All of the text is read. A batch has windows from all over it.
    """

    ids: Ids
    batch: int
    seq: int
    gap: int
    """The number that stands for a hidden symbol."""
    share: float
    """How much is hidden."""
    seed: int

    @classmethod
    def of(cls, ids: Ids, batch: int, seq: int, gap: int, share: float, seed: int) -> Windows:
        """Windows that fit the text: a text too short for `batch` of `seq` symbols gets fewer, and
        at last shorter ones.
        """
        return cls(ids, *fitting(len(ids), batch, seq), gap, share, seed)

    @property
    def chunks(self) -> int:
        """Batches in an epoch: enough for the text, and a window more, since the first begins
        before it.
        """
        windows = -(-len(self.ids) // self.seq) + 1
        return -(-windows // self.batch)

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Batch n of an epoch: symbols `(seq, batch)`, some hidden, and those `(M, batch)`, in each
        stream in their order.
        """
        rng = np.random.default_rng([6, self.seed, epoch, n])
        at = self.starts(n, epoch)[:, None] + np.arange(self.seq)
        text = self.ids[at]  # (batch, seq)
        places = hidden_places(self.batch, self.seq, self.share, rng)
        return hide(text, places, self.gap).T, text[places].reshape(self.batch, -1).T

    def starts(self, n: int, epoch: int) -> Ids:
        """Where the windows of a batch begin: `(batch,)`."""
        length, last = len(self.ids), self.chunks * self.batch - 1
        offset = np.random.default_rng([4, self.seed, epoch]).integers(self.seq)
        windows = np.arange(self.batch) * self.chunks + n
        found: Ids = np.clip(windows * length // last - offset, 0, length - self.seq)
        return found
