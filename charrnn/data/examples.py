"""Labelled texts as numbers: what a classifier learns from, split class by class.

A text that occurs again in its class is one example, so that none can be in two parts. The same
text in two classes is an example of each: names are like that.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.labelled import Labelled, read_labelled
from charrnn.data.reading import Source, TextOptions
from charrnn.data.sources import find_source, names_of, sources_of
from charrnn.data.split import PARTS, Split, divide
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.data.words import cut
from charrnn.errors import CorpusError
from charrnn.nn.params import Ids


@dataclass(frozen=True)
class Examples:
    """Texts and their classes, in three parts. Text n is ids[offsets[n] : offsets[n + 1]]."""

    name: str
    vocabulary: Vocabulary
    """Of the training part, with an unknown symbol for all that it lacks."""
    classes: tuple[str, ...]
    ids: Ids
    offsets: Ids
    labels: Ids
    """The number of the class of each text."""
    parts: dict[str, Ids]
    """The numbers of the texts of each part, ascending."""
    sha256: str
    """Of all classes and texts, in order."""
    repeated: int = 0
    """Lines left out because their class has the same line already."""
    longest: int = 256
    """Symbols of a text that are read, from its beginning."""
    shortened: int = 0
    """Texts that have more."""
    sources: tuple[str, ...] = ()
    """Where the texts came from: paths, or `-`."""
    split: Split = field(default_factory=Split)
    options: TextOptions = field(default_factory=TextOptions)

    @classmethod
    def read(
        cls,
        sources: Source | str | Path | Sequence[Source | str | Path],
        *,
        seed: int = 1,
        longest: int = 256,
        split: Split | None = None,
        valid: Source | str | Path | None = None,
        test: Source | str | Path | None = None,
        options: TextOptions | None = None,
    ) -> Examples:
        """Read files of labelled texts (see `text.labelled`) and split each class at random.

        The same `seed` splits in the same way. A `valid` or `test` file takes the place of that
        share of the split; what is in it is in no other part. Of a text the first `longest` symbols
        are read. A CorpusError says what cannot be split or learned.
        """
        split, options = split or Split(0.8, 0.1, 0.1), options or TextOptions()
        main = sources_of(sources)
        name = names_of(main)
        lines = {"main": read_labelled(main, options)}
        for part, extra in (("valid", valid), ("test", test)):
            if extra is not None:
                lines[part] = read_labelled([find_source(extra)], options)
        texts, owner = _distinct(lines)
        classes = _classes(texts, owner, name)
        labels = np.array([classes.index(each.label) for each in texts], np.intp)
        own = np.flatnonzero(owner == "main")
        cut = divide(labels[own], split.without([p for p in lines if p != "main"]), seed)
        parts = {p: np.flatnonzero(owner == p) if p in lines else own[cut[p]] for p in PARTS}
        for part, share in vars(split).items():
            if share and not len(parts[part]):
                raise CorpusError(
                    f"{name} has {len(own):,} different texts, too few for a share of {share:g}; "
                    "give another --split (1 trains on everything)."
                )
        vocabulary = _vocabulary([texts[n].text for n in parts["train"]], options, name)
        ids = [vocabulary.encode(each.text) for each in texts]
        lengths = np.array([min(len(each), longest) for each in ids])
        shortened = sum(len(each) > longest for each in ids)
        return cls(
            _name(main), vocabulary, classes,
            np.concatenate([each[:longest] for each in ids]),
            np.cumsum([0, *lengths]), labels, parts, _sha256(lines),
            sum(map(len, lines.values())) - len(texts), longest,
            shortened, tuple(s.location for s in main if s.location), split, options,
        )  # fmt: skip

    @property
    def lengths(self) -> Ids:
        """How many symbols each text has."""
        return np.diff(self.offsets)

    @property
    def unknown(self) -> int:
        """The unknown symbol."""
        return len(self.vocabulary) - 1

    @property
    def chars(self) -> dict[str, int]:
        """How many texts each part has."""
        return {name: len(part) for name, part in self.parts.items()}

    @property
    def contents(self) -> str:
        """What `chars` counts, in words."""
        kinds = len(self.vocabulary)
        return f"texts of {len(self.classes)} classes and of {kinds} kinds of characters"

    @property
    def notes(self) -> list[str]:
        """What a person should know of how they were read."""
        found = []
        if self.repeated:
            found.append(f"{self.repeated:,} lines that are in their class already are left out.")
        if self.shortened:
            found.append(
                f"Of {self.shortened:,} long texts the first {self.longest:,} symbols are read; "
                "a larger --seq reads more."
            )
        return found

    def record(self) -> dict[str, Any]:
        """What a checkpoint says of it, as plain data."""
        return {
            "name": self.name,
            "sources": list(self.sources),
            "sha256": self.sha256,
            "examples": self.chars,
        }

    def texts(self, numbers: Ids) -> list[Ids]:
        """The ids of these texts."""
        return [self.ids[self.offsets[n] : self.offsets[n + 1]] for n in numbers]


def _sha256(lines: dict[str, list[Labelled]]) -> str:
    found = hashlib.sha256()
    for part in lines.values():
        for each in part:
            found.update(f"{each.label}\t{each.text}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _distinct(lines: dict[str, list[Labelled]]) -> tuple[list[Labelled], Ids]:
    """Every text once, and where it is from; what is in a file of its own is nowhere else."""
    owner: dict[Labelled, str] = {}
    for part in ("test", "valid", "main"):
        for each in lines.get(part, ()):
            owner.setdefault(each, part)
    return list(owner), np.array(list(owner.values()))


def _classes(texts: list[Labelled], owner: Ids, name: str) -> tuple[str, ...]:
    """The classes that there is something to learn of, in the order of their names."""
    known = {each.label for each, where in zip(texts, owner, strict=True) if where == "main"}
    for each in texts:
        if each.label not in known:
            raise CorpusError(f"There is a text of the class '{each.label}', which {name} lacks.")
    if len(known) < 2:
        raise CorpusError(
            f"{name} is all of one class; to classify give a file for each class, or one file of "
            "lines that are each a class, a tab and a text."
        )
    return tuple(sorted(known))


def _vocabulary(texts: Sequence[str], options: TextOptions, name: str) -> Vocabulary:
    """The symbols that occur often enough, and the unknown one for all others."""
    words = options.unit == "word"
    blank = Vocabulary((), options.unit)
    counts: Counter[Any] = Counter()
    for text in texts:
        counts.update(cut(text) if words else blank.to_code_points(text).tolist())
    frequent = [symbol for symbol, count in counts.items() if count >= options.min_count]
    if not frequent:
        raise CorpusError(
            f"No symbol of {name} occurs {options.min_count} times; lower --min-count."
        )
    return Words(frequent, True) if words else Vocabulary(frequent, options.unit, True)


def _name(sources: Sequence[Source]) -> str:
    """That of the file, or of the folder that several are in."""
    folders = {Path(s.location).parent for s in sources}
    alone = len(sources) == 1 or len(folders) > 1
    return Path(sources[0].name).stem if alone else folders.pop().name
