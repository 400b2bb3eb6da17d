"""The options of dynamic evaluation (`eval --dynamic`), and its progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from charrnn.cli.numbers import Number, Whole
from charrnn.cli.views.display import echo_err
from charrnn.language.dynamic import DynamicConfig

_OPTIONS = (
    click.option("--dynamic", is_flag=True,
                 help="Measure a second time, with a network that learns as it reads."),
    click.option("--dynamic-lr", type=Number(), metavar="RATE",
                 help="Learning rate.  [default: by the size of the network, at most 5e-4]"),
    click.option("--dynamic-decay", type=Number(), metavar="FRACTION",
                 help="Fraction by which each update moves the weights back towards the trained "
                 f"ones.  [default: {DynamicConfig.decay:g}]"),
    click.option("--dynamic-seq", type=Whole(), metavar="N",
                 help=f"Symbols per update.  [default: {DynamicConfig.seq}]"),
)  # fmt: skip


def dynamic_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def dynamic_config(dynamic: bool, options: dict[str, float | None]) -> DynamicConfig | None:
    """How to learn while reading; None without `--dynamic`."""
    given: dict[str, Any] = {
        name.removeprefix("dynamic_"): value for name, value in options.items() if value is not None
    }
    if dynamic:
        return DynamicConfig(**given)
    for name in given:
        raise click.UsageError(f"--dynamic-{name} goes with --dynamic; give that too.")
    return None


@contextmanager
def dynamic_progress(symbols: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows the progress, given symbols read and their total: a bar, or without a
    terminal one line at the beginning. After Ctrl-C, a line says how far it got.
    """
    console = Console(stderr=True)
    width = min(40, console.width - 25)  # leaves room for ^C
    columns = (
        TextColumn("Learning"), BarColumn(width), TaskProgressColumn(), TimeRemainingColumn()
    )  # fmt: skip
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=None)  # until the first symbol is read, the bar pulses
    reached = (0, 0)

    def show(done: int, total: int) -> None:
        nonlocal reached
        reached = done, total
        if done:
            bar.update(task, completed=done, total=total)
        elif not console.is_terminal:
            echo_err("Learning while reading.")

    try:
        with bar:
            yield show
    except KeyboardInterrupt:
        if not reached[1]:
            raise
        echo_err(f"Stopped after {reached[0]:,} of {reached[1]:,} {symbols}.")
        raise click.exceptions.Exit(130) from None
