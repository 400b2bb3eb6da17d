"""Filled texts: the filled gaps highlighted, and the alternatives for each gap."""

from __future__ import annotations

import click
import numpy as np
from rich.cells import cell_len
from rich.text import Text

from charrnn.cli.foreign import printable
from charrnn.cli.views.display import echo_err
from charrnn.cli.views.shading import Output, Piece, fold, pieces
from charrnn.filling.text_filler import Filled, Gap

_CONTEXT = 5  # characters shown on either side of a gap
_SURE, _LIKELY = 0.8, 0.4


def print_filled(filled: Filled) -> None:
    """Print the text on standard output. In a terminal, filled gaps are green, yellow or red by
    their probability; without colours, carets below the line mark them.
    """
    console = Output(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        click.echo(filled.text)
        return
    probability = np.zeros(len(filled.text))  # 0 outside gaps
    for gap in filled.gaps:
        probability[gap.at : gap.end] = gap.probability
    coloured = not console.no_color and console.color_system is not None
    for line in fold(pieces(list(filled.text), probability), console.width):
        console.print(Text.assemble(*((p.text, _style(p) if coloured else "") for p in line)))
        if not coloured and any(p.value for p in line):
            console.print("".join((" ^"[p.value > 0]) * p.width for p in line).rstrip())


def _style(piece: Piece) -> str:
    p = piece.value
    colour = "green" if p >= _SURE else "yellow" if p >= _LIKELY else "red"
    return f"bold underline {colour}" if p else ""


def print_alternatives(filled: Filled) -> None:
    """Print each gap with the text around it and its alternatives on standard error, as in
    `qu[i]ck  i 94%  e 3%`.
    """
    excerpts = [_excerpt(filled.text, gap) for gap in filled.gaps]
    width = max(map(cell_len, excerpts), default=0)
    for excerpt, gap in zip(excerpts, filled.gaps, strict=True):
        listed = "  ".join(f"{_visible(text)} {_percent(p)}" for text, p in gap.alternatives)
        echo_err(f"{excerpt}{' ' * (width - cell_len(excerpt))}  {listed}")


def _excerpt(text: str, gap: Gap) -> str:
    before = text[max(0, gap.at - _CONTEXT) : gap.at]
    after = text[gap.end : gap.end + _CONTEXT]
    return f"{_one_line(before)}[{_one_line(text[gap.at : gap.end])}]{_one_line(after)}"


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "↵")


def _visible(text: str) -> str:
    """An alternative as listed: a lone space becomes visible, the space before a word is cut."""
    return "␣" if text == " " else _one_line(text.removeprefix(" "))


def _percent(p: float) -> str:
    return f"{p:.0%}" if p >= 0.005 else "<1%"
