"""Scored lines in a terminal: numbers, the line, and each of its characters shaded by surprise.

The scale runs evenly in nats from 0 to twice ln V, where ln V, its middle, is the surprise of a
blind guess among V symbols. Each colour is a background with black or white upon it, whichever
contrasts more, so that it can be read whatever the terminal's own colours are; and it grows lighter
with surprise, for eyes that see no hues. Where there is no colour, digits beneath say the nats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.color import Color, blend_rgb
from rich.console import Console
from rich.style import Style
from rich.text import Text

from charrnn.cli.views.display import cells, clean
from charrnn.language.score import Score

STOPS = (16, 232, 233, 53, 89, 125, 161, 202, 208, 214, 228)
"""Backgrounds, evenly along the scale, as a terminal with 256 colours numbers them."""
_LINE_END = "↵"
_JOINER = "\N{ZERO WIDTH JOINER}"


class Piece(NamedTuple):
    """What takes room of its own in a terminal: a character and the accents upon it."""

    text: str
    nats: float

    @property
    def width(self) -> int:
        """Cells of the terminal."""
        return cell_len(self.text)


def colours(nats: float, top: float, smooth: bool = True) -> tuple[Color, Color]:
    """Background and writing of a surprise on the scale from 0 to `top`.

    Without `smooth` the background is the nearest of the stops.
    """
    at = min(1.0, max(0.0, nats / top)) * (len(STOPS) - 1)
    back = Color.from_ansi(STOPS[round(at)])
    if smooth:
        n = min(int(at), len(STOPS) - 2)
        low, high = (Color.from_ansi(stop).get_truecolor() for stop in STOPS[n : n + 2])
        back = Color.from_triplet(blend_rgb(low, high, at - n))
    # Black and white contrast equally with a luminance of sqrt(1.05 * 0.05) - 0.05 (WCAG 2).
    return back, Color.from_rgb(*(0, 0, 0) if luminance(back) > 0.179 else (255, 255, 255))


def luminance(colour: Color) -> float:
    """Relative luminance of an sRGB colour, from 0 to 1 (WCAG 2)."""
    c = np.array(colour.get_truecolor().normalized)
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@lru_cache(4096)
def _shade(nats: float, top: float, smooth: bool) -> Style:
    back, front = colours(nats, top, smooth)
    return Style(color=front, bgcolor=back)


def pieces(characters: Sequence[str], nats: NDArray[np.float64]) -> list[Piece]:
    """Characters with what each weighs; one without width, and one that is joined to another, goes
    with the character before it, their nats summed.
    """
    found: list[Piece] = []
    for c, n in zip(characters, nats.tolist(), strict=False):
        mark = c == _JOINER or (c.isprintable() and cell_len(c) == 0)
        shown = c if mark else _LINE_END if c == "\n" else clean(c)
        if found and (mark or found[-1].text.endswith(_JOINER)):
            before = found.pop()
            found.append(Piece(before.text + shown, before.nats + n))
        else:
            found.append(Piece(shown, n))
    return found


def fold(line: Sequence[Piece], width: int) -> Iterator[list[Piece]]:
    """Cut a line to at most `width` cells, after a space where there is one."""
    row: list[Piece] = []
    used = 0
    for piece in line:
        while row and used + piece.width > width:
            spaces = [n for n, p in enumerate(row, 1) if p.text == " "]
            cut = spaces[-1] if spaces else len(row)
            yield row[:cut]
            row = row[cut:]
            used = sum(p.width for p in row)
        row.append(piece)
        used += piece.width
    yield row


def marks(row: Sequence[Piece]) -> str:
    """What stands beneath a row where there is no colour: nats rounded down, one digit a piece."""
    return "".join(f"{_digit(p.nats):{p.width}}"[: p.width] for p in row).rstrip()


def _digit(nats: float) -> str:
    if math.isnan(nats):
        return "-"
    return str(min(9, int(nats))) if nats >= 1 else " "


class Output(Console):
    """A console that leaves a closed pipe to the program, which knows how to end."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Shades:
    """How surprises look in a console: in colours where it has enough of them, else as digits."""

    def __init__(self, console: Console, symbols: int) -> None:
        """`symbols` is V, the size of the vocabulary."""
        self.symbols = symbols
        self.top = 2 * math.log(symbols)
        self.coloured = not console.no_color and console.color_system in ("256", "truecolor")
        self.smooth = console.color_system == "truecolor"

    def rows(self, row: Sequence[Piece]) -> list[Text]:
        """A row of pieces, and under it the digits where there are no colours."""
        if not self.coloured:
            return [_plain(row), Text(marks(row))]
        return [Text.assemble(*((p.text, self._style(p.nats)) for p in row))]

    def _style(self, nats: float) -> Style:
        if math.isnan(nats):
            return Style(dim=True)
        return _shade(round(nats, 1), self.top, self.smooth)

    def legend(self) -> list[Text]:
        """What the colours, or the digits, mean."""
        if not self.coloured:
            return [Text("Digits: nats, rounded down, at most 9.")]
        guess = f"{self.top / 2:.1f} is a blind guess among {self.symbols}."
        return [*self.rows(_ruler(self.top)), Text(f"nats; {guess}", style="dim")]


def print_scores(scores: Iterable[Score], lines: int, symbols: int | None) -> None:
    """A table of scores on standard output, folded to the terminal's width.

    With `symbols`, the size of the vocabulary, characters are shaded and a legend ends the table.
    """
    console = Output(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal else 1 << 30
    shades = Shades(console, symbols) if symbols else None
    narrow, number = width < 60, len(str(lines))
    heads, widths = (("nats", ""), (7, 0)) if narrow else (("nats/char", "perplexity"), (9, 12))

    def prefix(nats: str, perplexity: str, line: str) -> str:
        shown = "" if narrow else perplexity
        return f"{nats:>{widths[0]}}{shown:>{widths[1]}}  {line:>{number}}  "

    console.print(Text(prefix(*heads, "").rstrip(), style="dim"))
    for s in scores:
        nats, _, perplexity = cells(s.loss)
        start = prefix(nats, perplexity, str(s.line))
        line = pieces(s.characters if shades else s.characters[: len(s.nats) - s.ends], s.nats)
        for row in fold(line, max(8, width - len(start))):
            for shown in shades.rows(row) if shades else [_plain(row)]:
                console.print(Text(start) + shown)
                start = " " * len(start)
    for shown in shades.legend() if shades else []:
        console.print(shown)


def _plain(row: Sequence[Piece]) -> Text:
    return Text("".join(p.text for p in row))


def _ruler(top: float, width: int = 32) -> list[Piece]:
    """The scale itself, with whole nats written upon it, and a plus where it ends."""
    writing = [" "] * width
    for n in range(0, int(top) + 1, max(1, round(top / 4))):
        at = round(n / top * (width - 2))
        writing[at : at + len(str(n))] = str(n)
    writing = [*writing[: width - 1], "+"]
    return [Piece(c, n / (width - 1) * top) for n, c in enumerate(writing)]
