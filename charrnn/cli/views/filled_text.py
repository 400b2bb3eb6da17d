"""Filled texts: in a terminal with what was missing marked, and what else could stand there."""

from __future__ import annotations

import click
import numpy as np
from rich.cells import cell_len
from rich.text import Text

from charrnn.cli.views.display import clean, echo_err
from charrnn.cli.views.shading import Output, Piece, fold, pieces
from charrnn.filling.text_filler import Filled, Gap

_NEAR = 5  # characters shown on either side of a gap
_SURE, _LIKELY = 0.8, 0.4


def print_filled(filled: Filled) -> None:
    """The text on standard output. In a terminal what was filled in is green, or yellow or red
    where it is less certain; without colours there are carets beneath it.
    """
    console = Output(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        click.echo(filled.text)
        return
    certain = np.zeros(len(filled.text))
    for gap in filled.gaps:
        certain[gap.at : gap.end] = gap.probability
    coloured = not console.no_color and console.color_system is not None
    for line in fold(pieces(list(filled.text), certain), console.width):
        console.print(Text.assemble(*((p.text, _style(p) if coloured else "") for p in line)))
        if not coloured and any(p.nats for p in line):
            console.print("".join((" ^"[p.nats > 0]) * p.width for p in line).rstrip())


def _style(piece: Piece) -> str:
    p = piece.nats
    colour = "green" if p >= _SURE else "yellow" if p >= _LIKELY else "red"
    return f"bold underline {colour}" if p else ""


def print_alternatives(filled: Filled) -> None:
    """On standard error, for each gap what is near it and what could stand there, as
    `qu[i]ck  i 94%  e 3%`.
    """
    near = [_near(filled.text, gap) for gap in filled.gaps]
    width = max(map(cell_len, near), default=0)
    for shown, gap in zip(near, filled.gaps, strict=True):
        some = "  ".join(f"{_visible(text)} {_percent(p)}" for text, p in gap.alternatives)
        echo_err(f"{shown}{' ' * (width - cell_len(shown))}  {some}")


def _near(text: str, gap: Gap) -> str:
    before = text[max(0, gap.at - _NEAR) : gap.at]
    after = text[gap.end : gap.end + _NEAR]
    return f"{_one_line(before)}[{_one_line(text[gap.at : gap.end])}]{_one_line(after)}"


def _one_line(text: str) -> str:
    return clean(text).replace("\n", "↵")


def _visible(text: str) -> str:
    """As it is seen in a list: a space that is all, but not one before a word."""
    return "␣" if text == " " else _one_line(text.removeprefix(" "))


def _percent(p: float) -> str:
    return f"{p:.0%}" if p >= 0.005 else "<1%"
