"""Learning while reading (`eval --dynamic`): its options, and the loss that comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from charrnn.cli.inputs import LoadedModels
from charrnn.cli.views.display import echo_err, symbols_of
from charrnn.errors import CheckpointError
from charrnn.language.dynamic import Dynamic, dynamic_surprisal
from charrnn.language.evaluate import Loss
from charrnn.models import CharRNN
from charrnn.nn.params import Ids

_OPTIONS = (
    click.option("--dynamic", is_flag=True, help="Measure also how it does learning as it reads."),
    click.option("--dynamic-lr", type=float, metavar="RATE",
                 help="How far a weight moves at a time.  [default: by its size, 5e-4 at most]"),
    click.option("--dynamic-decay", type=float, metavar="SHARE",
                 help=f"Share of the way back each time.  [default: {Dynamic.decay:g}]"),
    click.option("--dynamic-seq", type=int, metavar="N",
                 help=f"Characters, or words, learned from at a time.  [default: {Dynamic.seq}]"),
)  # fmt: skip


def dynamic_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def how_to_learn(dynamic: bool, options: dict[str, float | None]) -> Dynamic | None:
    """How to learn while reading, if that is asked for."""
    given: dict[str, Any] = {
        name.removeprefix("dynamic_"): value for name, value in options.items() if value is not None
    }
    if dynamic:
        return Dynamic(**given)
    for name in given:
        raise click.UsageError(f"--dynamic-{name} goes with --dynamic; give that too.")
    return None


def network_of(opened: LoadedModels) -> CharRNN:
    """What is to learn while it reads; a CheckpointError if that cannot."""
    model = opened.checkpoint.model
    if isinstance(model, CharRNN):
        return model
    raise CheckpointError(
        f"{opened} ({model.name}) is no network that predicts what comes next; only such a one "
        "learns while it reads. Leave out --dynamic."
    )


def learning(opened: LoadedModels, ids: Ids, how: Dynamic) -> tuple[Loss, dict[str, Any]]:
    """The loss of a text that is learned while it is read, and the same for JSON."""
    network, vocabulary = network_of(opened), opened.checkpoint.vocabulary
    started, nats, done = time.perf_counter(), 0.0, 0
    try:
        with _shown(len(ids)) as show:
            for found in dynamic_surprisal(network, ids, how, np.random.default_rng(0)):
                nats += float(found.sum())
                done += len(found)
                show(done)
    except KeyboardInterrupt:
        echo_err(f"Stopped after {done:,} of {len(ids):,} {symbols_of(vocabulary)}.")
        raise click.exceptions.Exit(130) from None
    loss = Loss.of(nats, ids, vocabulary)
    how = replace(how, lr=how.rate(network.params.flat.size))
    return loss, {**loss.to_json(), **asdict(how), "seconds": time.perf_counter() - started}


@contextmanager
def _shown(total: int) -> Iterator[Callable[[int], None]]:
    """What shows how far it is: a bar, or where there is no terminal a line at the beginning."""
    console = Console(stderr=True)
    if not console.is_terminal:
        echo_err("Learning while reading.")
        yield lambda done: None
        return
    width = min(40, console.width - 25)  # so that a ^C has room beside all this
    columns = (
        TextColumn("Learning"),
        BarColumn(width),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)  # until the first symbol is read, moving to and fro
        yield lambda done: bar.update(task, completed=done, total=total)
