"""A text as ids, with its vocabulary, in three contiguous parts.

An id is a small integer. The ids of a short text are held in memory. Those of a long text are on
disk, and only the pages in use are loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from charrnn.data.dataset import (
    SourceLike,
    as_sources,
    identity,
    joint_name,
    locations,
    part_files,
)
from charrnn.data.encode import encode
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import PART_NAMES, Split
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CorpusError
from charrnn.nn.params import Ids


@dataclass(frozen=True)
class Corpus:
    """A text as ids, in three parts, with its vocabulary. It is a `Dataset`."""

    name: str
    vocabulary: Vocabulary
    train: Ids
    valid: Ids
    test: Ids
    sha256: str
    """The SHA-256 of the bytes of all files, in order."""
    sources: tuple[str, ...] = ()
    """The locations of the files: absolute paths, names of corpora, or `-`; empty for a string."""
    split: Split = field(default_factory=Split)
    options: TextOptions = field(default_factory=TextOptions)

    @property
    def parts(self) -> dict[str, Ids]:
        """The ids of each part."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @cached_property
    def chars(self) -> dict[str, int]:
        """The number of characters (or bytes) in each part."""
        return {name: self.vocabulary.chars(part) for name, part in self.parts.items()}

    @property
    def contents(self) -> str:
        """What `chars` counts, as a phrase to put after the numbers."""
        symbols = "words" if self.vocabulary.unit == "word" else "characters"
        return f"characters, {len(self.vocabulary)} distinct {symbols}"

    @property
    def notes(self) -> list[str]:
        """Sentences for the user on what was changed in reading: none."""
        return []

    def record(self) -> dict[str, Any]:
        """The description that a checkpoint stores, as plain data."""
        return {**identity(self), "chars": self.chars}

    @classmethod
    def of_text(cls, text: str, split: Split | None = None, name: str = "text") -> Corpus:
        """A corpus from a string."""
        return cls.read(Source(name, text.encode("utf-8")), split=split)

    @classmethod
    def read(
        cls,
        sources: SourceLike | Sequence[SourceLike],
        *,
        split: Split | None = None,
        valid: SourceLike | None = None,
        test: SourceLike | None = None,
        options: TextOptions | None = None,
    ) -> Corpus:
        """Read a file, or several files joined into one text, and split it.

        A `valid` or `test` file replaces that part of the split; its share goes to training. The
        vocabulary covers all files. Raises CorpusError if a file cannot be read or decoded, or if
        there is too little text.
        """
        split, options = split or Split(), options or TextOptions()
        main, own = as_sources(sources), part_files(valid=valid, test=test)
        name = joint_name(main)
        encoded = encode([*main, *own.values()], options, name)
        ends = encoded.ends[len(main) - 1 :]
        text, *texts = (encoded.ids[a:b] for a, b in pairwise([0, *ends]))
        rest = split.without(own) if own else split
        parts = rest.cut(text)
        rest.check(parts, f"{name} has {len(text):,} characters")
        for part, ids in zip(own, texts, strict=True):
            if not len(ids):
                raise CorpusError(f"The {PART_NAMES[part]} file is empty.")
            parts[part] = ids
        if len(parts["train"]) < 2:
            raise CorpusError(
                f"{name} leaves {len(parts['train'])} characters for training; at least 2 are "
                "needed."
            )
        return cls(
            Path(main[0].name).stem, encoded.vocabulary, sha256=encoded.identity.sha256, **parts,
            sources=locations(main), split=split, options=options,
        )  # fmt: skip
