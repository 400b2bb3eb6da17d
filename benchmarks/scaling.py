"""How much several machines gain: a model of the step time, fitted to times on this machine.

    python -m benchmarks.scaling [--row 2x128,50,50] [--cell lstm]

With p ranks, a step takes

    T(p) = t(B / p) + 2 (p - 1) / p * bytes / bandwidth + 2 (p - 1) * latency

t(b) = a + c b is the time of a step over b streams on one machine: a straight line through two
measured points, all B streams and an eighth of them. The other terms are the cost of a ring
all-reduce of 4 bytes per parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import command_line as options
from benchmarks.rounds import ChildError, Contestant, interleaved, time_steps
from benchmarks.shapes import CELL_NAMES, Setting, Shape
from benchmarks.step_products import operations
from benchmarks.tables import keep, markdown, number, show
from charrnn.models import CharRNN, NetworkConfig

STEP = Contestant("charrnn", "step_charrnn", has_workers=True)
LATENCIES = {1: 50e-6, 10: 20e-6, 100: 5e-6}
"""The latency of a message in seconds, assumed for each bandwidth in Gbit/s."""
RANKS = (2, 4, 8, 16)


@dataclass(frozen=True)
class Step:
    """One row: the bytes that a step sums, and its time without the sum."""

    shape: Shape
    bytes: int
    all_streams: float
    """Seconds of a step over the whole batch on one machine."""
    few_streams: float
    """Seconds of a step over an eighth of the batch, but at least one stream."""

    def alone(self, streams: float) -> float:
        """Seconds of a step over `streams` streams, t(b)."""
        few = eighth(self.shape).batch
        if few == self.shape.batch:
            return self.all_streams
        slope = (self.all_streams - self.few_streams) / (self.shape.batch - few)
        return self.all_streams - slope * (self.shape.batch - streams)

    def summing(self, ranks: int, gigabits: float) -> float:
        """Seconds of an all-reduce over `ranks` ranks at `gigabits` Gbit/s."""
        share = 2 * (ranks - 1) / ranks * self.bytes
        return share / (gigabits * 1e9 / 8) + 2 * (ranks - 1) * LATENCIES[int(gigabits)]

    def gain(self, ranks: int, gigabits: float) -> float:
        """The speed-up of `ranks` ranks on the same batch, T(1) / T(p)."""
        streams = self.shape.batch / ranks
        return self.all_streams / (self.alone(streams) + self.summing(ranks, gigabits))

    def break_even(self) -> float:
        """The bandwidth in Gbit/s above which two ranks are faster than one, with a latency of
        20 microseconds; infinity if there is none.
        """
        saved = self.all_streams - self.alone(self.shape.batch / 2) - 2 * LATENCIES[10]
        return 8e-9 * self.bytes / saved if self.shape.batch > 1 and saved > 0 else inf

    def efficiency(self, ranks: int, gigabits: float) -> float:
        """The fraction of its time that a rank computes if every rank has a whole batch."""
        return self.all_streams / (self.all_streams + self.summing(ranks, gigabits))


def eighth(shape: Shape) -> Shape:
    """The same network with an eighth of the streams."""
    return replace(shape, batch=max(1, shape.batch // 8))


def measure(shape: Shape, workers: int, rounds: int, seconds: float) -> Step:
    """Time the step over all streams and over an eighth, in turn, and take the fastest of each,
    which other programs disturb least.
    """
    jobs = {
        name: partial(time_steps, STEP, each, Setting(workers=min(workers, each.batch)), seconds)
        for name, each in (("all", shape), ("few", eighth(shape)))
    }
    times = {name: min(f["low"] for f in each) for name, each in interleaved(jobs, rounds).items()}
    config = NetworkConfig(shape.symbols, shape.cell, shape.hidden, shape.layers)
    size = CharRNN.initialized(config, np.random.default_rng(1)).num_parameters
    return Step(shape, 4 * size, times["all"], times["few"])


def row(shape: Shape) -> list[str]:
    """The first cells of a row."""
    return [f"{shape.cell} {shape.layers} × {shape.hidden}", str(shape.batch), str(shape.seq)]


def table_of_steps(steps: list[Step]) -> str:
    """The measured times, and the numbers that follow from the sizes."""
    head = ["Network", "Batch", "Length", "MB summed", "GFLOP", "Step, ms",
            "With 1/8 of the streams, ms", "GFLOP/s",
            "Two ranks are faster above, Gbit/s"]  # fmt: skip
    lines = []
    for step in steps:
        work = operations(step.shape) / 1e9
        figures = (step.bytes / 1e6, work, 1e3 * step.all_streams, 1e3 * step.few_streams)
        rate, pays = number(work / step.all_streams), number(step.break_even())
        lines.append(
            [*row(step.shape), *map(number, figures), rate, pays if pays != "inf" else "never"]
        )
    return markdown(head, lines)


def table_of_gains(steps: list[Step]) -> str:
    """Speed-ups when the ranks divide one batch."""
    head = ["Network", "Batch", "Gbit/s", *(f"{p} ranks" for p in RANKS), "Largest speed-up",
            "Ranks for it"]  # fmt: skip
    lines = []
    for step in steps:
        possible = range(1, step.shape.batch + 1)
        for gigabits in LATENCIES:
            gains = {p: step.gain(p, gigabits) for p in possible}
            best = max(possible, key=gains.__getitem__)
            shown = [f"{gains[p]:.2f}" if p in gains else "" for p in RANKS]
            name, batch, _ = row(step.shape)
            lines.append([name, batch, str(gigabits), *shown, f"{gains[best]:.2f}", str(best)])
    return markdown(head, lines)


def table_of_batches(steps: list[Step]) -> str:
    """Efficiency when every rank has a whole batch."""
    pairs = [(p, g) for g in LATENCIES for p in (2, 16)]
    heads = [f"{p} ranks, {g} Gbit/s" for p, g in pairs]
    lines = [[*row(s.shape), *(f"{s.efficiency(p, g):.0%}" for p, g in pairs)] for s in steps]
    return markdown(["Network", "Batch", "Length", *heads], lines)


@click.command(help=__doc__)
@options.toy_option(rows=["1x16,1,5", "2x16,8,5"], rounds=1, seconds=0.05, workers="1")
@options.row_option()
@click.option("--cell", type=click.Choice(CELL_NAMES), default="lstm", show_default=True)
@options.rounds_option(3)
@options.seconds_option(1.0)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True,
              help="Threads of each rank.")  # fmt: skip
@options.json_option()
def main(
    rows: tuple[Shape, ...],
    cell: str,
    rounds: int,
    seconds: float,
    workers: int,
    json_file: Path | None,
) -> None:
    """Measure row by row, then print the predictions of the model."""
    asked: dict[str, Any] = {"rounds": rounds, "seconds": seconds, "workers": workers}
    steps: list[Step] = []
    try:
        for n, shape in enumerate(rows, 1):
            click.echo(f"{n}/{len(rows)} {cell} {shape}", err=True)
            steps.append(measure(shape.with_cell(cell), workers, rounds, seconds))
            results = [vars(step) | {"shape": step.shape.to_json()} for step in steps]
            keep(json_file, "scaling", asked, results)
    except ChildError as error:
        raise click.ClickException(str(error)) from None
    notes = f"The fastest step of {rounds} rounds, {workers} threads."
    show("A step on one machine", table_of_steps(steps), notes)
    show("Speed-up, the same batch divided", table_of_gains(steps))
    show("Fraction of the time spent computing, a batch for every rank", table_of_batches(steps))


if __name__ == "__main__":
    main()
