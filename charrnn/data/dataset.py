"""The data of a training run: a text or labelled texts as ids, in three parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import Split
from charrnn.data.vocabulary import Vocabulary
from charrnn.nn.params import Ids

SourceLike = Source | str | Path
"""A file by its path, standard input as `-`, or a Source."""


class Dataset(Protocol):
    """What `Corpus` and `Examples` have in common."""

    @property
    def name(self) -> str:
        """The name of the file, without its suffix."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols and their ids."""
        ...

    @property
    def parts(self) -> Mapping[str, Ids]:
        """The parts `train`, `valid` and `test`: ids of a text, or numbers of examples."""
        ...

    @property
    def chars(self) -> Mapping[str, int]:
        """The size of each part: characters of a text, or examples."""
        ...

    @property
    def contents(self) -> str:
        """What `chars` counts, as a phrase to put after the numbers."""
        ...

    @property
    def notes(self) -> list[str]:
        """Sentences for the user on what was changed in reading."""
        ...

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """The locations of the files: absolute paths, names of corpora, or `-`."""
        ...

    @property
    def split(self) -> Split:
        """The shares of the parts."""
        ...

    @property
    def options(self) -> TextOptions:
        """How the files were decoded."""
        ...

    def record(self) -> dict[str, Any]:
        """The description that a checkpoint stores, as plain data."""
        ...


def as_sources(files: SourceLike | Sequence[SourceLike]) -> list[Source]:
    """One file or several as a list of sources."""
    several = [files] if isinstance(files, Source | str | Path) else files
    return [Source.of(file) for file in several]


def part_files(**parts: SourceLike | None) -> dict[str, Source]:
    """The files that replace a part, by the name of the part."""
    return {part: Source.of(file) for part, file in parts.items() if file is not None}


def joint_name(sources: Sequence[Source]) -> str:
    """The name of several files in messages: `a.txt and 2 more`."""
    first, others = sources[0].name, len(sources) - 1
    return f"{first} and {others} more" if others else first


def locations(sources: Sequence[Source]) -> tuple[str, ...]:
    """The locations of the sources; bytes in memory have none."""
    return tuple(source.location for source in sources if source.location)


def identity(dataset: Dataset) -> dict[str, Any]:
    """The part of `Dataset.record` that identifies the content."""
    return {
        "name": dataset.name, "sources": list(dataset.sources), "sha256": dataset.sha256
    }  # fmt: skip
