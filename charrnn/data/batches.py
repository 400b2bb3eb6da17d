"""Three ways to cut the training part into batches: streams, windows and length buckets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from charrnn.data.examples import Examples
from charrnn.data.masking import mask, masked_places
from charrnn.data.padding import PAD, padded
from charrnn.nn.params import Ids, IntArray

_POOL = 16  # batches that are sorted by length together
_UNKNOWN_SHARE = 0.01  # fraction of the symbols replaced by the unknown symbol

# A random generator is seeded with a list. Its first number stands for the purpose, so that random
# numbers for different purposes are independent: 0 initial weights, 1 resets, 2 dropout, 3 samples
# shown in training; 4 the split of labelled texts, or the offset of windows; 5 the order of
# labelled texts, or the masked symbols of a text in an evaluation; 6 what is masked, or replaced by
# the unknown symbol, in a batch. Two purposes with the same number belong to different tasks.


class Batches(Protocol):
    """The training part as `chunks` batches per epoch, each of `batch` streams up to `seq` long."""

    @property
    def batch(self) -> int:
        """The number of streams in a batch."""
        ...

    @property
    def seq(self) -> int:
        """The length of a stream in the longest batch, in symbols."""
        ...

    @property
    def chunks(self) -> int:
        """The number of batches in an epoch. Each makes one update."""
        ...

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Inputs and targets of batch n of an epoch; the same arguments give the same batch.

        The last axis of both is the batch; it is divided among workers. All streams have the same
        weight in the loss.
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
        """Cut ids `(N,)`. A text too short for `batch` streams of `seq` symbols gets fewer streams;
        if even one stream would be too long, the chunks get shorter.
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
        """The length of a stream in the longest chunk, in symbols."""
        return -(-int(self.inputs.shape[1]) // self.chunks)

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Inputs and targets `(T, B)` of chunk n, the same in every epoch."""
        length = self.inputs.shape[1]
        at = slice(n * length // self.chunks, (n + 1) * length // self.chunks)
        return self.inputs[:, at].T, self.targets[:, at].T


@dataclass(frozen=True)
class Windows:
    """A text cut into windows of `seq` symbols, some of them masked, `batch` windows per batch.

    The windows cover the whole text. They lie end to end, or overlap slightly so that every
    batch is full. In every epoch they are shifted by a random offset. The windows of a batch are
    spread over the text.
    """

    ids: Ids
    batch: int
    seq: int
    mask_id: int
    """The id that replaces a masked symbol."""
    share: float
    """Fraction of the symbols that are masked."""
    seed: int

    @classmethod
    def of(cls, ids: Ids, batch: int, seq: int, mask_id: int, share: float, seed: int) -> Windows:
        """Cut ids `(N,)`. A text too short for `batch` windows of `seq` symbols gets fewer windows;
        if even one window would be too long, the windows get shorter.
        """
        return cls(ids, *fitting(len(ids), batch, seq), mask_id, share, seed)

    @property
    def chunks(self) -> int:
        """The number of batches in an epoch. There is one extra window because of the shift, which
        moves the first window to before the text.
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
        places = masked_places(self.batch, self.seq, self.share, rng)
        return mask(text, places, self.mask_id).T, text[places].reshape(self.batch, -1).T

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

    In an epoch, each training text occurs once; a few are repeated to fill the last batch. Texts
    are shuffled, sorted by length within pools of a few batches, and then the batches are shuffled.
    One symbol in a hundred is replaced by the unknown symbol, so that its embedding is trained.
    """

    examples: Examples
    batch: int
    seed: int
    _drawn: tuple[int, Ids] = field(default=(-1, np.zeros(0, np.intp)), repr=False)
    """The latest epoch and its texts, as `draw` returns them."""

    @property
    def chunks(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self.examples.parts["train"]) // self.batch)

    @property
    def seq(self) -> int:
        """The length of the longest training text, in symbols."""
        return int(self.examples.lengths[self.examples.parts["train"]].max())

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Texts `(T, B)`, padded with PAD, and their classes `(B,)`."""
        if self._drawn[0] != epoch:
            self._drawn = epoch, self.draw(epoch)
        numbers = self._drawn[1][n]
        texts = padded(self.examples.texts(numbers))
        rng = np.random.default_rng([6, self.seed, epoch, n])
        replaced = (rng.random(texts.shape) < _UNKNOWN_SHARE) & (texts != PAD)
        return np.where(replaced, self.examples.unknown, texts), self.examples.labels[numbers]

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
