"""Labelled texts as ids, in three parts stratified by class: the data of a classifier.

Equal texts of a class are one example, so no example is in two parts. The same text in two classes
is an example of each class: the same name occurs in several languages.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.dataset import (
    SourceLike,
    as_sources,
    identity,
    joint_name,
    locations,
    part_files,
)
from charrnn.data.encode import too_rare
from charrnn.data.labelled import Labelled, read_labelled
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import PARTS, Split, divide
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.data.words import cut
from charrnn.errors import CorpusError
from charrnn.nn.params import Ids, IntArray


@dataclass(frozen=True)
class Examples:
    """Texts and their classes, in three parts. Text n is ids[offsets[n] : offsets[n + 1]]. It is a
    `Dataset`.
    """

    name: str
    vocabulary: Vocabulary
    """The symbols of the training part, and an unknown symbol for all others."""
    classes: tuple[str, ...]
    ids: Ids
    offsets: IntArray
    labels: IntArray
    """The class number of each text."""
    parts: dict[str, IntArray]
    """The numbers of the texts in each part, in ascending order."""
    sha256: str
    """The SHA-256 of all classes and texts, in order."""
    repeated: int = 0
    """Lines skipped because their class already has the same text."""
    longest: int = 256
    """Longer texts are cut off after this number of symbols."""
    shortened: int = 0
    """Texts that are cut off."""
    sources: tuple[str, ...] = ()
    """The locations of the files: absolute paths, names of corpora, or `-`."""
    split: Split = field(default_factory=Split)
    options: TextOptions = field(default_factory=TextOptions)

    @classmethod
    def read(
        cls,
        sources: SourceLike | Sequence[SourceLike],
        *,
        seed: int = 1,
        longest: int = 256,
        split: Split | None = None,
        valid: SourceLike | None = None,
        test: SourceLike | None = None,
        options: TextOptions | None = None,
    ) -> Examples:
        """Read one or several files of labelled texts and split each class at random.

        See `charrnn.data.labelled` for the formats. The same `seed` gives the same split. A `valid`
        or `test` file replaces that part of the split; its texts are removed from all other parts.
        Only the first `longest` symbols of a text are used. Raises CorpusError if a file cannot be
        read, or if there are too few texts or classes.
        """
        split, options = split or Split(0.8, 0.1, 0.1), options or TextOptions()
        main, own = as_sources(sources), part_files(valid=valid, test=test)
        name = joint_name(main)
        lines = {"main": read_labelled([(source, options) for source in main])}
        lines |= {part: read_labelled([(source, options)]) for part, source in own.items()}
        texts, origins = _distinct(lines)
        classes = _classes(texts, origins, name)
        labels = _class_numbers(texts, classes)
        parts = _parts(labels, origins, split, own, seed)
        split.check(parts, f"{name} has {np.sum(origins == 'main'):,} distinct texts")
        vocabulary = _vocabulary([texts[n].text for n in parts["train"]], options, name)
        ids = [vocabulary.encode(text) for _, text in texts]
        lengths = np.array([min(len(text), longest) for text in ids])
        shortened = sum(len(text) > longest for text in ids)
        return cls(
            _name(main), vocabulary, classes,
            np.concatenate([text[:longest] for text in ids]),
            np.cumsum([0, *lengths]), labels, parts, _sha256(lines),
            sum(map(len, lines.values())) - len(texts), longest,
            shortened, locations(main), split, options,
        )  # fmt: skip

    @property
    def lengths(self) -> IntArray:
        """The number of symbols in each text."""
        return np.diff(self.offsets)

    @property
    def unknown(self) -> int:
        """The id of the unknown symbol."""
        return len(self.vocabulary) - 1

    @property
    def chars(self) -> dict[str, int]:
        """The number of texts in each part."""
        return {name: len(part) for name, part in self.parts.items()}

    @property
    def contents(self) -> str:
        """What `chars` counts, as a phrase to put after the numbers."""
        symbols = "words" if self.vocabulary.unit == "word" else "characters"
        return f"texts in {len(self.classes)} classes, {len(self.vocabulary)} distinct {symbols}"

    @property
    def notes(self) -> list[str]:
        """Sentences for the user on what was changed in reading."""
        notes = []
        if self.repeated:
            notes.append(f"Skipped {self.repeated:,} duplicate line{'s' * (self.repeated > 1)}.")
        if self.shortened:
            texts = f"{self.shortened:,} long text{'s' * (self.shortened > 1)}"
            notes.append(
                f"Truncated {texts} to {self.longest:,} symbols; a larger --seq keeps more."
            )
        return notes

    def record(self) -> dict[str, Any]:
        """The description that a checkpoint stores, as plain data."""
        return {**identity(self), "examples": self.chars}

    def texts(self, numbers: IntArray) -> list[Ids]:
        """The ids of the texts with these numbers."""
        return [self.ids[self.offsets[n] : self.offsets[n + 1]] for n in numbers]


def _distinct(lines: Mapping[str, list[Labelled]]) -> tuple[list[Labelled], IntArray]:
    """The distinct texts, and which of the keys of `lines` each one belongs to.

    A test text is removed from the validation and main files, a validation text from the main ones.
    """
    origins: dict[Labelled, str] = {}
    for key in ("test", "valid", "main"):
        for text in lines.get(key, ()):
            origins.setdefault(text, key)
    return list(origins), np.array(list(origins.values()))


def _classes(texts: Sequence[Labelled], origins: IntArray, name: str) -> tuple[str, ...]:
    """The classes of the main files in alphabetical order."""
    known = {text.label for text, key in zip(texts, origins, strict=True) if key == "main"}
    for text in texts:
        if text.label not in known:
            raise CorpusError(
                f"A validation or test text has the class '{text.label}', which does not occur in "
                f"{name}."
            )
    if len(known) < 2:
        raise CorpusError(
            f"{name} has one class only; give a file for each class, or one file with a class, a "
            "tab and a text on each line."
        )
    return tuple(sorted(known))


def _class_numbers(texts: Sequence[Labelled], classes: Sequence[str]) -> IntArray:
    numbers = {label: k for k, label in enumerate(classes)}
    return np.array([numbers[text.label] for text in texts], np.intp)


def _parts(
    labels: IntArray, origins: IntArray, split: Split, own: Mapping[str, Source], seed: int
) -> dict[str, IntArray]:
    """The numbers of the texts in each part: from its own file, else from the main files."""
    main = np.flatnonzero(origins == "main")
    indices = divide(labels[main], split.without(own), seed)
    return {
        part: np.flatnonzero(origins == part) if part in own else main[indices[part]]
        for part in PARTS
    }


def _vocabulary(texts: Sequence[str], options: TextOptions, name: str) -> Vocabulary:
    """The symbols that occur `min_count` times, and an unknown symbol for all others."""
    words = options.unit == "word"
    empty = Vocabulary((), options.unit)
    counts: Counter[Any] = Counter()
    for text in texts:
        counts.update(cut(text) if words else empty.to_code_points(text).tolist())
    frequent = [symbol for symbol, count in counts.items() if count >= options.min_count]
    if not frequent:
        raise too_rare(name, options)
    return Words(frequent, True) if words else Vocabulary(frequent, options.unit, True)


def _sha256(lines: Mapping[str, list[Labelled]]) -> str:
    digest = hashlib.sha256()
    for part in lines.values():
        for label, text in part:
            digest.update(f"{label}\t{text}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _name(sources: Sequence[Source]) -> str:
    """The name of the file, or of the folder if it contains all of several files."""
    folders = {Path(source.location).parent for source in sources}
    alone = len(sources) == 1 or len(folders) > 1
    return Path(sources[0].name).stem if alone else folders.pop().name
