"""Labelled texts: lines, and the class that each belongs to, from files of two forms.

A file whose first line has a tab, or that is called `.tsv`, has lines of a class, a tab and a text.
Any other file is one class, named after it (`English.txt` is English), and each of its lines a text
of that class. Space around a text is dropped, and so are empty lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn.data.reading import Source, TextOptions
from charrnn.errors import CorpusError


class Labelled(NamedTuple):
    """A text and its class."""

    label: str
    text: str


def read_labelled(sources: Sequence[Source], options: TextOptions) -> list[Labelled]:
    """All texts of these files, in order, decoded as `options` say.

    A CorpusError where there is none, or where a line should name its class and does not.
    """
    found = [each for source in sources for each in _of(source, options)]
    if not found:
        raise CorpusError(f"{sources[0].name} has no lines of text.")
    return found


def lines_of(source: Source, options: TextOptions) -> dict[int, str]:
    """The lines of a file that are not empty, by number from 1, without space around them."""
    options = replace(options, unit="char", keep_newlines=False)
    pieces = [codes.astype(np.uint32) for _, codes in source.code_points(options)]
    text = b"".join(piece.tobytes() for piece in pieces).decode("utf-32-le", "surrogatepass")
    return {n: line for n, each in enumerate(text.split("\n"), 1) if (line := each.strip())}


def _of(source: Source, options: TextOptions) -> Iterator[Labelled]:
    lines, path = lines_of(source, options), Path(source.name)
    if path.suffix != ".tsv" and "\t" not in next(iter(lines.values()), ""):
        return (Labelled(path.stem, line) for line in lines.values())
    return (_cut(line, f"Line {n:,} of {source.name}") for n, line in lines.items())


def _cut(line: str, where: str) -> Labelled:
    label, _, text = (part.strip() for part in line.partition("\t"))
    if not label or not text:
        raise CorpusError(f"{where} is not a class, a tab and a text.")
    return Labelled(label, text)
