"""Which classes are taken for which, in the width of a terminal."""

from __future__ import annotations

import string
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from charrnn.classification.text_classifier import ConfusionMatrix
from charrnn.cli.views.display import print_drawing, print_table

_NAME = 10  # columns for the name of a class where room is short
_NOTABLE = 10  # per cent of a class that makes a mistake stand out


def print_confusion(confusion: ConfusionMatrix) -> None:
    """A row for each class: its texts, F1, and the per cent that were given each name; where there
    are too many classes for that, the names most often given instead.
    """
    console = Console(highlight=False)
    width = console.width if console.is_terminal else 1 << 30
    lines = list(_matrix(confusion))
    if max(line.cell_len for line in lines) <= width:
        for line in lines:
            print_drawing(line)
    else:
        _print_mistakes(confusion)


def _per_cent(confusion: ConfusionMatrix) -> NDArray[np.float64]:
    """Of the texts of each class (a row), those given each name (a column)."""
    texts = np.maximum(1, confusion.counts.sum(axis=1, keepdims=True))
    return np.asarray(100 * confusion.counts / texts)


def _matrix(confusion: ConfusionMatrix) -> Iterator[Text]:
    """The table line by line. Columns are headed by letters, or by numbers if these run out."""
    count = len(confusion.classes)
    marks = (
        list(string.ascii_lowercase[:count]) if count <= 26 else [*map(str, range(1, count + 1))]
    )
    wide = max(3, len(marks[-1]) + 1)
    name = max(min(_NAME, cell_len(each)) for each in confusion.classes)
    texts = confusion.counts.sum(axis=1)
    number = max(5, len(str(texts.max())))
    lead = len(marks[-1]) + 1 + name
    yield Text("A row is a class, a column the per cent of its texts that were taken for:")
    heads = "".join(f"{mark:>{wide}}" for mark in marks)
    yield Text(f"{'':{lead}} {'texts':>{number}}  F1 {heads}", style="dim")
    rows = zip(marks, confusion.classes, texts, confusion.f1, _per_cent(confusion), strict=True)
    for n, (mark, label, many, f1, shares) in enumerate(rows):
        line = Text(f"{mark:>{len(marks[-1])}} {set_cell_size(label, name)} {many:>{number}} ")
        line.append(f"{_hundredths(f1)} ")
        for k, share in enumerate(shares):
            style = "bold green" if k == n else "yellow" if share >= _NOTABLE else ""
            drawn = f"{share:.0f}" if confusion.counts[n, k] else "."
            line.append(f"{drawn:>{wide}}", style=style if drawn != "." else "dim")
        yield line


def _hundredths(f1: float) -> str:
    """A number from 0 to 1 in three columns."""
    return "  -" if np.isnan(f1) else "1.0" if f1 >= 0.995 else f"{f1:.2f}".lstrip("0")


def _print_mistakes(confusion: ConfusionMatrix) -> None:
    """The three names most often given to the texts of each class, by mistake."""
    rows = []
    shares, texts = _per_cent(confusion), confusion.counts.sum(axis=1)
    for n, label in enumerate(confusion.classes):
        others = [k for k in np.argsort(-shares[n]) if k != n and shares[n, k]][:3]
        taken = ", ".join(f"{confusion.classes[k]} {shares[n, k]:.0f}%" for k in others)
        right = f"{shares[n, n]:.0f}%" if texts[n] else "-"
        rows.append((label, str(texts[n]), _hundredths(confusion.f1[n]), right, taken))
    heads = ("class", "texts", "F1", "right", "taken for")
    print_table(heads, rows, right=("texts", "F1", "right"))
