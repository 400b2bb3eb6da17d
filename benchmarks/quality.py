"""Validation loss against time: the same recipe in charrnn and in PyTorch.

    python -m benchmarks.quality TEXT [--minutes 3] [--points 6] [--cell gru] [--hidden 192]

Both train on the first 90 % of the text with the same options and a learning rate that follows the
clock, and are measured on the rest. They run one after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from benchmarks import command_line as options
from benchmarks.composed_text import compose
from benchmarks.rounds import ROOT, environment
from benchmarks.tables import keep, markdown, show

CONTESTANTS = {"charrnn": "quality_charrnn", "torch": "quality_torch"}
"""The module of each contestant, by the package that it needs."""


def train(name: str, job: dict[str, Any]) -> list[dict[str, float]]:
    """The learning curve of one run, in its own process."""
    threads = 1 if name == "charrnn" else job["threads"]  # charrnn uses workers instead
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{CONTESTANTS[name]}", json.dumps(job)],
        cwd=ROOT, env=environment(threads), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise click.ClickException(f"{name} failed:\n{done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(curves: dict[str, list[dict[str, float]]]) -> str:
    """A row for each evaluation."""
    names = list(curves)
    lines = []
    for points in zip(*curves.values(), strict=False):
        row = [f"{points[0]['seconds']:.0f}"]
        row += [cell for p in points for cell in (f"{p['nats']:.4f}", f"{p['steps']:,}")]
        lines.append(row)
    head = ["Seconds", *(h for n in names for h in (f"{n}, nats/char", f"{n}, updates"))]
    return markdown(head, lines)


@click.command(help=__doc__)
@options.toy_option(minutes=0.01, points=2, hidden=8)
@click.argument("text", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--minutes", type=float, default=3.0, show_default=True, help="Minutes for each.")
@click.option("--points", type=int, default=6, show_default=True, help="Evaluations.")
@click.option("--cell", type=click.Choice(["gru", "lstm", "rnn"]), default="gru",
              show_default=True, help="Cell.")  # fmt: skip
@click.option("--hidden", type=int, default=192, show_default=True, help="Hidden size, 2 layers.")
@click.option("--threads", type=int, default=os.cpu_count() or 1, show_default=True,
              help="Threads (or workers) of each.")  # fmt: skip
@options.json_option()
def main(
    text: str | None,
    minutes: float,
    points: int,
    cell: str,
    hidden: int,
    threads: int,
    json_file: Path | None,
) -> None:
    """Train one after the other and print the table."""
    config = {"cell": cell, "hidden": hidden, "split": "0.9,0.1", "seed": 1}
    with tempfile.TemporaryDirectory() as folder:
        if text is None:
            text = str(Path(folder) / "composed.txt")
            compose(Path(text), 20_000)
        job = {"text": str(Path(text).resolve()), "minutes": minutes, "points": points,
               "threads": threads, "config": config}  # fmt: skip
        curves = {name: train(name, job) for name in CONTESTANTS if find_spec(name)}
    keep(json_file, "quality", {**job, "text": Path(text).name}, [curves])
    notes = f"{cell} 2x{hidden}, {threads} threads or workers, the recipe of `charrnn train`."
    show("Validation loss against time", table(curves), notes)


if __name__ == "__main__":
    main()
