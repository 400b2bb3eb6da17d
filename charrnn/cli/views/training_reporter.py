"""The display of training: a live panel, plain lines, JSON or nothing."""

from __future__ import annotations

import shlex
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from charrnn.cli.foreign import json_text, printable
from charrnn.cli.views.display import (
    cells,
    choice,
    clock,
    echo_err,
    loss_table,
    sparkline,
    units,
)
from charrnn.data.lines import split_lines
from charrnn.data.split import PART_NAMES
from charrnn.training.events import (
    Evaluated,
    Event,
    Finished,
    Recovered,
    Sampled,
    Saved,
    Started,
    Stepped,
    to_json,
)
from charrnn.training.network_trainer import MAX_RECOVERIES
from charrnn.training.trainer import Trainer


class Reporter:
    """Shows the events of training, inside a `with` block. This one shows nothing (`--quiet`)."""

    def show(self, event: Event, trainer: Trainer) -> None:
        """Show an event."""

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the display."""


def make_reporter(*, quiet: bool, as_json: bool) -> Reporter:
    """JSON or nothing if asked for; else a live panel in a terminal, plain lines elsewhere."""
    if as_json:
        return JsonLines()
    if quiet:
        return Reporter()
    return LiveView() if Console(stderr=True).is_terminal else PlainLines()


class JsonLines(Reporter):
    """One event per line on standard output."""

    def show(self, event: Event, trainer: Trainer) -> None:
        click.echo(json_text(to_json(event)))


class PlainLines(Reporter):
    """One line per evaluation, and the outcome."""

    def show(self, event: Event, trainer: Trainer) -> None:
        match event:
            case Started():
                echo_err(_opening(event, trainer))
                for line in _remarks(event, trainer):
                    echo_err(line)
            case Evaluated():
                echo_err(_line(event))
            case Recovered():
                echo_err(_recovery(event))
            case Finished() if event.stopped:
                echo_err(_stopped(event, trainer))
            case Finished():
                for line in _outcome(event, trainer):
                    echo_err(line)


class LiveView(PlainLines):
    """A panel that is redrawn a few times per second, and stays when training ends."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self.opening = ""
        self.step: Stepped | None = None
        self.evaluated: list[Evaluated] = []
        self.sample: Sampled | None = None
        self.trainer: Trainer | None = None
        self.live = Live(console=self.console, refresh_per_second=4, get_renderable=self.draw)

    def __enter__(self) -> Reporter:
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def show(self, event: Event, trainer: Trainer) -> None:
        self.trainer = trainer
        match event:
            case Started():
                self.opening = "\n".join([_opening(event, trainer), *_remarks(event, trainer)])
            case Stepped():
                self.step = event
            case Evaluated():
                self.evaluated.append(event)
            case Sampled():
                self.sample = event
            case Recovered():
                self.live.console.print(Text(_recovery(event), style="yellow"))
            case Finished():
                self.live.refresh()
                self.live.stop()
                if event.stopped:
                    echo_err(_stopped(event, trainer))
                else:
                    self.console.print(f"The best model, step {event.best_step:,}:")
                    self.console.print(loss_table(event.losses, self.console.width))
                    self.console.print(_outcome(event, trainer)[-1])
            case Saved():
                pass

    def draw(self) -> Group:
        """The panel now."""
        lines: list[Any] = [Text(printable(self.opening), style="dim")]
        if self.step and self.trainer:
            lines += [self._progress(self.step), self._losses(self.step)]
        if self.sample:
            shown = [line for line in split_lines(printable(self.sample.text)) if line.strip()][:3]
            lines += [
                Text(f"│ {line}", style="cyan", no_wrap=True, overflow="ellipsis") for line in shown
            ]
        return Group(*lines)

    def _progress(self, step: Stepped) -> Text:
        share = min(1.0, step.share)
        left = clock(step.seconds * (1 - share) / share) if share else "?"
        tail = f" {share:4.0%}  {left} left"
        if not self._narrow:
            speed = f"{step.chars_per_second:,.0f} char/s"
            tail += f"  {clock(step.seconds)} elapsed  epoch {step.epoch:.2f}  {speed}"
        width = min(30, max(0, self.console.width - len(tail)))
        full = round(width * share)
        return Text.assemble(("━" * full, "green"), ("━" * (width - full), "dim"), tail)

    def _losses(self, step: Stepped) -> Table:
        table = Table.grid(padding=(0, 2))
        heads = [Text(figure, style="dim") for figure in step.train.figures]
        rows: list[tuple[str | Text, ...]] = [("", *heads, "")]
        rows.append(("training", *cells(step.train), Text(f"lr {step.lr:.2g}", style="dim")))
        valid = [e.valid.nats_per_char for e in self.evaluated if e.valid]
        known = self.trainer.best_loss if self.trainer else None
        if valid and (newest := self.evaluated[-1].valid):
            best = Text(f"best {known or min(valid):.4f} ", style="dim")
            bars = Text(sparkline(valid, max(0, min(24, self.console.width - 54))), style="green")
            rows.append(("validation", *cells(newest), best + bars))
        for row in rows:
            table.add_row(*(row[:-1] if self._narrow else row))
        return table

    @property
    def _narrow(self) -> bool:
        return self.console.width < 66


