"""What a benchmark runs (the sizes of network and chunks) and how (the setting)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

CELL_NAMES = ("lstm", "gru", "rnn")
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
RATE, BETAS, EPSILON, CLIP = 2e-3, (0.9, 0.99), 1e-8, 1.0
"""The constants of Adam and of clipping, the same for every contestant."""
_CHUNKS = 16  # different chunks, used in a cycle


@dataclass(frozen=True)
class Shape:
    """One row of a table: a network, and its chunks of `batch` streams of `seq` symbols."""

    layers: int
    hidden: int
    batch: int
    seq: int
    cell: str = "lstm"
    symbols: int = 65

    @classmethod
    def parse(cls, text: str) -> Shape:
        """Parse `2x128,50,50`: layers x hidden, batch, sequence. A ValueError if malformed."""
        size, batch, seq = text.split(",")
        layers, hidden = size.split("x")
        shape = cls(int(layers), int(hidden), int(batch), int(seq))
        if min(shape.layers, shape.hidden, shape.batch, shape.seq) < 1:
            raise ValueError(f"{text} has a size below 1")
        return shape

    def __str__(self) -> str:
        return f"{self.layers}x{self.hidden},{self.batch},{self.seq}"

    @property
    def chars(self) -> int:
        """Characters per step."""
        return self.batch * self.seq

    def with_cell(self, cell: str) -> Shape:
        """The same sizes for another cell."""
        return replace(self, cell=cell)

    def to_json(self) -> dict[str, Any]:
        """Plain data: `Shape(**data)` is the inverse."""
        return asdict(self)


@dataclass(frozen=True)
class Setting:
    """How a contestant is run."""

    threads: int = 1
    workers: int = 1
    """Workers that divide the streams of a batch; only charrnn has them."""
    variant: str = ""
    """The implementation, by a name that the contestant defines."""

    def __str__(self) -> str:
        parts = [f"{self.threads} thread{'s' * (self.threads > 1)}"]
        if self.workers > 1:
            parts.append(f"{self.workers} workers")
        return ", ".join([*parts, self.variant] if self.variant else parts)


def text_of(shape: Shape) -> NDArray[np.int64]:
    """Random symbol numbers: whole chunks and the last target."""
    length = shape.chars * _CHUNKS + 1
    ids = np.random.default_rng(1).integers(0, shape.symbols, length)
    ids[: shape.symbols] = np.arange(shape.symbols)[:length]  # so that every symbol occurs
    return ids


def chunks_of(shape: Shape) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """An endless iterator of inputs and targets `(T, B)`, cut from the text as charrnn cuts it."""
    ids = text_of(shape)
    inputs, targets = (part.reshape(shape.batch, -1) for part in (ids[:-1], ids[1:]))
    pairs = []
    for n in range(_CHUNKS):
        at = slice(n * shape.seq, (n + 1) * shape.seq)
        pairs.append(
            (np.ascontiguousarray(inputs[:, at].T), np.ascontiguousarray(targets[:, at].T))
        )
    return (pairs[n % _CHUNKS] for n in count())
