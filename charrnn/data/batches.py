"""Batches: the three ways in which a training part is cut up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from charrnn.data.examples import Examples
from charrnn.data.masking import hidden_places, hide
from charrnn.nn.params import Ids

PAD = -1
"""Fills a batch after the end of a text; not a symbol of any vocabulary."""
_POOL = 16  # batches whose texts are sorted by length together
_UNKNOWN = 0.01  # share of the symbols that are read as the unknown one


class Batches(Protocol):
    """The training part in `chunks` chunks per epoch, each with `batch` streams of about `seq`
    symbols.
    """

    @property
    def batch(self) -> int:
        """The number of streams."""
        ...

    @property
    def seq(self) -> int:
        """The length of the longest chunk."""
        ...

    @property
    def chunks(self) -> int:
        """Chunks, and so updates, per epoch."""
        ...

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Inputs and targets of chunk n of an epoch, always the same for the same numbers.

        Their last axis is the batch, which workers divide; every stream has the same weight.
        """
        ...


@dataclass(frozen=True)
class Streams:
    """A text cut into `batch` contiguous streams, which are read in parallel, chunk by chunk.

    inputs and targets are `(batch, L)`: the same text, the targets one symbol ahead. Chunks have
    equal lengths to within one symbol and cover every stream to its end; they may be a little
    longer or shorter than the sequence length asked for.
    """

    inputs: Ids
    targets: Ids
    chunks: int

    @classmethod
    def of(cls, ids: Ids, batch: int, seq: int) -> Streams:
        """Streams of a text `(N,)`. A text too short for `batch` streams of `seq` symbols gets
        fewer streams, and if that is not enough, a shorter sequence.
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
    def symbols(self) -> int:
        """Symbols predicted per epoch."""
        return self.inputs.size

    @property
    def seq(self) -> int:
        """Symbols per stream in the longest chunk."""
        return -(-int(self.inputs.shape[1]) // self.chunks)

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Inputs and targets `(T, B)` of chunk n, the same in every epoch."""
        length = self.inputs.shape[1]
        at = slice(n * length // self.chunks, (n + 1) * length // self.chunks)
        return self.inputs[:, at].T, self.targets[:, at].T


@dataclass(frozen=True)
class Windows:
    """Windows of `seq` symbols of a text, in batches of `batch`, with some symbols masked.

    Windows lie end to end, or overlap a little so that every batch is full; each epoch shifts them
    by a random offset. All of the text is read. A batch has windows from all over the text.
    """

    ids: Ids
    batch: int
    seq: int
    mask_id: int
    share: float
    """The share of the symbols that is masked."""
    seed: int

    @classmethod
    def of(cls, ids: Ids, batch: int, seq: int, mask_id: int, share: float, seed: int) -> Windows:
        """Windows of a text `(N,)`. A text too short for `batch` windows of `seq` symbols gets
        fewer, and if that is not enough, shorter ones.
        """
        return cls(ids, *fitting(len(ids), batch, seq), mask_id, share, seed)

    @property
    def chunks(self) -> int:
        """Batches per epoch: enough for the text and one more window, since the first window begins
        before the text.
        """
        windows = -(-len(self.ids) // self.seq) + 1
        return -(-windows // self.batch)

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Batch n of an epoch: symbols `(seq, batch)`, M per stream masked, and the masked symbols
        `(M, batch)` in the order of each stream.
        """
        rng = np.random.default_rng([6, self.seed, epoch, n])
        at = self.starts(n, epoch)[:, None] + np.arange(self.seq)
        text = self.ids[at]  # (batch, seq)
        places = hidden_places(self.batch, self.seq, self.share, rng)
        return hide(text, places, self.mask_id).T, text[places].reshape(self.batch, -1).T

    def starts(self, n: int, epoch: int) -> Ids:
        """The first positions of the windows of a batch: `(batch,)`."""
        length, last = len(self.ids), self.chunks * self.batch - 1
        offset = np.random.default_rng([4, self.seed, epoch]).integers(self.seq)
        windows = np.arange(self.batch) * self.chunks + n
        starts: Ids = np.clip(windows * length // last - offset, 0, length - self.seq)
        return starts


@dataclass
class Buckets:
    """Batches of whole texts of similar length, drawn anew for each epoch.

    Every text is read once per epoch, except a few that are repeated to fill the last batch. Texts
    are shuffled and sorted by length within pools of a few batches; then the batches are shuffled.
    One symbol in a hundred is read as the unknown one, so that the network learns its meaning.
    """

    examples: Examples
    batch: int
    seed: int
    _drawn: tuple[int, Ids] = field(default=(-1, np.zeros(0, np.intp)), repr=False)

    @property
    def chunks(self) -> int:
        """Batches per epoch."""
        return -(-len(self.examples.parts["train"]) // self.batch)

    @property
    def seq(self) -> int:
        """Symbols of the longest text."""
        return int(self.examples.lengths[self.examples.parts["train"]].max())

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Texts `(T, B)`, filled up with PAD, and their classes `(B,)`."""
        if self._drawn[0] != epoch:
            self._drawn = epoch, self.draw(epoch)
        numbers = self._drawn[1][n]
        texts = padded(self.examples.texts(numbers))
        rng = np.random.default_rng([6, self.seed, epoch, n])
        replaced = (rng.random(texts.shape) < _UNKNOWN) & (texts != PAD)
        return np.where(replaced, self.examples.unknown, texts), self.examples.labels[numbers]

    def draw(self, epoch: int) -> Ids:
        """The numbers of the texts in each batch of an epoch: `(chunks, batch)`."""
        rng = np.random.default_rng([5, self.seed, epoch])
        train = self.examples.parts["train"]
        missing = self.chunks * self.batch - len(train)
        order = np.concatenate([rng.permutation(train), rng.permutation(train)[:missing]])
        pool = np.arange(len(order)) // (_POOL * self.batch)
        order = order[np.lexsort((self.examples.lengths[order], pool))]
        return rng.permutation(order.reshape(self.chunks, self.batch))


def fitting(length: int, batch: int, seq: int) -> tuple[int, int]:
    """The batch size and sequence length, at most those asked for, that a text can fill."""
    seq = max(1, min(seq, length - 1))
    return max(1, min(batch, (length - 1) // seq)), seq


def padded(texts: Sequence[Ids]) -> Ids:
    """Texts as columns `(T, B)`, with PAD after the end of each."""
    table = np.full((max(map(len, texts)), len(texts)), PAD, np.int32)
    for stream, text in enumerate(texts):
        table[: len(text), stream] = text
    return table
