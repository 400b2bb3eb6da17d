"""Labelled texts for tests: made-up words of three classes that letters tell apart."""

from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.examples import Examples
from charrnn.data.reading import Source

LETTERS = {"bird": "tiu", "cow": "mou", "snake": "szi"}


def words(label: str, count: int = 40) -> list[str]:
    """Different words of a class, of 3 to 9 letters, always the same."""
    rng = np.random.default_rng(sum(map(ord, label)))
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        distinct["".join(rng.choice(list(LETTERS[label]), rng.integers(3, 10)))] = None
    return list(distinct)


def labelled(count: int = 40) -> str:
    """All words, in lines of a class, a tab and a word."""
    return "".join(f"{label}\t{word}\n" for label in LETTERS for word in words(label, count))


def source(text: str, name: str = "words.tsv") -> Source:
    return Source(name, text.encode())


def some_examples(count: int = 40, **options: Any) -> Examples:
    return Examples.read([source(labelled(count))], **options)


def write_classes(folder: Path, count: int = 40) -> list[str]:
    """A file for each class; returns their paths as the command line takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    for label in LETTERS:
        (folder / f"{label}.txt").write_text("\n".join(words(label, count)) + "\n", "utf-8")
    return [f"{folder.name}/{label}.txt" for label in LETTERS]
