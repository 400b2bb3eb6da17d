"""The fraction of a training step of charrnn that its matrix products take.

    python -m benchmarks.bound [--row 2x128,50,50] [--cell lstm]

The products have the same shapes, order, threads and workers as in the step. The remaining time is
the most that better code around them could save.
"""

from __future__ import annotations

from functools import partial
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
from benchmarks.step_products import operations
from benchmarks.tables import keep, markdown, number, show, spread

STEP = Contestant("charrnn", "step_charrnn", has_workers=True)
PRODUCTS = Contestant("products", "step_products", has_workers=True)


def measure(
    shape: Shape, choices: list[Setting], rounds: int, seconds: float, trial: float
) -> dict[str, Any]:
    """Time the step and its products, both with the fastest setting of the step."""
    setting = best_setting(STEP, shape, choices, trial)
    jobs = {c.name: partial(time_steps, c, shape, setting, seconds) for c in (STEP, PRODUCTS)}
    figures = interleaved(jobs, rounds)
    return {"shape": shape.to_json(), "setting": vars(setting), "rounds": figures}


def milliseconds(row: dict[str, Any], contestant: Contestant) -> Spread:
    """The step time over the rounds."""
    return Spread.of([1000 * f["median"] for f in row["rounds"][contestant.name]])


def table(results: list[dict[str, Any]]) -> str:
    """All rows, and the geometric mean of the fractions."""
    head = ["Cell", "Network", "Batch", "Length", "Setting", "Products, ms", "Step, ms", "Fraction"]
    lines, shares = [], []
    for row in results:
        shape = Shape(**row["shape"])
        products, step = milliseconds(row, PRODUCTS), milliseconds(row, STEP)
        shares.append(products.median / step.median)
        lines.append(
            [
                shape.cell,
                f"{shape.layers} × {shape.hidden}",
                str(shape.batch),
                str(shape.seq),
                str(Setting(**row["setting"])),
                spread(products),
                spread(step),
                f"{shares[-1]:.0%}",
                number(operations(shape) / products.median / 1e6),
            ]
        )
    lines.append(["geometric mean", *[""] * 6, f"**{geometric_mean(shares):.0%}**", ""])
    return markdown([*head, "GFLOP/s of the products"], lines)


@click.command(help=__doc__)
@options.toy_option(rows=["2x16,2,5"], rounds=1, seconds=0.05, threads="1", workers="1")
@options.row_option()
@options.cell_option()
@options.rounds_option(5)
@options.seconds_option()
@options.threads_option()
@options.trial_option()
@options.workers_option()
@options.json_option()
def main(
    rows: tuple[Shape, ...],
    cells: tuple[str, ...],
    rounds: int,
    seconds: float,
    threads: tuple[int, ...],
    trial_seconds: float,
    workers: tuple[int, ...],
    json_file: Path | None,
) -> None:
    """Measure row by row and print the table."""
    shapes = [row.with_cell(cell) for row in rows for cell in cells]
    choices = STEP.settings(threads, workers)
    asked = {"rounds": rounds, "seconds": seconds, "trial_seconds": trial_seconds}
    results: list[dict[str, Any]] = []
    try:
        for n, shape in enumerate(shapes, 1):
            click.echo(f"{n}/{len(shapes)} {shape.cell} {shape}", err=True)
            results.append(measure(shape, choices, rounds, seconds, trial_seconds))
            keep(json_file, "bound", asked, results)
    except ChildError as error:
        raise click.ClickException(str(error)) from None
    notes = f"Medians (and range) of {rounds} rounds, each in a new process, in turn."
    show("Matrix products in a training step", table(results), notes)


if __name__ == "__main__":
    main()
