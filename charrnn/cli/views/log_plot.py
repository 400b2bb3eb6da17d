"""Line plots in a terminal, with a logarithmic axis.

Each curve is drawn with its own letter, so curves can be told apart without colour, in ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from charrnn.nn.params import Array

STYLES = ("red", "green", "blue", "magenta", "cyan", "yellow")
"""Colours of the curves, used cyclically."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Letters of the curves, used cyclically."""
_MIN_WIDTH, _MAX_WIDTH = 30, 100
_MARGIN = 7  # labels and axis


def log_plot(curves: Sequence[Array], title: str, caption: str, *, rows: int = 16) -> Text:
    """Plot curves `(T,)` as wide as the terminal, with a title above and a caption below.

    Where curves overlap, their letters alternate. Zeros, infinities and NaN are not drawn.
    """
    console = Console()
    bar, corner, line = "|+-" if console.options.ascii_only else "│└─"
    width = min(max(console.width, _MIN_WIDTH), _MAX_WIDTH) - _MARGIN - 1
    steps = len(curves[0])
    columns = np.round(np.linspace(0, steps - 1, width)).astype(int)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.array(curves)[:, columns])  # (curves, width)
    finite = np.isfinite(logs)
    low, high = _decades(logs[finite])
    rows_of = np.full(logs.shape, -1)
    rows_of[finite] = np.round((high - logs[finite]) / (high - low) * (rows - 1))
    drawn = _interleave(rows_of, rows)
    labels = _labels(low, high, rows)
    text = Text(f"{title}\n")
    for row in range(rows):
        text.append(f"{labels.get(row, ''):>{_MARGIN - 1}}{bar}", "dim")
        for n in drawn[row]:
            text.append(*(" ", None) if n < 0 else _mark(n))
        text.rstrip()
        text.append("\n")
    margin = " " * _MARGIN
    text.append(f"{margin[1:]}{corner}{line * width}\n", "dim")
    text.append(f"{margin}{_axis(steps, width)}\n{margin}{caption}", "dim")
    return text


def _interleave(rows_of: Array, rows: int) -> Array:
    """Index of the curve drawn in each cell `(rows, width)`, -1 for none.

    `rows_of` `(curves, width)` holds the row of each curve in each column, -1 for none. Where
    several curves share a cell, the one drawn least often so far is drawn.
    """
    drawn = np.full((rows, rows_of.shape[1]), -1)
    counts = np.zeros(len(rows_of), int)
    for x, column in enumerate(rows_of.T):
        for row in set(column[column >= 0].tolist()):
            here = np.flatnonzero(column == row)
            n = here[np.argmin(counts[here])]
            drawn[row, x] = n
            counts[n] += 1
    return drawn


def _mark(n: int) -> tuple[str, str]:
    return LETTERS[n % len(LETTERS)], STYLES[n % len(STYLES)]


def _decades(logs: Array) -> tuple[int, int]:
    """The powers of ten that enclose all values."""
    if not len(logs):
        return 0, 1
    low, high = int(np.floor(logs.min())), int(np.ceil(logs.max()))
    return low, max(high, low + 1)


def _labels(low: int, high: int, rows: int) -> dict[int, str]:
    """Labels of powers of ten by row, with at least one free row between two labels."""
    stride = -(-(high - low) * 2 // (rows - 1))
    powers = range(high, low - 1, -stride)
    return {round((high - p) / (high - low) * (rows - 1)): f"1e{p:+03d}" for p in powers}


def _axis(steps: int, width: int) -> str:
    """Axis labels at both ends and, if there is room, at the quarters."""
    marks = [" "] * width
    for position in (0, 0.25, 0.5, 0.75, 1) if width > 30 else (0, 1):
        label = str(round(position * (steps - 1)))
        x = min(round(position * (width - 1)), width - len(label))
        marks[x : x + len(label)] = label
    return "".join(marks)
