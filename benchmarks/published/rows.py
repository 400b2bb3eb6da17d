"""Tables of published and reproduced results: each row is a run of `charrnn train`."""

from __future__ import annotations

import math
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from benchmarks.rounds import ROOT, environment
from benchmarks.tables import keep, markdown, show
from charrnn.config.train_config import BUDGETS
from charrnn.data.split import Split
from charrnn.runs.checkpoint import read_meta
from charrnn.runs.run import Run
from charrnn.tasks import make_config

HEAD = ("", "published", "nats", "bits", "perplexity", "parameters", "best epoch", "seconds")
_TOY = {"hidden": 8, "batch": 4, "seq": 8, "steps": 4, "workers": 1}
Figures = dict[str, dict[str, Any]]
"""The last log record of each run, by the name of the run."""


@dataclass(frozen=True)
class Row:
    """A run to train, and the published loss to compare it with."""

    name: str
    """The name of the run."""
    what: str
    """Its label in the table."""
    options: Mapping[str, Any]
    """Its options of `charrnn train`."""
    published: float | None = None
    """The published loss, in nats per character."""
    part: str = "test"
    """The part to report: `valid` if the published loss is of the part that selected the best
    epoch.
    """

    @property
    def arguments(self) -> list[str]:
        """The options as command-line arguments."""
        flags = ((f"--{name.replace('_', '-')}", value) for name, value in self.options.items())
        return [part for flag, value in flags for part in (flag, str(value))]

    @property
    def toy(self) -> Row:
        """The same row with tiny sizes, which takes a second."""
        if self.options.get("cell") == "ngram":
            return self
        kept = {name: value for name, value in self.options.items() if name not in BUDGETS}
        return replace(self, name=f"toy-{self.name}", options={**kept, **_TOY})


@dataclass(frozen=True)
class Table:
    """Rows with the same text."""

    title: str
    rows: Sequence[Row]
    notes: str = ""
    prepare: Callable[[Path, Path], tuple[Path, dict[str, Any]]] = field(
        default=lambda text, out: (text, {})
    )
    """Maps the text and the folder of runs to the training text and further options."""
    after: Callable[[Path, Path, Figures], None] | None = None
    """Called at the end with the text, the folder of runs and the results: further measurements."""


def charrnn(*arguments: str | Path) -> str:
    """Run charrnn and return its standard output. If it fails or is interrupted, the script exits
    with the same code.
    """
    command = [sys.executable, "-m", "charrnn", *map(str, arguments)]
    wanted = {**environment(1), "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, env=wanted, stdout=subprocess.PIPE, text=True, check=False)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def learn(row: Row, text: Path, out: Path) -> dict[str, Any]:
    """Train the run of a row, or resume it if it is unfinished. Returns its last log record."""
    run = Run(out / row.name)
    if run.best.exists():
        _check(row, text, run)
    if not (done := _finished(run)):
        if run.last.exists():
            charrnn("train", text, "--resume", run.path)
        else:
            if run.path.exists():  # interrupted before anything was saved
                shutil.rmtree(run.path)
            charrnn("train", text, *row.arguments, "--name", row.name, "--out", out)
        done = _finished(run)
        assert done is not None
    return done


def _check(row: Row, text: Path, run: Run) -> None:
    """Stop with an error if the run has another text or other options."""
    meta = read_meta(run.best)
    learned = [Path(place).resolve() for place in meta["corpus"]["sources"]]
    if learned != [text.resolve()]:
        raise click.ClickException(
            f"{run.path} was trained on {', '.join(map(str, learned))}; remove it, or give another "
            "--out."
        )
    stored = make_config(meta["config"], str(run.best))
    wanted = make_config(dict(row.options), row.name)
    wanted = replace(wanted, split=str(Split.parse(wanted.split)))
    for name in row.options:
        if name not in ("valid", "test", "workers") and vars(stored)[name] != vars(wanted)[name]:
            raise click.ClickException(
                f"{run.path} was trained with --{name.replace('_', '-')} {vars(stored)[name]}, not "
                f"{vars(wanted)[name]}; remove it, or give another --out."
            )


def _finished(run: Run) -> dict[str, Any] | None:
    records = run.records()
    return records[-1] if records and records[-1]["event"] == "finished" else None


def cells(row: Row, done: dict[str, Any], run: Run) -> list[str]:
    """A row of the table."""
    nats = done["losses"][row.part]["nats_per_char"]
    at_best = (r["epoch"] for r in run.records() if r["step"] == done["best_step"])
    return [
        row.what, "" if row.published is None else f"{row.published:.4g}",
        f"{nats:.4f}", f"{nats / math.log(2):.4f}", f"{math.exp(nats):.3f}",
        f"{done['parameters']:,}", f"{next(at_best, done['epoch']):.0f}", f"{done['seconds']:,.0f}",
    ]  # fmt: skip


def reproduce(table: Table, rows: Sequence[Row], text: Path, out: Path) -> None:
    """Train the missing runs and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    used, more = table.prepare(text, out)
    shown, results, commands = [], Figures(), []
    for plain in rows:
        row = replace(plain, options={**plain.options, **more})
        commands.append(
            shlex.join(["charrnn", "train", used.name, *row.arguments, "--name", row.name])
        )
        click.echo(commands[-1], err=True)
        results[row.name] = done = learn(row, used, out)
        shown.append(cells(row, done, Run(out / row.name)))
    keep(out / "figures.json", table.title, {"text": text.name}, results)
    listed = "".join(f"    {command}\n" for command in commands)
    show(table.title, markdown(HEAD, shown), f"{table.notes}\n\n{listed}\n".lstrip())
    if table.after:
        table.after(used, out, results)


def script(table: Table, doc: str | None) -> click.Command:
    """A command with the path of the text, the folder of runs and the rows as arguments."""

    @click.command(help=doc)
    @click.argument("text", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--out", type=click.Path(path_type=Path), default="runs", show_default=True,
                  help="Folder of the runs.")  # fmt: skip
    @click.option("--row", "chosen", multiple=True, type=click.Choice([r.name for r in table.rows]),
                  help="Run only this row. Repeatable.")  # fmt: skip
    @click.option("--toy", is_flag=True, help="Four updates per row, to check that it runs.")
    def main(text: Path, out: Path, chosen: tuple[str, ...], toy: bool) -> None:
        rows = [row for row in table.rows if not chosen or row.name in chosen]
        reproduce(table, [row.toy for row in rows] if toy else rows, text, out)

    return main
