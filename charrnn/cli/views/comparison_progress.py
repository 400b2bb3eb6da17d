"""What a person sees while a comparison goes on: a live table, plain lines or nothing."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from charrnn.cli.views.display import cells, choice, clock, echo_err, units
from charrnn.compare.comparison import Comparison
from charrnn.compare.results import ModelSummary
from charrnn.compare.trial import Trial, TrialProgress
from charrnn.config.resolve import filled_in
from charrnn.data.split import PART_NAMES
from charrnn.language.evaluate import Loss
from charrnn.models import NGram, parameters
from charrnn.tasks import LanguageModelConfig

_REMINDER = 60.0  # seconds between two plain lines that say how far it is


class ComparisonReporter:
    """Draws a comparison, inside a `with` block. This one, `--quiet`, draws nothing."""

    def __init__(self, comparison: Comparison, workers: int) -> None:
        self.comparison, self.workers = comparison, workers
        self.began = time.monotonic()

    def __enter__(self) -> ComparisonReporter:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing behind."""

    def show(self, ended: Trial | None) -> None:
        """A run has ended; None: time has passed."""


def comparison_reporter(comparison: Comparison, workers: int, *, quiet: bool) -> ComparisonReporter:
    """Live in a terminal, plain lines elsewhere, or nothing when asked."""
    if quiet:
        return ComparisonReporter(comparison, workers)
    live = Console(stderr=True).is_terminal
    return (LiveTable if live else Plain)(comparison, workers)


class Plain(ComparisonReporter):
    """A line a run, and one a minute."""

    def __enter__(self) -> ComparisonReporter:
        for line in opening(self.comparison, self.workers):
            self.say(line)
        self._spoke = self.began
        return self

    def say(self, line: str) -> None:
        """A line on standard error."""
        echo_err(line)

    def show(self, ended: Trial | None) -> None:
        now = time.monotonic()
        if ended:
            self.say(f"[{self._count}] {_outcome(self.comparison, ended)}")
        elif now - self._spoke > _REMINDER:
            going = [f"{p.share:.0%} of {t.name}" for t, p in self.comparison.running.items()]
            self.say(f"[{self._count}] {'; '.join(going) or 'beginning'}; {self._left}")
        else:
            return
        self._spoke = now

    @property
    def _count(self) -> str:
        return f"{len(self.comparison.results)}/{len(self.comparison.trials)}"

    @property
    def _left(self) -> str:
        left = self.comparison.time_left(self.workers)
        return "time left not known yet" if left is None else f"about {clock(left)} left"


class _Row(NamedTuple):
    """A model: its title, what is shown of it, and its losses in validation and test (infinite
    while there are none).
    """

    title: str
    cells: list[str]
    losses: list[float]


class LiveTable(Plain):
    """The models as they stand, and the runs that go on; gone when the final table comes."""

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

    def say(self, line: str) -> None:
        self.console.print(Text(line))

    def show(self, ended: Trial | None) -> None:
        if ended and self.comparison.results[ended] is None:
            self.say(_outcome(self.comparison, ended))

    def draw(self) -> Group:
        """The panel as it stands. The table comes last: of a long one, the end may be cut off."""
        bars = [self._bar(t, p) for t, p in list(self.comparison.running.items())]
        gone = clock(time.monotonic() - self.began)
        done = Text(f"{self._count} runs done, {gone} gone, {self._left}", style="dim")
        return Group(done, *bars, self._table())

    def _table(self) -> Table:
        """A line for each model; the lowest perplexities so far are bold."""
        rows = [self._row(model) for model in self.comparison.models]
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
            table.add_row(Text(row.title), *(Text(row.cells[n], styles[n]) for n in shown))
        return table

    def _row(self, model: LanguageModelConfig) -> _Row:
        c = self.comparison
        of = [t for t in c.trials if t.config.model_name == model.model_name]
        ended = [c.results[t] for t in of if t in c.results]
        summary = ModelSummary(model.model_name, tuple(r for r in ended if r))
        found = [p.best for t in of if (p := c.running.get(t))]
        found += [point.nats for r in summary.results for point in r.curve]
        valid = min((nats for nats in found if nats is not None), default=math.inf)
        size, test, nats = _size(model, len(c.corpus.vocabulary)), "", math.inf
        if summary.results:
            size, nats = f"{summary.results[0].parameters:,}", summary.loss.nats_per_char
            spread = f" ± {summary.spread['perplexity']:.3f}" if summary.spread else ""
            test = cells(summary.loss)[2] + spread
        elif ended:
            test = "diverged"
        reached = cells(Loss(valid, 1))[2] if math.isfinite(valid) else ""
        return _Row(
            model.model_name, [size, f"{len(ended)}/{len(of)}", reached, test], [valid, nats]
        )

    def _bar(self, trial: Trial, progress: TrialProgress) -> Text:
        share = min(1.0, progress.share)
        tail = f" {share:4.0%}  {trial.name}, epoch {progress.epoch:.1f}"
        width = min(30, max(4, self.console.width - len(tail)))
        full = round(width * share)
        bar: list[Any] = [("━" * full, "green"), ("━" * (width - full), "dim"), tail]
        return Text.assemble(*bar, no_wrap=True, overflow="ellipsis")


def opening(comparison: Comparison, workers: int) -> list[str]:
    """What is about to be done."""
    corpus, symbols = comparison.corpus, len(comparison.corpus.vocabulary)
    parts = ", ".join(f"{chars:,} {PART_NAMES[p]}" for p, chars in corpus.chars.items() if chars)
    lines = [f"{corpus.name}: {parts} {corpus.contents}"]
    networks = [m for m in comparison.models if m.cell != NGram.kind]
    done, several = len(comparison.results), len(comparison.trials)
    last = f"{comparison.folder}: {several} run{'s' * (several > 1)}"
    if done:
        last += f", {done} of them done before"
    if networks:
        sizes = [f"{m.model_name} {_size(m, symbols)}" for m in networks]
        lines.append(f"Parameters: {'; '.join(sizes)}")
        chosen = filled_in(comparison.plan.config, comparison.config)
        chosen.pop("hidden", None)  # told with the parameters
        if chosen:
            lines.append(choice(chosen))
        unit, amount = next(iter(comparison.config.budgets.items()))
        if done < several:
            unit = unit.removesuffix("s") if amount == 1 else unit
            last += f"; {amount:g} {unit} each, {workers} at a time"
    return [*lines, last]


def _size(model: LanguageModelConfig, symbols: int) -> str:
    """How many parameters a network has; of n-grams nobody knows before they are counted."""
    if model.cell == NGram.kind:
        return ""
    return f"{parameters(model.network(symbols)):,}"


def _outcome(comparison: Comparison, trial: Trial) -> str:
    result = comparison.results[trial]
    if result is None:
        return f"{trial.name}: {trial.run.records()[-1]['message']}"
    network = result.seed is not None and result.best_epoch is not None
    epoch = f", best at epoch {result.best_epoch:.1f}" if network else ""
    return f"{trial.name}: test {units(result.loss)}{epoch}, {clock(result.seconds or 0)}"
