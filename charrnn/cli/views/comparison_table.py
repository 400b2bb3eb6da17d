"""Results of a comparison: a ranked table and notes, JSON, CSV and learning curves."""

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

_TOO_SHORT = "The test part is too short for a significance test."


class Column(NamedTuple):
    """A column of the table. In a narrow terminal, columns of low `rank` are placed first."""

    head: str
    rank: int
    cells: list[str]

    @property
    def width(self) -> int:
        """Width of the column in characters."""
        return max(map(len, (self.head, *self.cells)))


def print_standings(summaries: Sequence[ModelSummary]) -> None:
    """Print the table to standard output, and notes on its meaning to standard error."""
    columns = _columns(summaries)
    console = Console()
    for n, shown in enumerate(_pages(columns, console.width if console.is_terminal else 1000)):
        if n:
            click.echo()
        rows = list(zip(*(c.cells for c in shown), strict=True))
        print_table([c.head for c in shown], rows, right=[c.head for c in shown[1:]])
    print_words(*_notes(summaries))


def _columns(summaries: Sequence[ModelSummary]) -> list[Column]:
    losses = [cells(s.loss) if s.results else ("", "", "") for s in summaries]
    spread = [s.std if s.results else {} for s in summaries]
    units = ("nats_per_char", "bits_per_char", "perplexity")
    nats, bits, perplexity = (
        _with_spread(means, [s.get(unit) for s in spread])
        for unit, means in zip(units, zip(*losses, strict=True), strict=True)
    )
    behind = [f"{d.nats:+.4f}" if (d := s.difference_from_best) else "" for s in summaries]
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
    """Cells such as `1.2345 ± 0.0067`, padded so that decimal points align."""
    digits = 3 if max((len(m.partition(".")[2]) for m in means), default=0) == 3 else 4
    deviations = [f" ± {s:.{digits}f}" if s is not None else "" for s in spread]
    width = max(map(len, deviations), default=0)
    return [mean + d.ljust(width) for mean, d in zip(means, deviations, strict=True)]


def _name(summary: ModelSummary) -> str:
    if summary.results and summary.diverged:
        return f"{summary.title} ({summary.diverged} diverged)"
    return summary.title + ("" if summary.results else ": diverged")


def _mean(summary: ModelSummary, name: str, format_spec: str) -> str:
    """The mean of an attribute over the runs; empty if there is none."""
    value = summary.mean(name) if summary.results else None
    if value is None or (name == "best_epoch" and summary.config.cell == NGram.kind):
        return ""
    return format(value, format_spec)


def _p(summary: ModelSummary) -> str:
    test = summary.difference_from_best
    if not test:
        return ""
    return "<0.001" if test.p < 0.001 else f"{test.p:.3f}"


def _pages(columns: Sequence[Column], width: int) -> list[list[Column]]:
    """Split the columns into tables that fit the width, each with the names at the left.

    Columns are placed in the order of `rank`; within a table, they keep their order.
    """
    names, *remaining = sorted(columns, key=lambda c: c.rank)
    pages = []
    while remaining:
        page, room = [names], width - names.width
        while remaining and (remaining[0].width + 2 <= room or len(page) == 1):
            room -= remaining[0].width + 2
            page.append(remaining.pop(0))
        pages.append([c for c in columns if c in page])
    return pages


def _notes(summaries: Sequence[ModelSummary]) -> list[str]:
    """Paragraphs: the ranking, the test, and what limits them."""
    ranked = [s for s in summaries if s.results]
    notes = []
    if len(ranked) > 1:
        tested = ranked[1].difference_from_best is not None
        notes += [_ranking(ranked), _test(ranked)] if tested else [_TOO_SHORT]
    if any(s.config.cell == NGram.kind and s.config.order == 1 for s in ranked):
        notes.append("ngram 1 is the order-0 entropy: it knows only how often characters occur.")
    if single := [s.title for s in ranked if s.single_seed]:
        notes.append(f"Only one run of {', '.join(single)}: the effect of the seed is not tested.")
    if any(s.diverged for s in ranked):
        notes.append("The means exclude runs that diverged.")
    return notes


def _ranking(ranked: Sequence[ModelSummary]) -> str:
    best = ranked[0]
    tied = [s for s in ranked[1:] if (d := s.difference_from_best) and d.p >= LEVEL]
    if not tied:
        return f"{best.title} is best. Its lead is significant."
    names = ", ".join(f"{s.title} (p = {_p(s)})" for s in tied)
    others = " Its lead over all others is significant." if len(tied) < len(ranked) - 1 else ""
    return f"{best.title} is best. Its lead over {names} is not significant.{others}"


def _test(ranked: Sequence[ModelSummary]) -> str:
    """The method of the test, for people and for JSON."""
    blocks = ranked[0].losses.shape[1]
    length = ranked[0].loss.chars / blocks
    count = len(ranked) - 1
    holm = f" p is corrected for {count} comparisons (Holm)." if count > 1 else ""
    return (
        "behind: difference from the best, in nats per character. p: probability that equally good "
        "models differ by this much or more, by a two-sided Welch's t test over the runs of each "
        f"model and {blocks} paired blocks of {length:,.0f} characters.{holm} Significant means "
        f"p < {LEVEL:g}."
    )


def to_json(summaries: Sequence[ModelSummary]) -> dict[str, Any]:
    """The comparison as a JSON object."""
    ranked = [s for s in summaries if s.results]
    tested = len(ranked) > 1 and ranked[1].difference_from_best is not None
    return {
        "blocks": ranked[0].losses.shape[1] if ranked else 0,
        "method": _test(ranked) if tested else None,
        "models": [_model(s) for s in summaries],
    }


def _model(s: ModelSummary) -> dict[str, Any]:
    data: dict[str, Any] = {"model": s.title, "diverged": s.diverged}
    if not s.results:
        return data | {"runs": []}
    data |= _shape(s.results[0]) | {"parameters": s.results[0].parameters} | s.loss.to_json()
    data["deviation"] = s.std
    for name in ("best_epoch", "chars_per_second", "seconds"):
        data[name] = s.mean(name)
    test = s.difference_from_best
    data["behind"] = test and {
        "nats_per_char": test.nats, "standard_error": test.error,
        "freedom": finite(test.degrees_of_freedom), "p": test.p,
    }  # fmt: skip
    return data | {"runs": [_run(r) for r in s.results]}


def _shape(result: Result) -> dict[str, Any]:
    """Cell and sizes of a network, or order of an n-gram model; the others are null."""
    c = result.config
    is_ngram = c.cell == NGram.kind
    return {
        "cell": c.cell, "layers": None if is_ngram else c.layers,
        "hidden": None if is_ngram else c.hidden, "order": c.order if is_ngram else None,
    }  # fmt: skip


def _run(result: Result) -> dict[str, Any]:
    return {
        "checkpoint": str(result.run.path), "seed": result.seed, **result.loss.to_json(),
        "best_epoch": result.best_epoch, "chars_per_second": result.chars_per_second,
        "seconds": result.seconds,
    }  # fmt: skip


def write_csv(summaries: Sequence[ModelSummary], path: Path) -> None:
    """Write a CSV file with a line per run."""
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
    """The learning curves of all runs."""
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
