"""Everything that is drawn. The only module that imports rich.

Text and JSON belong on standard output; what is drawn here goes to standard error, but for the
tables that a command was asked for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol

import click
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from charrnn.evaluate import Loss
from charrnn.events import (
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
from charrnn.train import Trainer

_BARS = "▁▂▃▄▅▆▇█"
_NAMES = {"train": "training", "valid": "validation", "test": "test"}


class Listener(Protocol):
    """Draws the events of training, inside a `with` block."""

    def show(self, event: Event, trainer: Trainer) -> None: ...
    def __enter__(self) -> Listener: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None: ...


def listener(*, quiet: bool, as_json: bool) -> Listener:
    """Live in a terminal, plain lines elsewhere, JSON or nothing when asked."""
    if as_json:
        return Json()
    if quiet:
        return Quiet()
    return LiveView() if Console(stderr=True).is_terminal else Plain()


class Quiet:
    """Draws nothing."""

    def show(self, event: Event, trainer: Trainer) -> None:
        """Draw nothing."""

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave nothing behind."""


class Json(Quiet):
    """One event a line on standard output."""

    def show(self, event: Event, trainer: Trainer) -> None:
        click.echo(json.dumps(to_json(event), ensure_ascii=False))


class Plain(Quiet):
    """One line an evaluation, and the outcome."""

    def show(self, event: Event, trainer: Trainer) -> None:
        match event:
            case Started():
                note(_opening(event, trainer))
            case Evaluated():
                note(_line(event))
            case Recovered():
                note(_recovery(event))
            case Finished() if event.losses:
                for line in _outcome(event, trainer):
                    note(line)


