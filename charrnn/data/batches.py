"""Three ways to cut the training part into batches: streams, windows and length buckets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from charrnn.data.examples import Examples
from charrnn.data.masking import hidden_places, hide
from charrnn.data.padding import PAD, padded
from charrnn.nn.params import Ids, IntArray

_POOL = 16  # batches that are sorted by length together
_FORGOTTEN = 0.01  # share of the symbols that are replaced by the unknown symbol


class Batches(Protocol):
    """The training part as `chunks` batches an epoch, each of `batch` streams up to `seq` long."""

    @property
    def batch(self) -> int:
        """Streams in a batch."""
        ...

    @property
    def seq(self) -> int:
        """Symbols of a stream in the longest batch."""
        ...

    @property
    def chunks(self) -> int:
        """Batches, and so updates, in an epoch."""
        ...

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Inputs and targets of batch n of an epoch; the same arguments give the same batch.

        The last axis of both is the batch, which is divided among workers. Every stream has the
        same weight in the loss.
        """
        ...


@dataclass(frozen=True)
class Streams:
    """A text cut into `batch` contiguous streams, read in parallel in chunks of about `seq`.

    `inputs` and `targets` are `(batch, L)`; targets are the inputs one symbol ahead. Chunks differ
    in length by at most one symbol and cover every stream to its end, so there is no short last
    chunk; they may be slightly longer or shorter than the `seq` asked for.
    """

    inputs: Ids
    targets: Ids
    chunks: int

    @classmethod
    def of(cls, ids: Ids, batch: int, seq: int) -> Streams:
        """Cut ids `(N,)`. A text too short for `batch` streams of `seq` symbols gets fewer streams,
        and in the end shorter chunks.
        """
        batch, seq = fitting(len(ids), batch, seq)
        length = (len(ids) - 1) // batch
        used = batch * length
        return cls(
            ids[:used].reshape(batch, length),
            ids[1 : used + 1].reshape(batch, length),
            max(1, round(length / seq)),
        )

    @property
    def batch(self) -> int:
        """The number of streams."""
        return len(self.inputs)

    @property
    def seq(self) -> int:
        """Symbols of a stream in the longest chunk."""
        return -(-int(self.inputs.shape[1]) // self.chunks)

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Inputs and targets `(T, B)` of chunk n, the same in every epoch."""
        length = self.inputs.shape[1]
        at = slice(n * length // self.chunks, (n + 1) * length // self.chunks)
        return self.inputs[:, at].T, self.targets[:, at].T


@dataclass(frozen=True)
class Windows:
    """A text cut into windows of `seq` symbols, some of them masked, `batch` windows at a time.

    Windows lie end to end, or overlap slightly so that every batch is full, and cover the whole
    text. Every epoch shifts them by a random offset. The windows of a batch come from all over the
    text.
    """

    ids: Ids
    batch: int
    seq: int
    mask_id: int
    """The id that replaces a masked symbol."""
    share: float
    """Share of the symbols that are masked."""
    seed: int

    @classmethod
    def of(cls, ids: Ids, batch: int, seq: int, mask_id: int, share: float, seed: int) -> Windows:
        """Cut ids `(N,)`. A text too short for `batch` windows of `seq` symbols gets fewer windows,
        and in the end shorter ones.
        """
        return cls(ids, *fitting(len(ids), batch, seq), mask_id, share, seed)

    @property
    def chunks(self) -> int:
        """Batches in an epoch. One extra window covers the shift: the first starts before the
        text.
        """
        windows = -(-len(self.ids) // self.seq) + 1
        return -(-windows // self.batch)

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Batch n of an epoch: the symbols `(seq, batch)` with some masked, and the masked symbols
        `(M, batch)` of each window in order.
        """
        rng = np.random.default_rng([6, self.seed, epoch, n])
        at = self.starts(n, epoch)[:, None] + np.arange(self.seq)
        text = self.ids[at]  # (batch, seq)
        places = hidden_places(self.batch, self.seq, self.share, rng)
        return hide(text, places, self.mask_id).T, text[places].reshape(self.batch, -1).T

    def starts(self, n: int, epoch: int) -> IntArray:
        """The index of the first symbol of each window of a batch: `(batch,)`."""
        length, last = len(self.ids), self.chunks * self.batch - 1
        offset = np.random.default_rng([4, self.seed, epoch]).integers(self.seq)
        windows = np.arange(self.batch) * self.chunks + n
        starts: IntArray = np.clip(windows * length // last - offset, 0, length - self.seq)
        return starts


@dataclass
class Buckets:
    """Batches of texts of similar length, drawn again for every epoch.

    An epoch reads each training text once; a few are repeated to fill the last batch. Texts are
    shuffled, sorted by length within pools of a few batches, and the batches shuffled again. A
    hundredth of the symbols is replaced by the unknown symbol, so that the network learns it.
    """

    examples: Examples
    batch: int
    seed: int
    _drawn: tuple[int, Ids] = field(default=(-1, np.zeros(0, np.intp)), repr=False)
    """The latest epoch and its texts, as `draw` returns them."""

    @property
    def chunks(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.examples.parts["train"]) // self.batch)

    @property
    def seq(self) -> int:
        """Symbols of the longest training text."""
        return int(self.examples.lengths[self.examples.parts["train"]].max())

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Texts `(T, B)`, padded with PAD, and their classes `(B,)`."""
        if self._drawn[0] != epoch:
            self._drawn = epoch, self.draw(epoch)
        numbers = self._drawn[1][n]
        texts = padded(self.examples.texts(numbers))
        rng = np.random.default_rng([6, self.seed, epoch, n])
        forgotten = (rng.random(texts.shape) < _FORGOTTEN) & (texts != PAD)
        return np.where(forgotten, self.examples.unknown, texts), self.examples.labels[numbers]

    def draw(self, epoch: int) -> Ids:
        """The numbers of the texts in each batch of an epoch, `(chunks, batch)`."""
        rng = np.random.default_rng([5, self.seed, epoch])
        train = self.examples.parts["train"]
        missing = self.chunks * self.batch - len(train)
        order = np.concatenate([rng.permutation(train), rng.permutation(train)[:missing]])
        pool = np.arange(len(order)) // (_POOL * self.batch)
        order = order[np.lexsort((self.examples.lengths[order], pool))]
        return rng.permutation(order.reshape(self.chunks, self.batch))


def fitting(length: int, batch: int, seq: int) -> tuple[int, int]:
    """The largest batch and sequence length, up to those given, that `length` symbols can fill."""
    seq = max(1, min(seq, length - 1))
    return max(1, min(batch, (length - 1) // seq)), seq
