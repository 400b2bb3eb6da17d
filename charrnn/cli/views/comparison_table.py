"""The outcome of a comparison: a ranked table, what it means, JSON, CSV and a picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console

from charrnn.cli.views.display import cells, clock, finite, print_table, print_words
from charrnn.compare.results import ModelSummary, Result
from charrnn.compare.significance import LEVEL
from charrnn.errors import CharRNNError, os_reason
from charrnn.models import NGram
from charrnn.plots.picture import Learning

_TOO_SHORT = "The text is too short to tell differences from chance."


class Column(NamedTuple):
    """A column of the table, and how soon it gives way where there is no room."""

    head: str
    rank: int
    cells: list[str]

    @property
    def width(self) -> int:
        """Characters of the longest cell."""
        return max(map(len, (self.head, *self.cells)))


def print_standings(summaries: Sequence[ModelSummary]) -> None:
    """The table, on standard output; and on standard error what it does and does not say."""
    columns = _columns(summaries)
    console = Console()
    for n, shown in enumerate(_pages(columns, console.width if console.is_terminal else 1000)):
        if n:
            click.echo()
        rows = list(zip(*(c.cells for c in shown), strict=True))
        print_table([c.head for c in shown], rows, right=[c.head for c in shown[1:]])
    print_words(*_verdict(summaries))


def _columns(summaries: Sequence[ModelSummary]) -> list[Column]:
    losses = [cells(s.loss) if s.results else ("", "", "") for s in summaries]
    spread = [s.spread if s.results else {} for s in summaries]
    units = ("nats_per_char", "bits_per_char", "perplexity")
    nats, bits, perplexity = (
        _with_spread(means, [s.get(unit) for s in spread])
        for unit, means in zip(units, zip(*losses, strict=True), strict=True)
    )
    behind = [f"{s.behind.nats:+.4f}" if s.behind else "" for s in summaries]
    return [
        Column("model", 0, [_name(s) for s in summaries]),
        Column("parameters", 5, [f"{s.results[0].parameters:,}" if s.results else ""
                                 for s in summaries]),
        Column("nats/char", 4, nats),
        Column("bits/char", 9, bits),
        Column("perplexity", 1, perplexity),
        Column("behind", 3, behind),
        Column("p", 2, [_p(s) for s in summaries]),
        Column("best epoch", 7, [_mean(s, "best_epoch", ".1f") for s in summaries]),
        Column("char/s", 8, [_mean(s, "chars_per_second", ",.0f") for s in summaries]),
        Column("time", 6, [clock(s.mean("seconds") or 0) if s.results else "" for s in summaries]),
    ]  # fmt: skip


def _with_spread(means: Sequence[str], spread: Sequence[float | None]) -> list[str]:
    """`1.2345 ± 0.0067`, all alike so that the points stand below each other."""
    digits = 3 if max((len(m.partition(".")[2]) for m in means), default=0) == 3 else 4
    tails = [f" ± {s:.{digits}f}" if s is not None else "" for s in spread]
    width = max(map(len, tails), default=0)
    return [m + tail.ljust(width) for m, tail in zip(means, tails, strict=True)]


def _name(summary: ModelSummary) -> str:
    if summary.results and summary.diverged:
        return f"{summary.title} ({summary.diverged} diverged)"
    return summary.title + ("" if summary.results else ": diverged")


def _mean(summary: ModelSummary, name: str, form: str) -> str:
    """A mean over the runs; n-grams have no epochs."""
    value = summary.mean(name) if summary.results else None
    if value is None or (name == "best_epoch" and summary.config.cell == NGram.kind):
        return ""
    return format(value, form)


def _p(summary: ModelSummary) -> str:
    if not summary.behind:
        return ""
    return "<0.001" if summary.behind.p < 0.001 else f"{summary.behind.p:.3f}"


def _pages(columns: Sequence[Column], width: int) -> list[list[Column]]:
    """Tables one below the other, the names at the left of each: as many columns as there is room
    for, the most important first, in their order.
    """
    names, *left = sorted(columns, key=lambda c: c.rank)
    pages = []
    while left:
        kept, room = [names], width - names.width
        while left and (left[0].width + 2 <= room or len(kept) == 1):
            room -= left[0].width + 2
            kept.append(left.pop(0))
        pages.append([c for c in columns if c in kept])
    return pages


def _verdict(summaries: Sequence[ModelSummary]) -> list[str]:
    """What the table says, and by which test."""
    placed = [s for s in summaries if s.results]
    words = []
    if len(placed) > 1:
        tested = placed[1].behind is not None
        words += [_ranking(placed), _test(placed)] if tested else [_TOO_SHORT]
    if any(s.config.cell == NGram.kind and s.config.order == 1 for s in placed):
        words.append("ngram 1 is the order-0 entropy: how often each character occurs, no more.")
    if alone := [s.title for s in placed if s.alone]:
        words.append(
            f"One run of {', '.join(alone)}: what another seed would have given is not tested."
        )
    if any(s.diverged for s in placed):
        words.append("Runs that diverged are left out of the means.")
    return words


def _ranking(placed: Sequence[ModelSummary]) -> str:
    best, equal = placed[0], [s for s in placed[1:] if s.behind and s.behind.p >= LEVEL]
    if not equal:
        return f"{best.title} is best, by more than chance."
    names = ", ".join(f"{s.title} (p = {_p(s)})" for s in equal)
    rest = " All others are behind by more." if len(equal) < len(placed) - 1 else ""
    return f"{best.title} is best; that it is ahead of {names} may be chance.{rest}"


def _test(placed: Sequence[ModelSummary]) -> str:
    blocks = placed[0].losses.shape[1]
    length = placed[0].loss.chars / blocks
    many = f" Allows for {len(placed) - 1} comparisons (Holm)." if len(placed) > 2 else ""
    return (
        "behind: nats per character more than the best. p: how often models that are equally good "
        "would differ by so much or more; Welch's t test, two-sided, over the runs of each and "
        f"over {blocks} blocks of {length:,.0f} characters, paired.{many} More than chance is "
        f"p < {LEVEL:g}."
    )


def to_json(summaries: Sequence[ModelSummary]) -> dict[str, Any]:
    """Plain data."""
    placed = [s for s in summaries if s.results]
    tested = len(placed) > 1 and placed[1].behind is not None
    return {
        "blocks": placed[0].losses.shape[1] if placed else 0,
        "method": _test(placed) if tested else None,
        "models": [_model(s) for s in summaries],
    }


def _model(s: ModelSummary) -> dict[str, Any]:
    data: dict[str, Any] = {"model": s.title, "diverged": s.diverged}
    if not s.results:
        return data | {"runs": []}
    data |= _shape(s.results[0]) | {"parameters": s.results[0].parameters} | s.loss.to_json()
    data["deviation"] = s.spread
    for name in ("best_epoch", "chars_per_second", "seconds"):
        data[name] = s.mean(name)
    gap = s.behind
    data["behind"] = gap and {
        "nats_per_char": gap.nats, "standard_error": gap.error, "freedom": finite(gap.freedom),
        "p": gap.p,
    }  # fmt: skip
    return data | {"runs": [_run(r) for r in s.results]}


def _shape(result: Result) -> dict[str, Any]:
    """Of a network or of n-grams; what the other has is null."""
    c = result.config
    grams = c.cell == NGram.kind
    return {
        "cell": c.cell, "layers": None if grams else c.layers,
        "hidden": None if grams else c.hidden, "order": c.order if grams else None,
    }  # fmt: skip


def _run(result: Result) -> dict[str, Any]:
    return {
        "checkpoint": str(result.run.path), "seed": result.seed, **result.loss.to_json(),
        "best_epoch": result.best_epoch, "chars_per_second": result.chars_per_second,
        "seconds": result.seconds,
    }  # fmt: skip


def write_csv(summaries: Sequence[ModelSummary], path: Path) -> None:
    """A line a run."""
    rows = [
        {"model": s.title, **_shape(r), "parameters": r.parameters, **_run(r)}
        for s in summaries
        for r in s.results
    ]
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, list(rows[0]) if rows else ["model"])
            table.writeheader()
            table.writerows(rows)
    except OSError as error:
        raise CharRNNError(f"Cannot write {path}: {os_reason(error)}.") from None


def learning(summaries: Sequence[ModelSummary]) -> list[Learning]:
    """The learning curves of all runs, for a picture."""
    return [
        Learning(
            s.title,
            [p.chars for p in r.curve],
            [p.seconds for p in r.curve],
            [p.nats for p in r.curve],
            counted=r.seed is None,
        )
        for s in summaries
        for r in s.results
        if r.curve
    ]
