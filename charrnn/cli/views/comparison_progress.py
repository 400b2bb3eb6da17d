"""Progress of a comparison: a live table, plain lines or nothing."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charrnn.cli.foreign import printable
from charrnn.cli.views.display import cells, choice, clock, echo_err, units
from charrnn.compare.comparison import Comparison
from charrnn.compare.results import ModelSummary
from charrnn.compare.trial import Trial, TrialProgress
from charrnn.config.resolve import filled_in
from charrnn.data.split import PART_NAMES
from charrnn.language.evaluate import Loss
from charrnn.models import NGram, count_parameters
from charrnn.tasks import LanguageModelConfig

_INTERVAL = 60.0  # seconds between plain progress lines


class ComparisonReporter:
    """Shows the progress of a comparison, in a `with` block. The base class shows nothing."""

    def __init__(self, comparison: Comparison, workers: int) -> None:
        self.comparison, self.workers = comparison, workers
        self.start_time = time.monotonic()

    def __enter__(self) -> ComparisonReporter:
        return self

    def __exit__(self, *error: object) -> None:
        """End the display."""

    def show(self, finished: Trial | None) -> None:
        """Update the display. `finished` is a run that has just finished, if any."""


def comparison_reporter(comparison: Comparison, workers: int, *, quiet: bool) -> ComparisonReporter:
    """A live table in a terminal, plain lines elsewhere, nothing if `quiet`."""
    if quiet:
        return ComparisonReporter(comparison, workers)
    live = Console(stderr=True).is_terminal
    return (LiveTable if live else PlainLines)(comparison, workers)


class PlainLines(ComparisonReporter):
    """Prints a line per finished run, and one per minute."""

    def __enter__(self) -> ComparisonReporter:
        for line in opening(self.comparison, self.workers):
            self.print_line(line)
        self._last_line = self.start_time
        return self

    def print_line(self, line: str) -> None:
        """Print a line to standard error."""
        echo_err(line)

    def show(self, finished: Trial | None) -> None:
        now = time.monotonic()
        if finished:
            self.print_line(f"[{self._count}] {_outcome(self.comparison, finished)}")
        elif now - self._last_line > _INTERVAL:
            running = [f"{p.share:.0%} of {t.name}" for t, p in self.comparison.running.items()]
            self.print_line(f"[{self._count}] {'; '.join(running) or 'starting'}; {self._left}")
        else:
            return
        self._last_line = now

    @property
    def _count(self) -> str:
        return f"{len(self.comparison.results)}/{len(self.comparison.trials)}"

    @property
    def _left(self) -> str:
        left = self.comparison.time_left(self.workers)
        return "time left unknown" if left is None else f"about {clock(left)} left"


class _Row(NamedTuple):
    """A row of the table: title, cells, and validation and test loss (infinite if unknown)."""

    title: str
    cells: list[str]
    losses: list[float]


class LiveTable(PlainLines):
    """Shows the running runs and a table of models; erased before the final table."""

    def __enter__(self) -> ComparisonReporter:
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self.live = Live(
            console=self.console, refresh_per_second=4, get_renderable=self.draw, transient=True
        )
        super().__enter__()
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def print_line(self, line: str) -> None:
        self.console.print(Text(printable(line)))

    def show(self, finished: Trial | None) -> None:
        if finished and self.comparison.results[finished] is None:
            self.print_line(_outcome(self.comparison, finished))

    def draw(self) -> Group:
        """The current display. The table is last, since a small terminal cuts off the end."""
        elapsed = clock(time.monotonic() - self.start_time)
        status = Text(f"{self._count} runs done, {elapsed} elapsed, {self._left}", style="dim")
        return Group(status, self._bars(), self._table())

    def _table(self) -> Table:
        """One row per model; the lowest perplexities so far are bold."""
        rows = [self._row(model) for model in self.comparison.model_configs]
        heads = [("parameters", 66), ("runs", 0), ("validation", 0), ("test", 0)]
        shown = [n for n, (_, width) in enumerate(heads) if self.console.width >= width]
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("perplexity of", no_wrap=True, overflow="ellipsis")
        for n in shown:
            table.add_column(heads[n][0], justify="right", no_wrap=True)
        lowest = [min(losses) for losses in zip(*(row.losses for row in rows), strict=True)]
        for row in rows:
            best = (loss == low for loss, low in zip(row.losses, lowest, strict=True))
            styles = ["", "", *("bold" * b for b in best)]
            table.add_row(
                Text(printable(row.title)), *(Text(row.cells[n], styles[n]) for n in shown)
            )
        return table

    def _row(self, model: LanguageModelConfig) -> _Row:
        c = self.comparison
        trials = [t for t in c.trials if t.config.model_name == model.model_name]
        finished = [c.results[t] for t in trials if t in c.results]
        summary = ModelSummary(model.model_name, tuple(r for r in finished if r))
        losses = [p.best for t in trials if (p := c.running.get(t))]
        losses += [point.nats for r in summary.results for point in r.curve]
        valid = min((nats for nats in losses if nats is not None), default=math.inf)
        size, test, nats = _size(model, len(c.corpus.vocabulary)), "", math.inf
        if summary.results:
            size, nats = f"{summary.results[0].parameters:,}", summary.loss.nats_per_char
            spread = f" ± {summary.std['perplexity']:.3f}" if summary.std else ""
            test = cells(summary.loss)[2] + spread
        elif finished:
            test = "diverged"
        validation = cells(Loss(valid, 1))[2] if math.isfinite(valid) else ""
        runs = f"{len(finished)}/{len(trials)}"
        return _Row(model.model_name, [size, runs, validation, test], [valid, nats])

    def _bars(self) -> Table:
        """A progress bar per running trial."""
        running = list(self.comparison.running.items())
        labels = [_progress_label(trial, progress) for trial, progress in running]
        width = min(30, max(4, self.console.width - 1 - max(map(len, labels), default=0)))
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=width)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for (_, progress), label in zip(running, labels, strict=True):
            bar = ProgressBar(
                1.0, progress.share, style="dim", complete_style="green", finished_style="green"
            )
            grid.add_row(bar, Text(label))
        return grid


def _progress_label(trial: Trial, progress: TrialProgress) -> str:
    share = min(1.0, progress.share)
    return f"{share:4.0%}  {trial.name}, epoch {progress.epoch:.1f}"


def opening(comparison: Comparison, workers: int) -> list[str]:
    """Lines that describe the comparison before it starts."""
    corpus, symbols = comparison.corpus, len(comparison.corpus.vocabulary)
    parts = ", ".join(f"{chars:,} {PART_NAMES[p]}" for p, chars in corpus.chars.items() if chars)
    lines = [f"{corpus.name}: {parts} {corpus.contents}"]
    networks = [m for m in comparison.model_configs if m.cell != NGram.kind]
    done, total = len(comparison.results), len(comparison.trials)
    last = f"{comparison.folder}: {total} run{'s' * (total > 1)}"
    if done:
        last += f", {done} of them already done"
    if networks:
        sizes = [f"{m.model_name} {_size(m, symbols)}" for m in networks]
        lines.append(f"Parameters: {'; '.join(sizes)}")
        chosen = filled_in(comparison.plan.config, comparison.config)
        chosen.pop("hidden", None)  # shown with the parameters
        if chosen:
            lines.append(choice(chosen))
        unit, amount = next(iter(comparison.config.budgets.items()))
        if done < total:
            unit = unit.removesuffix("s") if amount == 1 else unit
            last += f"; {amount:g} {unit} each, {workers} at a time"
    return [*lines, last]


def _size(model: LanguageModelConfig, symbols: int) -> str:
    """Number of parameters of a network; empty for n-grams, whose counts are not known yet."""
    if model.cell == NGram.kind:
        return ""
    return f"{count_parameters(model.network_config(symbols)):,}"


def _outcome(comparison: Comparison, trial: Trial) -> str:
    """A line about a finished run."""
    result = comparison.results[trial]
    if result is None:
        return f"{trial.name}: {trial.run.records()[-1]['message']}"
    network = result.seed is not None and result.best_epoch is not None
    epoch = f", best at epoch {result.best_epoch:.1f}" if network else ""
    return f"{trial.name}: test {units(result.loss)}{epoch}, {clock(result.seconds or 0)}"
