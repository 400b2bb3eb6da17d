"""What is chosen where an option is left open: how long to learn, how wide, how much to drop.

Each depends on n, the symbols of the training part, and on e, how often they are read. A text that
is short or read often is learned by heart: the more is dropped then. Where there is time for it, a
wide network of which much is dropped beats a narrow one. The figures that the constants were chosen
by are in docs/training.md.
"""

from __future__ import annotations

_READ = 20e6
"""Symbols read where no budget is given."""
_EPOCHS = (2, 40)
_SPEED = 60e3
"""Symbols a second that a budget of minutes is taken for: about two cores, 2x192."""
_WIDTHS = (128, 512)


def epochs(n: int) -> float:
    """How often a text of n symbols is read, where no budget is given."""
    return float(round(min(max(_READ / n, _EPOCHS[0]), _EPOCHS[1])))


def passes(n: int, batch: int, seq: int, unit: str, amount: float) -> float:
    """About how often it is read within a budget."""
    each = {"epochs": n, "steps": batch * seq, "minutes": 60 * _SPEED}
    return amount * each[unit] / n


def hidden(n: int, e: float) -> int:
    """The hidden size."""
    return 192


def dropout(n: int, e: float) -> float:
    """The share of outputs dropped."""
    return 0.1
