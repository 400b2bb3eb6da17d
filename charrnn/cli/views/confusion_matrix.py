"""A confusion matrix that fits the width of the terminal."""

from __future__ import annotations

import string
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from charrnn.classification.text_classifier import ConfusionMatrix
from charrnn.cli.foreign import printable
from charrnn.cli.views.display import print_drawing, print_table

_NAME = 10  # most columns for the name of a class
_NOTABLE = 10  # errors of at least this percentage of a class are highlighted


def print_confusion(confusion: ConfusionMatrix) -> None:
    """Print the matrix with the number of texts and F1 of each class. If it is too wide for the
    terminal, print the most frequent errors of each class instead.
    """
    console = Console(highlight=False)
    width = console.width if console.is_terminal else 1 << 30
    lines = list(_matrix(confusion))
    if max(line.cell_len for line in lines) <= width:
        for line in lines:
            print_drawing(line)
    else:
        _print_mistakes(confusion)


def _percentages(confusion: ConfusionMatrix) -> NDArray[np.float64]:
    """Of the texts of each class (a row), the percentage predicted as each class (a column)."""
    texts = np.maximum(1, confusion.counts.sum(axis=1, keepdims=True))
    return np.asarray(100 * confusion.counts / texts)


def _matrix(confusion: ConfusionMatrix) -> Iterator[Text]:
    """The table, line by line. Letters mark the columns, or numbers if there are more than 26."""
    count = len(confusion.classes)
    marks = (
        list(string.ascii_lowercase[:count]) if count <= 26 else [*map(str, range(1, count + 1))]
    )
    mark_width = len(marks[-1])
    column_width = max(3, mark_width + 1)
    name_width = max(min(_NAME, cell_len(name)) for name in confusion.classes)
    texts = confusion.counts.sum(axis=1)
    count_width = max(5, len(str(texts.max())))
    indent = mark_width + 1 + name_width
    yield Text("Rows: true class. Columns: percentage of its texts predicted as each class.")
    headings = "".join(f"{mark:>{column_width}}" for mark in marks)
    yield Text(f"{'':{indent}} {'texts':>{count_width}}  F1 {headings}", style="dim")
    rows = zip(marks, confusion.classes, texts, confusion.f1, _percentages(confusion), strict=True)
    for n, (mark, label, total, f1, percentages) in enumerate(rows):
        name = set_cell_size(printable(label), name_width)
        line = Text(f"{mark:>{mark_width}} {name} {total:>{count_width}} {_hundredths(f1)} ")
        for k, percentage in enumerate(percentages):
            style = "bold green" if k == n else "yellow" if percentage >= _NOTABLE else ""
            cell = f"{percentage:.0f}" if confusion.counts[n, k] else "."
            line.append(f"{cell:>{column_width}}", style=style if cell != "." else "dim")
        yield line


def _hundredths(f1: float) -> str:
    """A number from 0 to 1 in three columns."""
    return "  -" if np.isnan(f1) else "1.0" if f1 >= 0.995 else f"{f1:.2f}".lstrip("0")


def _print_mistakes(confusion: ConfusionMatrix) -> None:
    """Print the three classes that each class is most often confused with."""
    rows = []
    percent, texts = _percentages(confusion), confusion.counts.sum(axis=1)
    for n, label in enumerate(confusion.classes):
        others = [k for k in np.argsort(-percent[n]) if k != n and percent[n, k]][:3]
        errors = ", ".join(f"{confusion.classes[k]} {percent[n, k]:.0f}%" for k in others)
        correct = f"{percent[n, n]:.0f}%" if texts[n] else "-"
        rows.append((label, str(texts[n]), _hundredths(confusion.f1[n]), correct, errors))
    headings = ("class", "texts", "F1", "correct", "confused with")
    print_table(headings, rows, right=("texts", "F1", "correct"))
