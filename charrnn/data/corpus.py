"""A corpus: a text as numbers, in three parts.

A symbol is one small integer. The symbols of a short text are in memory, those of a long one on
disk, from where training reads the few it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from charrnn.data.encode import encode
from charrnn.data.reading import Source, TextOptions
from charrnn.data.sources import find_source, names_of, sources_of
from charrnn.data.split import PART_NAMES, Split
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CorpusError
from charrnn.nn.params import Ids


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
    split: Split = field(default_factory=Split)
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
        sources: Source | str | Path | Sequence[Source | str | Path],
        *,
        split: Split | None = None,
        valid: Source | str | Path | None = None,
        test: Source | str | Path | None = None,
        options: TextOptions | None = None,
    ) -> Corpus:
        """Read a file, or several as one text, and split it. Files may be named by a corpus.

        A separate `valid` or `test` file replaces that part; its share of the split goes to
        training. The vocabulary is that of all files. A CorpusError says what is wrong with a text.
        """
        split, options = split or Split(), options or TextOptions()
        main = sources_of(sources)
        extra = [find_source(s) for s in (valid, test) if s is not None]
        name = names_of(main)
        encoded = encode([*main, *extra], options, name)
        ends = encoded.ends[len(main) - 1 :]
        whole, *others = (encoded.ids[a:b] for a, b in pairwise([0, *ends]))
        separate = [part for part, s in (("valid", valid), ("test", test)) if s is not None]
        parts = split.without(separate).cut(whole, name)
        for part, ids in zip(separate, others, strict=True):
            if not len(ids):
                raise CorpusError(f"The {PART_NAMES[part]} file is empty.")
            parts[part] = ids
        if len(parts["train"]) < 2:
            raise CorpusError(
                f"{name} leaves {len(parts['train'])} characters to train on; 2 are the least."
            )
        return cls(
            Path(main[0].name).stem, encoded.vocabulary, sha256=encoded.identity.sha256, **parts,
            sources=tuple(s.location for s in main if s.location), split=split, options=options,
        )  # fmt: skip
