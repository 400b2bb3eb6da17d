"""Curves in a terminal, on a logarithmic axis, each drawn with a letter of its own.

Letters tell the curves apart without colour, and need nothing but ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from charrnn.nn.params import Array

STYLES = ("red", "green", "blue", "magenta", "cyan", "yellow")
"""The colour of each curve; they begin anew when used up."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The mark of each; they too."""
_LEAST, _MOST = 30, 100
_MARGIN = 7  # the labels and the axis


def log_plot(curves: Sequence[Array], title: str, below: str, *, rows: int = 16) -> Text:
    """Curves `(T,)` as wide as the terminal, with a title, and words below the axis.

    Where curves meet they take turns. Zeros, infinities and NaN are not drawn.
    """
    console = Console()
    bar, corner, line = "|+-" if console.options.ascii_only else "│└─"
    width = min(max(console.width, _LEAST), _MOST) - _MARGIN - 1
    steps = len(curves[0])
    at = np.round(np.linspace(0, steps - 1, width)).astype(int)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.array(curves)[:, at])  # (curves, width)
    known = np.isfinite(logs)
    low, high = _decades(logs[known])
    rows_of = np.full(logs.shape, -1)
    rows_of[known] = np.round((high - logs[known]) / (high - low) * (rows - 1))
    drawn = _take_turns(rows_of, rows)
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
    text.append(f"{margin}{_axis(steps, width)}\n{margin}{below}", "dim")
    return text


def _take_turns(rows_of: Array, rows: int) -> Array:
    """Which curve is drawn where `(rows, width)`, -1 for none: of those that meet in one place the
    one drawn least so far.
    """
    drawn = np.full((rows, rows_of.shape[1]), -1)
    often = np.zeros(len(rows_of), int)
    for x, column in enumerate(rows_of.T):
        for row in set(column[column >= 0].tolist()):
            here = np.flatnonzero(column == row)
            n = here[np.argmin(often[here])]
            drawn[row, x] = n
            often[n] += 1
    return drawn


def _mark(n: int) -> tuple[str, str]:
    return LETTERS[n % len(LETTERS)], STYLES[n % len(STYLES)]


def _decades(logs: Array) -> tuple[int, int]:
    """Two powers of ten, one below and one above all of it."""
    if not len(logs):
        return 0, 1
    low, high = int(np.floor(logs.min())), int(np.ceil(logs.max()))
    return low, max(high, low + 1)


def _labels(low: int, high: int, rows: int) -> dict[int, str]:
    """Powers of ten by the row they fall on: as many as leave a row free between two."""
    stride = -(-(high - low) * 2 // (rows - 1))
    powers = range(high, low - 1, -stride)
    return {round((high - p) / (high - low) * (rows - 1)): f"1e{p:+03d}" for p in powers}


def _axis(steps: int, width: int) -> str:
    """The steps below the curves: at both ends and, where there is room, at the quarters."""
    marks = [" "] * width
    for share in (0, 0.25, 0.5, 0.75, 1) if width > 30 else (0, 1):
        words = str(round(share * (steps - 1)))
        x = min(round(share * (width - 1)), width - len(words))
        marks[x : x + len(words)] = words
    return "".join(marks)
