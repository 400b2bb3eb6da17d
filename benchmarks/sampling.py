"""Sampling speed: charrnn's `write` against a loop in PyTorch.

    python -m benchmarks.sampling [--network 2x128] [--streams 1,64] [--length 200]

Both draw one symbol at a time for all streams in parallel.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from benchmarks import command_line as options
from benchmarks.rounds import (
    ChildError,
    Contestant,
    Spread,
    best_setting,
    interleaved,
    time_steps,
)
from benchmarks.shapes import Setting, Shape
from benchmarks.tables import keep, markdown, number, show, spread

CONTESTANTS = {
    "charrnn": Contestant("charrnn", "write_charrnn"),
    "torch": Contestant("PyTorch", "write_torch", ("", "LSTMCell")),
}
"""The contestants, by the package that each needs."""


def measure(
    shape: Shape, choices: dict[str, list[Setting]], rounds: int, seconds: float, trial: float
) -> dict[str, Any]:
    """One row: the fastest setting of each contestant, and its times in each round."""
    settings, jobs = {}, {}
    for name, own in choices.items():
        contestant = CONTESTANTS[name]
        settings[name] = best_setting(contestant, shape, own, trial)
        jobs[name] = partial(time_steps, contestant, shape, settings[name], seconds)
    figures = interleaved(jobs, rounds)
    contestants = {n: {"setting": vars(settings[n]), "rounds": figures[n]} for n in jobs}
    return {"shape": shape.to_json(), "contestants": contestants}


def table(results: list[dict[str, Any]]) -> str:
    """Speed and time per character of both, and the ratio of the speeds."""
    names = list(results[0]["contestants"])
    head = ["Network", "Streams"]
    for name in names:
        shown = CONTESTANTS[name].name
        head += [f"{shown}, chars/s", f"{shown}, µs/char", f"{shown}, setting"]
    lines = []
    for row in results:
        shape = Shape(**row["shape"])
        line, speeds = [f"{shape.cell} {shape.layers} × {shape.hidden}", str(shape.batch)], []
        for name in names:
            entry = row["contestants"][name]
            speeds.append(Spread.of([shape.chars / f["median"] for f in entry["rounds"]]))
            each = number(1e6 / speeds[-1].median)
            line += [spread(speeds[-1]), each, str(Setting(**entry["setting"]))]
        if len(names) > 1:
            line.append(f"{speeds[0].median / speeds[1].median:.2f}")
        lines.append(line)
    return markdown([*head, "charrnn / PyTorch"] if len(names) > 1 else head, lines)


@click.command(help=__doc__)
@options.toy_option(networks=["2x16"], streams="1,3", length=5, rounds=1, seconds=0.05,
                    threads="1", variants=False)  # fmt: skip
@click.option("--network", "networks", multiple=True, default=("2x128", "2x512"),
              show_default=True, metavar="LAYERSxHIDDEN", help="Size of the LSTM.")  # fmt: skip
@click.option("--streams", type=options.Numbers(), default="1,64", show_default=True,
              help="Numbers of texts to write in parallel.")  # fmt: skip
@click.option("--length", type=click.IntRange(min=1), default=200, show_default=True,
              help="Characters in each timed step.")  # fmt: skip
@options.rounds_option(5)
@options.seconds_option()
@options.threads_option()
@options.trial_option()
@options.variants_option()
@options.json_option()
def main(
    networks: tuple[str, ...],
    streams: tuple[int, ...],
    length: int,
    rounds: int,
    seconds: float,
    threads: tuple[int, ...],
    trial_seconds: float,
    variants: bool,
    json_file: Path | None,
) -> None:
    """Measure row by row and print the table."""
    convert = options.ShapeType().convert
    shapes = [convert(f"{n},{count},{length}", None, None) for n in networks for count in streams]
    choices = {
        n: c.settings(threads, variants=variants) for n, c in CONTESTANTS.items() if find_spec(n)
    }
    asked = {"rounds": rounds, "seconds": seconds, "trial_seconds": trial_seconds}
    results: list[dict[str, Any]] = []
    try:
        for n, shape in enumerate(shapes, 1):
            click.echo(f"{n}/{len(shapes)} {shape}", err=True)
            results.append(measure(shape, choices, rounds, seconds, trial_seconds))
            keep(json_file, "sampling", asked, results)
    except ChildError as error:
        raise click.ClickException(str(error)) from None
    notes = (
        f"Medians (and range) of {rounds} rounds, each in a new process, in turn; "
        "the time per character counts the characters of all streams. "
        "Above 1, charrnn is faster."
    )
    show("Sampling", table(results), notes)


if __name__ == "__main__":
    main()
