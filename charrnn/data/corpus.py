"""From files to numbers: the corpus, its splits, and the streams that training reads.

A symbol is one small integer. Those of a short text are in memory, those of a long one on disk,
from where training reads the few it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.encode import encode
from charrnn.data.reading import Source, TextOptions
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import ConfigError, CorpusError
from charrnn.nn.params import Ids

SPLITS = ("train", "valid", "test")
_NAMES = {"train": "training", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Split:
    """Contiguous shares of a text: first train, then validation, then test."""

    train: float = 0.9
    valid: float = 0.05
    test: float = 0.05

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read `0.9,0.05,0.05`; what is left out is zero. The shares add up to 1."""
        try:
            shares = [float(part) for part in text.split(",")]
        except ValueError:
            shares = []
        if not 1 <= len(shares) <= 3 or not all(0 <= s <= 1 for s in shares) or shares[0] == 0:
            raise ConfigError(f"'{text}' is no split; write three shares such as 0.9,0.05,0.05.")
        if abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(
                f"The shares of the split {text} add up to {sum(shares):g}, not to 1."
            )
        return cls(*shares, *[0.0] * (3 - len(shares)))

    def __str__(self) -> str:
        return f"{self.train:g},{self.valid:g},{self.test:g}"

    def cut(self, ids: Ids, name: str) -> dict[str, Ids]:
        """The three parts of `ids`. A share above zero that comes out empty is a CorpusError."""
        ends = [0, *(round(len(ids) * s) for s in np.cumsum([self.train, self.valid])), len(ids)]
        if not self.test:
            ends[2] = len(ids)
        if not self.test and not self.valid:
            ends[1] = len(ids)
        parts = {s: ids[a:b] for s, a, b in zip(SPLITS, ends[:-1], ends[1:], strict=True)}
        for part, share in zip(SPLITS, (self.train, self.valid, self.test), strict=True):
            if share and len(parts[part]) == 0:
                raise CorpusError(
                    f"{name} has {len(ids):,} characters, too few for a {_NAMES[part]} part of "
                    f"{share:g}; give another --split (1 trains on everything)."
                )
        return parts


@dataclass(frozen=True)
class Corpus:
    """A text as numbers, in three parts, with its vocabulary."""

    name: str
    vocabulary: Vocabulary
    train: Ids
    valid: Ids
    test: Ids
    sha256: str
    """Of the bytes of all files, in order."""
    sources: tuple[str, ...] = ()
    """Where the text came from: paths, or `-`; nothing for a string."""
    split: Split = Split()
    options: TextOptions = field(default_factory=TextOptions)

    @property
    def parts(self) -> dict[str, Ids]:
        """The three parts by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @cached_property
    def chars(self) -> dict[str, int]:
        """How many characters each part has."""
        return {name: self.vocabulary.chars(part) for name, part in self.parts.items()}

    @property
    def contents(self) -> str:
        """What `chars` counts, in words."""
        words = "in words " * (self.vocabulary.unit == "word")
        return f"characters {words}of {len(self.vocabulary)} kinds"

    @property
    def notes(self) -> list[str]:
        """What a person should know of how it was read."""
        return []

    def record(self) -> dict[str, Any]:
        """What a checkpoint says of it, as plain data."""
        return {
            "name": self.name,
            "sources": list(self.sources),
            "sha256": self.sha256,
            "chars": self.chars,
        }

    @classmethod
    def of_text(cls, text: str, split: Split | None = None, name: str = "text") -> Corpus:
        """A corpus from a string."""
        return cls.read([Source(name, text.encode("utf-8"))], split=split)

    @classmethod
    def read(
        cls,
        sources: Sequence[Source | str | Path],
        *,
        split: Split | None = None,
        valid: Source | str | Path | None = None,
        test: Source | str | Path | None = None,
        options: TextOptions | None = None,
    ) -> Corpus:
        """Read files one after the other as one text, and split it.

        A `valid` or `test` file of its own takes the place of that share of the split, which is
        then given to training. The vocabulary is that of all texts together.
        """
        split, options = split or Split(), options or TextOptions()
        main = [_source(s) for s in sources]
        extra = [_source(s) for s in (valid, test) if s is not None]
        name = main[0].name if len(main) == 1 else f"{main[0].name} and {len(main) - 1} more"
        encoded = encode([*main, *extra], options, name)
        ends = encoded.ends[len(main) - 1 :]
        whole, *others = (encoded.ids[a:b] for a, b in pairwise([0, *ends]))
        v, t = (split.valid if valid is None else 0.0), (split.test if test is None else 0.0)
        given = split if valid is test is None else Split(1 - v - t, v, t)
        parts = given.cut(whole, name)
        for part, source in (("test", test), ("valid", valid)):
            if source is not None:
                parts[part] = _not_empty(others.pop(), _NAMES[part])
        if len(parts["train"]) < 2:
            raise CorpusError(
                f"{name} leaves {len(parts['train'])} characters to train on; 2 are the least."
            )
        return cls(
            Path(main[0].name).stem, encoded.vocabulary, sha256=encoded.identity.sha256, **parts,
            sources=tuple(s.location for s in main if s.location), split=split, options=options,
        )  # fmt: skip


def _source(what: Source | str | Path) -> Source:
    return what if isinstance(what, Source) else Source.of(what)


def _not_empty(ids: Ids, what: str) -> Ids:
    if not len(ids):
        raise CorpusError(f"The {what} file is empty.")
    return ids


@dataclass(frozen=True)
class Streams:
    """A text cut into `batch` contiguous streams, read side by side in chunks of about `seq`.

    inputs and targets are `(batch, L)`: the same text, the targets one symbol ahead. Chunks are of
    equal length to within one symbol and cover every stream to its end, so no chunk is a mere rest;
    they may be a little longer or shorter than `seq`.
    """

    inputs: Ids
    targets: Ids
    chunks: int

    @classmethod
    def of(cls, ids: Ids, batch: int, seq: int) -> Streams:
        """Streams that fit the text: a text too short for `batch` streams of `seq` symbols gets
        fewer streams, and at last a shorter sequence.
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
        """Symbols predicted in one epoch."""
        return self.inputs.size

    @property
    def seq(self) -> int:
        """Symbols of a stream in the longest chunk."""
        return -(-int(self.inputs.shape[1]) // self.chunks)

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Inputs and targets `(T, B)` of chunk n, in every epoch the same."""
        length = self.inputs.shape[1]
        at = slice(n * length // self.chunks, (n + 1) * length // self.chunks)
        return self.inputs[:, at].T, self.targets[:, at].T


def fitting(length: int, batch: int, seq: int) -> tuple[int, int]:
    """The batch and sequence length, at most those asked for, that a text of `length` can fill."""
    seq = max(1, min(seq, length - 1))
    return max(1, min(batch, (length - 1) // seq)), seq
