"""Labelled texts for tests: made-up words of three classes that differ in their letters."""

from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.examples import Examples
from charrnn.data.reading import Source

LETTERS = {"bird": "tiu", "cow": "mou", "snake": "szi"}


def words(label: str, count: int = 40) -> list[str]:
    """Distinct words of a class, 3 to 9 letters each; the same on every call."""
    rng = np.random.default_rng(sum(map(ord, label)))
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        distinct["".join(rng.choice(list(LETTERS[label]), rng.integers(3, 10)))] = None
    return list(distinct)


def labelled(count: int = 40) -> str:
    """All words, one line each: class, tab, word."""
    return "".join(f"{label}\t{word}\n" for label in LETTERS for word in words(label, count))


def source(text: str, name: str = "words.tsv") -> Source:
    return Source(name, text.encode())


def some_examples(count: int = 40, **options: Any) -> Examples:
    return Examples.read([source(labelled(count))], **options)


def write_classes(folder: Path, count: int = 40) -> list[str]:
    """Write one file for each class. Returns their paths, relative to the parent of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for label in LETTERS:
        (folder / f"{label}.txt").write_text("\n".join(words(label, count)) + "\n", "utf-8")
    return [f"{folder.name}/{label}.txt" for label in LETTERS]
