"""Scored lines in a terminal: their loss, and each of their characters shaded by its surprisal.

The colour scale is linear in nats from 0 to 2 ln V. Its middle, ln V, is the surprisal of a uniform
guess among V symbols. Each colour is a background with black or white text, whichever has the
higher contrast, so that it is readable in every terminal theme. Backgrounds get lighter with
surprisal, which works without colour vision. In a terminal without colours, digits below the line
give the nats.
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

from charrnn.cli.foreign import printable
from charrnn.cli.views.display import cells
from charrnn.language.score import Score

STOPS = (16, 232, 233, 53, 89, 125, 161, 202, 208, 214, 228)
"""Evenly spaced backgrounds of the scale, as numbers of the 256-colour palette."""
_SHOWN = {"\n": "↵", "\t": " "}
_JOINER = "\N{ZERO WIDTH JOINER}"


class Piece(NamedTuple):
    """A character with its combining characters, which share its cells in a terminal."""

    text: str
    value: float
    """What its shade shows: nats, or the probability of a filled gap."""

    @property
    def width(self) -> int:
        """Number of terminal cells."""
        return cell_len(self.text)


def colours(nats: float, top: float, smooth: bool = True) -> tuple[Color, Color]:
    """Background and text colour of a surprisal on the scale from 0 to `top`.

    With `smooth` the background is interpolated between two stops; otherwise it is the nearest.
    """
    position = min(1.0, max(0.0, nats / top)) * (len(STOPS) - 1)
    background = Color.from_ansi(STOPS[round(position)])
    if smooth:
        n = min(int(position), len(STOPS) - 2)
        low, high = (Color.from_ansi(stop).get_truecolor() for stop in STOPS[n : n + 2])
        background = Color.from_triplet(blend_rgb(low, high, position - n))
    # Black and white contrast equally with a luminance of sqrt(1.05 * 0.05) - 0.05 (WCAG 2).
    light = luminance(background) > 0.179
    return background, Color.from_rgb(*(0, 0, 0) if light else (255, 255, 255))


def luminance(colour: Color) -> float:
    """Relative luminance of an sRGB colour, from 0 to 1 (WCAG 2)."""
    c = np.array(colour.get_truecolor().normalized)
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@lru_cache(4096)
def _shade(nats: float, top: float, smooth: bool) -> Style:
    background, text = colours(nats, top, smooth)
    return Style(color=text, bgcolor=background)


def pieces(characters: Sequence[str], nats: NDArray[np.float64]) -> list[Piece]:
    """Characters with their nats.

    A character of zero width, or one after a joiner, is merged with the character before it, and
    their nats are added.
    """
    merged: list[Piece] = []
    for c, n in zip(characters, nats.tolist(), strict=False):
        combining = c == _JOINER or (c.isprintable() and cell_len(c) == 0)
        shown = c if combining else _SHOWN.get(c) or printable(c)
        if merged and (combining or merged[-1].text.endswith(_JOINER)):
            before = merged.pop()
            merged.append(Piece(before.text + shown, before.value + n))
        else:
            merged.append(Piece(shown, n))
    return merged


def fold(line: Sequence[Piece], width: int) -> Iterator[list[Piece]]:
    """Wrap a line at `width` cells, after a space if possible."""
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
    """The line of digits below a row: the nats of each piece, rounded down, at most 9."""
    return "".join(f"{_digit(p.value):{p.width}}"[: p.width] for p in row).rstrip()


def _digit(nats: float) -> str:
    if math.isnan(nats):
        return "-"
    return str(min(9, int(nats))) if nats >= 1 else " "


class Output(Console):
    """A console that raises BrokenPipeError for a closed pipe, which the command line handles."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Shades:
    """Draws surprisals as colours if the console has at least 256 of them, otherwise as digits."""

    def __init__(self, console: Console, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.top = 2 * math.log(vocab_size)
        self.coloured = not console.no_color and console.color_system in ("256", "truecolor")
        self.smooth = console.color_system == "truecolor"

    def rows(self, row: Sequence[Piece]) -> list[Text]:
        """A row of pieces, and below it the digits if there are no colours."""
        if not self.coloured:
            return [_uncoloured(row), Text(marks(row))]
        return [Text.assemble(*((p.text, self._style(p.value)) for p in row))]

    def _style(self, nats: float) -> Style:
        if math.isnan(nats):
            return Style(dim=True)
        return _shade(round(nats, 1), self.top, self.smooth)

    def legend(self) -> list[Text]:
        """What the colours or the digits mean."""
        if not self.coloured:
            return [Text("Digits: nats, rounded down, at most 9.")]
        guess = f"{self.top / 2:.1f} is a uniform guess among {self.vocab_size}."
        return [*self.rows(_ruler(self.top)), Text(f"nats; {guess}", style="dim")]


def print_scores(scores: Iterable[Score], lines: int, vocab_size: int | None) -> None:
    """Print a table of the scores of a text of `lines` lines, wrapped to the terminal's width.

    With a `vocab_size`, characters are shaded and a legend follows the table.
    """
    console = Output(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal else 1 << 30
    shades = Shades(console, vocab_size) if vocab_size else None
    narrow, number = width < 60, len(str(lines))
    headings, widths = (("nats", ""), (7, 0)) if narrow else (("nats/char", "perplexity"), (9, 12))

    def prefix(nats: str, perplexity: str, line: str) -> str:
        shown = "" if narrow else perplexity
        return f"{nats:>{widths[0]}}{shown:>{widths[1]}}  {line:>{number}}  "

    console.print(Text(prefix(*headings, "").rstrip(), style="dim"))
    for s in scores:
        nats, _, perplexity = cells(s.loss)
        start = prefix(nats, perplexity, str(s.line))
        line = pieces(s.characters if shades else s.characters[: len(s.nats) - s.ends], s.nats)
        for row in fold(line, max(8, width - len(start))):
            for shown in shades.rows(row) if shades else [_uncoloured(row)]:
                console.print(Text(start) + shown)
                start = " " * len(start)
    for shown in shades.legend() if shades else []:
        console.print(shown)


def _uncoloured(row: Sequence[Piece]) -> Text:
    return Text("".join(p.text for p in row))


def _ruler(top: float, width: int = 32) -> list[Piece]:
    """The colour scale, labelled with integer nats and with a plus at its end."""
    labels = [" "] * width
    for n in range(0, int(top) + 1, max(1, round(top / 4))):
        start = round(n / top * (width - 2))
        labels[start : start + len(str(n))] = str(n)
    labels = [*labels[: width - 1], "+"]
    return [Piece(c, n / (width - 1) * top) for n, c in enumerate(labels)]