class LiveView(Plain):
    """A panel that is drawn anew a few times a second, and stays when training ends."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.opening = ""
        self.step: Stepped | None = None
        self.evaluated: list[Evaluated] = []
        self.sample: Sampled | None = None
        self.trainer: Trainer | None = None
        self.live = Live(console=self.console, refresh_per_second=4, get_renderable=self.draw)

    def __enter__(self) -> Listener:
        self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.live.stop()

    def show(self, event: Event, trainer: Trainer) -> None:
        self.trainer = trainer
        match event:
            case Started():
                self.opening = _opening(event, trainer)
            case Stepped():
                self.step = event
            case Evaluated():
                self.evaluated.append(event)
            case Sampled():
                self.sample = event
            case Recovered():
                self.live.console.print(f"[yellow]{escape(_recovery(event))}[/]")
            case Finished():
                self.live.refresh()
                self.live.stop()
                if event.losses:
                    self.console.print(
                        loss_table(event.losses), *_outcome(event, trainer)[-1:], sep="\n"
                    )
            case Saved():
                pass

    def draw(self) -> Group:
        """The panel as it stands."""
        lines: list[Any] = [Text(self.opening, style="dim")]
        if self.step and self.trainer:
            lines += [self._progress(self.step), self._losses(self.step)]
        if self.sample:
            shown = [line for line in _clean(self.sample.text).splitlines() if line.strip()][:3]
            width = max(10, self.console.width - 2)
            lines += [Text("│ " + line[: width - 2], style="cyan", no_wrap=True) for line in shown]
        return Group(*lines)

    def _progress(self, step: Stepped) -> Text:
        share = min(1.0, step.share)
        left = step.seconds * (1 - share) / share if share else 0.0
        tail = (
            f" {share:4.0%}  epoch {step.epoch:.2f}  {step.chars_per_second:,.0f} char/s  "
            f"{_clock(step.seconds)} gone, {_clock(left)} left"
        )
        width = min(30, max(0, self.console.width - len(tail)))
        full = round(width * share)
        return Text.assemble(("━" * full, "green"), ("━" * (width - full), "dim"), tail)

    def _losses(self, step: Stepped) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_row("", *(Text(u, style="dim") for u in ("nats", "bits", "perplexity")), "")
        lr = Text(f"lr {step.lr:.2g}", style="dim")
        table.add_row("training", *_cells(step.train), lr)
        valid = [e.valid.nats_per_char for e in self.evaluated if e.valid]
        if valid:
            newest = self.evaluated[-1].valid
            assert newest is not None
            best = Text(f"best {min(valid):.4f} ", style="dim")
            room = max(0, min(24, self.console.width - 54))
            table.add_row(
                "validation", *_cells(newest), best + Text(curve(valid, room), style="green")
            )
        return table


def note(message: str) -> None:
    """One line on standard error."""
    click.echo(message, err=True)


def curve(values: Sequence[float], width: int) -> str:
    """A line of little bars, the newest at the right; the axis runs from the least to the most."""
    if width <= 0:
        return ""
    if len(values) > width:
        values = [values[round(n * (len(values) - 1) / max(1, width - 1))] for n in range(width)]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_BARS[round((v - low) / span * (len(_BARS) - 1))] for v in values)


def loss_table(losses: dict[str, Loss]) -> Table:
    """Losses in the three units, with the number of characters each is over."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for unit in ("nats/char", "bits/char", "perplexity", "characters"):
        table.add_column(unit, justify="right")
    for name, loss in losses.items():
        table.add_row(_NAMES.get(name, name), *_cells(loss), f"{loss.chars:,}")
    return table


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()
) -> None:
    """A plain table on standard output."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console(highlight=False).print(table)


def print_losses(losses: dict[str, Loss]) -> None:
    """A table of losses on standard output."""
    Console(highlight=False).print(loss_table(losses))


def download_bar(name: str, total: int, progress: Iterator[int]) -> None:
    """Draw a download while it goes on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        note(f"Fetching {name} ({total:,} bytes).")
        for _ in progress:
            pass
        return
    columns = (TextColumn(f"Fetching {name}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        for done in progress:
            bar.update(task, completed=done)


def is_terminal() -> bool:
    """Whether a person reads standard error."""
    return sys.stderr.isatty()


def _opening(event: Started, trainer: Trainer) -> str:
    c = trainer.config
    parts = ", ".join(f"{n:,} {_NAMES[p]}" for p, n in event.chars.items() if n)
    resumed = f", resumed at step {event.step:,}" if event.step else ""
    return (
        f"{trainer.corpus.name}: {c.cell} {c.layers}x{c.hidden}, {event.parameters:,} parameters; "
        f"{parts} characters of {len(trainer.corpus.vocabulary)} kinds{resumed}"
    )


def _outcome(event: Finished, trainer: Trainer) -> list[str]:
    lines = [f"{_NAMES[n]} {_units(loss)} over {loss.chars:,}" for n, loss in event.losses.items()]
    where = trainer.run.best if trainer.run else "memory"
    best = f"Best model: step {event.best_step:,} of {event.step:,}, {where}"
    return [*lines, f"{best} ({_clock(event.seconds)}, {event.chars_per_second:,.0f} char/s)"]


def _recovery(event: Recovered) -> str:
    return (
        f"The loss exploded at step {event.step:,}: back to step {event.back_to:,}, learning rate "
        f"halved to {event.lr:.2g} (attempt {event.attempt} of 3)."
    )


def _line(event: Evaluated) -> str:
    valid = f"valid {_units(event.valid)}" if event.valid else "no validation"
    return (
        f"epoch {event.epoch:.2f} step {event.step} train {event.train.nats_per_char:.4f} nats "
        f"{valid}{' best' if event.best else ''} lr {event.lr:.2g} "
        f"{event.chars_per_second:,.0f} char/s {_clock(event.seconds)}"
    )


def _units(loss: Loss) -> str:
    nats, bits, perplexity = _cells(loss)
    return f"{nats} nats {bits} bits perplexity {perplexity}"


def _cells(loss: Loss) -> tuple[str, str, str]:
    return f"{loss.nats_per_char:.4f}", f"{loss.bits_per_char:.4f}", f"{loss.perplexity:.3f}"


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


def _clean(text: str) -> str:
    """Without control characters, which would upset a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
