"""Labelled texts: lines and the class of each, in files of two formats.

If a file is named `.tsv`, or its first text contains a tab, each line is a class, a tab and a text.
Any other file is one class, named after the file (`English.txt` is English), with a text on each
line. White space around texts is removed, and empty lines are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from charrnn.data.code_points import text_of
from charrnn.data.lines import split_lines
from charrnn.data.reading import Source, TextOptions
from charrnn.errors import CorpusError


class Labelled(NamedTuple):
    """A text and its class."""

    label: str
    text: str


def read_labelled(sources: Sequence[tuple[Source, TextOptions]]) -> list[Labelled]:
    """The texts of all files, in order. Each is read with its options.

    Raises CorpusError if there are none, or if a line lacks its class.
    """
    texts = [text for source, options in sources for text in _labelled(source, options)]
    if not texts:
        raise CorpusError(f"{sources[0][0].name} has no lines of text.")
    return texts


def stripped_lines(source: Source, options: TextOptions) -> list[str]:
    """The lines without the white space around them."""
    options = replace(options, unit="char", keep_newlines=False)
    text = "".join(text_of(codes) for _, codes in source.code_points(options))
    return [line.strip() for line in split_lines(text)]


def _labelled(source: Source, options: TextOptions) -> Iterator[Labelled]:
    numbered = enumerate(stripped_lines(source, options), 1)
    lines, path = {n: line for n, line in numbered if line}, Path(source.name)
    if path.suffix != ".tsv" and "\t" not in next(iter(lines.values()), ""):
        return (Labelled(path.stem, line) for line in lines.values())
    return (_parse(line, f"Line {n:,} of {source.name}") for n, line in lines.items())


def _parse(line: str, where: str) -> Labelled:
    label, _, text = (part.strip() for part in line.partition("\t"))
    if not label or not text:
        raise CorpusError(f"{where} is not a class, a tab and a text.")
    return Labelled(label, text)
