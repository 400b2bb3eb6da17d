"""Tables, sparklines and wrapped text, and the formats of numbers.

Results go to standard output: text, JSON and the tables of a command. Progress and explanations go
to standard error.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from charrnn.cli.foreign import printable
from charrnn.data.split import PART_NAMES
from charrnn.language.evaluate import Loss

_HEIGHTS = "▁▂▃▄▅▆▇█"
_PER_SYMBOL = ("nats", "bits")


def echo_err(message: str) -> None:
    """Print one line on standard error."""
    click.echo(printable(message), err=True)


def finite(value: float) -> float | None:
    """A number for JSON; infinity and NaN, which JSON lacks, become null."""
    return float(value) if math.isfinite(value) else None


def print_words(*paragraphs: str) -> None:
    """Print paragraphs on standard error, wrapped to the width of the terminal."""
    width = min(100, Console(stderr=True).width)
    for words in paragraphs:
        echo_err(textwrap.fill(words, width, break_on_hyphens=False))


def sparkline(values: Sequence[float], width: int) -> str:
    """At most `width` bars, scaled so that the smallest value is the lowest bar and the largest the
    highest.
    """
    if width <= 0:
        return ""
    if len(values) > width:
        values = [values[round(n * (len(values) - 1) / max(1, width - 1))] for n in range(width)]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_HEIGHTS[round((v - low) / span * (len(_HEIGHTS) - 1))] for v in values)


def loss_table(losses: dict[str, Loss], width: int) -> Table:
    """A table of losses, by the name of the part, with the number of characters each is over.

    For a word vocabulary it also has the number of words, the perplexity per word and the fraction
    of unknown words. A table that does not fit `width` is reduced to nats and perplexity.
    """
    names = [PART_NAMES.get(name, name) for name in losses]
    first = next(iter(losses.values()))
    headings = [f"{f}/{first.per}" if f in _PER_SYMBOL else f for f in first.figures]
    headings.append(first.counted)
    if any(loss.words for loss in losses.values()):
        headings += ["words", "ppl/word", "unknown"]
    full_width = max(map(len, names)) + (48 if len(headings) == 4 else 80)
    shown = range(len(headings)) if width >= full_width else (0, 2)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", overflow="fold", min_width=min(10, max(map(len, names))))
    for n in shown:
        table.add_column(headings[n], justify="right", no_wrap=True, min_width=len(headings[n]))
    for name, loss in zip(names, losses.values(), strict=True):
        row = [*cells(loss), f"{loss.chars:,}"]
        unknown = loss.unknown / max(1, loss.words)
        row += [f"{loss.words:,}", f"{loss.perplexity_per_symbol:,.1f}", f"{unknown:.2%}"]
        table.add_row(Text(name), *(row[n] for n in shown))
    return table


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()
) -> None:
    """Print a table on standard output. Columns in `right` are right-aligned and never wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for name in columns:
        if name in right:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    rows = list(rows)
    for n, column in enumerate(table.columns):
        if column.no_wrap:
            column.min_width = max(len(row[n]) for row in rows)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    print_drawing(table)


def print_losses(losses: dict[str, Loss]) -> None:
    """Print a table of losses on standard output."""
    console = Console(highlight=False)
    print_drawing(loss_table(losses, console.width if console.is_terminal else 1000))


def print_drawing(drawing: Table | Text) -> None:
    """Print on standard output. Outside a terminal nothing is wrapped or padded."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(drawing)
        return
    wide = Console(highlight=False, width=1000)
    with wide.capture() as text:
        wide.print(drawing)
    for line in text.get().splitlines():
        click.echo(printable(line.rstrip()))


def units(loss: Loss) -> str:
    """The figures of a loss on one line: `1.5000 nats 2.1640 bits perplexity 4.482`."""
    text = " ".join(
        f"{cell} {figure}" if figure in _PER_SYMBOL else f"{figure} {cell}"
        for figure, cell in zip(loss.figures, cells(loss), strict=True)
    )
    if loss.words:
        text += f" ({loss.perplexity_per_symbol:,.1f} per word"
        text += f", {loss.unknown / loss.words:.2%} unknown)" if loss.unknown else ")"
    return text


def cells(loss: Loss) -> tuple[str, str, str]:
    """The three figures of a loss, formatted: nats, bits and perplexity for a language model."""
    first, second, third = (_cell(figure, value) for figure, value in loss.figures.items())
    return first, second, third


def _cell(figure: str, value: float | None) -> str:
    if value is None:
        return ""
    if figure == "accuracy":
        return f"{value:.1%}"
    if figure in _PER_SYMBOL:
        return f"{value:.4f}"
    return f"{value:.3f}" if value < 1e6 else f"{value:.3g}"


def clock(seconds: float) -> str:
    """Seconds as minutes:seconds, or hours:minutes:seconds."""
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


def choice(chosen: Mapping[str, float]) -> str:
    """A line with the options that were chosen automatically, as they would be typed."""
    options = " ".join(f"--{name.replace('_', '-')} {value:g}" for name, value in chosen.items())
    return f"Chosen for this text and budget: {options}"