def _opening(event: Started, trainer: Trainer) -> str:
    parts = ", ".join(f"{n:,} {PART_NAMES[p]}" for p, n in event.chars.items() if n)
    resumed = f", resumed at step {event.step:,}" if event.step else ""
    return (
        f"{trainer.dataset.name}: {trainer.model.name}, {event.parameters:,} parameters; "
        f"{parts} {trainer.dataset.contents}{resumed}"
    )


def _remarks(event: Started, trainer: Trainer) -> list[str]:
    """Remarks: how the text was read, options that were chosen, ranks, a text too short."""
    lines = list(trainer.dataset.notes)
    if trainer.share >= 1:
        lines.append(
            "The run is at the end of its budget; give a larger --steps, --epochs or --minutes."
        )
    if event.chosen:
        lines.append(choice(event.chosen))
    if event.ranks > 1:
        workers = f"{event.workers} worker{'s' * (event.workers > 1)} each"
        lines.append(f"{event.ranks} ranks, {workers}.")
    if trainer.reduction_changed:
        lines.append(
            "The number of ranks or workers differs from before (mpiexec -n, --workers): training "
            "continues, but not bit for bit."
        )
    if trainer.run and (count := trainer.damaged_records):
        lines.append(
            f"Skipped {count:,} damaged line{'s' * (count > 1)} of {trainer.run.log_file}."
        )
    if event.batch and (note := trainer.task.short_text_note(event.batch, event.seq)):
        lines.append(note)
    return lines


def _stopped(event: Finished, trainer: Trainer) -> str:
    if trainer.run and not trainer.run.last.exists():
        return f"Stopped before the evaluation; the model is {trainer.run.best}"
    where = shlex.quote(str(trainer.run.path)) if trainer.run else ""
    return f"Stopped after step {event.step:,}; continue with: charrnn train --resume {where}"


def _outcome(event: Finished, trainer: Trainer) -> list[str]:
    lines = [
        f"{PART_NAMES[n]} {units(loss)} over {loss.chars:,} {loss.counted}"
        for n, loss in event.losses.items()
    ]
    where = trainer.run.best if trainer.run else "in memory"
    return [*lines, f"Trained for {clock(event.seconds)}; the best model is {where}"]


def _recovery(event: Recovered) -> str:
    return (
        f"The loss diverged at step {event.step:,}: back to step {event.back_to:,}, learning rate "
        f"halved to {event.lr:.2g} (attempt {event.attempt} of {MAX_RECOVERIES})."
    )


def _line(event: Evaluated) -> str:
    valid = f"valid {units(event.valid)}" if event.valid else "no validation"
    rate = f" lr {event.lr:.2g}" if event.lr else ""
    train = "running train" if event.lr else "train"  # of n-grams it is exact, not a running mean
    return (
        f"epoch {event.epoch:.2f} step {event.step} {train} {event.train.nats_per_char:.4f} nats "
        f"{valid}{' (best)' if event.best else ''}{rate} "
        f"{event.chars_per_second:,.0f} char/s {clock(event.seconds)}"
    )
