"""Characters per second of a whole training step: charrnn, PyTorch and JAX.

    python -m benchmarks.training [--row 2x128,50,50] [--cell lstm] [--contestant charrnn]

A step is forward pass, loss, backward pass, clipping by the global norm and Adam.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    geometric_mean,
    interleaved,
    time_steps,
)
from benchmarks.shapes import Setting, Shape
from benchmarks.tables import keep, markdown, number, show, spread

CONTESTANTS = {
    "charrnn": Contestant("charrnn", "step_charrnn", has_workers=True),
    "torch": Contestant("PyTorch", "step_torch"),
    "jax": Contestant("JAX", "step_jax", ("", "unroll 5")),
}
"""The contestants, by the package that each needs."""


def installed() -> list[str]:
    """The contestants whose package is installed."""
    return [name for name in CONTESTANTS if find_spec(name)]


def measure(
    shape: Shape, choices: dict[str, list[Setting]], rounds: int, seconds: float, trial: float
) -> dict[str, Any]:
    """One row: the fastest setting of each contestant, and its times in each round."""
    best = {
        name: best_setting(CONTESTANTS[name], shape, settings, trial)
        for name, settings in choices.items()
    }
    jobs = {
        name: partial(time_steps, CONTESTANTS[name], shape, setting, seconds)
        for name, setting in best.items()
    }
    figures = interleaved(jobs, rounds)
    return {
        "shape": shape.to_json(),
        "contestants": {n: {"setting": vars(best[n]), "rounds": figures[n]} for n in best},
    }


def speed(row: dict[str, Any], name: str) -> Spread:
    """Characters per second, from the median step time of each round."""
    chars = Shape(**row["shape"]).chars
    return Spread.of([chars / f["median"] for f in row["contestants"][name]["rounds"]])


def table(results: list[dict[str, Any]], names: Sequence[str]) -> str:
    """All rows, and the geometric mean of each column of ratios."""
    rivals = [n for n in names if n != "charrnn"] if "charrnn" in names else []
    head = ["Cell", "Network", "Batch", "Length"]
    head += [f"{CONTESTANTS[n].name}, chars/s" for n in names]
    head += [f"charrnn / {CONTESTANTS[n].name}" for n in rivals]
    lines, ratios = [], []
    for row in results:
        shape, speeds = Shape(**row["shape"]), {n: speed(row, n) for n in names}
        line = [shape.cell, f"{shape.layers} × {shape.hidden}", str(shape.batch), str(shape.seq)]
        for n in names:
            setting = Setting(**row["contestants"][n]["setting"])
            line.append(f"{spread(speeds[n])}, {setting}")
        ratios.append([speeds["charrnn"].median / speeds[n].median for n in rivals])
        lines.append([*line, *(f"{r:.2f}" for r in ratios[-1])])
    if rivals:
        means = [f"**{number(geometric_mean(column))}**" for column in zip(*ratios, strict=True)]
        lines.append(["geometric mean", *[""] * (3 + len(names)), *means])
    return markdown(head, lines)


@click.command(help=__doc__)
@options.toy_option(
    rows=["1x16,2,5"], rounds=1, seconds=0.05, threads="1", workers="1", variants=False
)
@options.row_option()
@options.cell_option()
@click.option("--contestant", "names", type=click.Choice(tuple(CONTESTANTS)), multiple=True,
              help="Program to time. Repeatable.  [default: all installed]")  # fmt: skip
@options.rounds_option(5)
@options.seconds_option()
@options.threads_option()
@options.trial_option()
@options.variants_option()
@options.workers_option()
@options.json_option()
def main(
    rows: tuple[Shape, ...],
    cells: tuple[str, ...],
    names: tuple[str, ...],
    rounds: int,
    seconds: float,
    threads: tuple[int, ...],
    trial_seconds: float,
    variants: bool,
    workers: tuple[int, ...],
    json_file: Path | None,
) -> None:
    """Measure row by row and print the table."""
    names = names or tuple(installed())
    choices = {n: CONTESTANTS[n].settings(threads, workers, variants) for n in names}
    shapes = [row.with_cell(cell) for row in rows for cell in cells]
    asked = {"rounds": rounds, "seconds": seconds, "trial_seconds": trial_seconds}
    results: list[dict[str, Any]] = []
    try:
        for n, shape in enumerate(shapes, 1):
            click.echo(f"{n}/{len(shapes)} {shape.cell} {shape}", err=True)
            results.append(measure(shape, choices, rounds, seconds, trial_seconds))
            keep(json_file, "training", asked, results)
            reached = ", ".join(f"{c} {spread(speed(results[-1], c))}" for c in names)
            click.echo(f"  {reached}", err=True)
    except ChildError as error:
        raise click.ClickException(str(error)) from None
    notes = (
        f"Medians (and range) of {rounds} rounds, each in a new process, in turn; "
        "every contestant uses its fastest setting. "
        "Above 1, charrnn is faster."
    )
    show("Training, characters per second", table(results, names), notes)


if __name__ == "__main__":
    main()
