"""Published results beside our own: each row of a table is a run of `charrnn train`."""

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
from charrnn.config.train_config import BUDGETS, TrainConfig
from charrnn.data.split import Split
from charrnn.runs.checkpoint import read_meta
from charrnn.runs.run import Run

HEAD = ("", "published", "nats", "bits", "perplexity", "parameters", "best epoch", "seconds")
_TOY = {"hidden": 8, "batch": 4, "seq": 8, "steps": 4, "workers": 1}
Figures = dict[str, dict[str, Any]]
"""The last record of each run, by the name of the run."""


@dataclass(frozen=True)
class Row:
    """What is trained, and what others reported of the same."""

    name: str
    """Of the run."""
    what: str
    """In the table."""
    options: Mapping[str, Any]
    """Of `charrnn train`."""
    published: float | None = None
    """In nats per character."""
    part: str = "test"
    """Which part is looked at; `valid` where the published figure is of the part that the best
    epoch was chosen on.
    """

    @property
    def arguments(self) -> list[str]:
        """The options as they are typed."""
        flags = ((f"--{name.replace('_', '-')}", value) for name, value in self.options.items())
        return [part for flag, value in flags for part in (flag, str(value))]

    @property
    def toy(self) -> Row:
        """The same in a second."""
        if self.options.get("cell") == "ngram":
            return self
        kept = {name: value for name, value in self.options.items() if name not in BUDGETS}
        return replace(self, name=f"toy-{self.name}", options={**kept, **_TOY})


@dataclass(frozen=True)
class Table:
    """Rows that are trained on the same text."""

    title: str
    rows: Sequence[Row]
    notes: str = ""
    prepare: Callable[[Path, Path], tuple[Path, dict[str, Any]]] = field(
        default=lambda text, out: (text, {})
    )
    """From the text and the folder of runs to the text that is trained on, and more options."""
    after: Callable[[Path, Path, Figures], None] | None = None
    """What else is measured, from the text, the folder of runs and the figures."""


def charrnn(*arguments: str | Path) -> str:
    """Run the program; its standard output. Where it fails or is interrupted so does the script,
    with the same exit code.
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
    """The last record of the row's run, which is trained, or trained to its end, if it is not."""
    run = Run(out / row.name)
    if run.best.exists():
        _check(row, text, run)
    if not (done := _finished(run)):
        if run.last.exists():
            charrnn("train", text, "--resume", run.path)
        else:
            if run.path.exists():  # cut off before anything was saved
                shutil.rmtree(run.path)
            charrnn("train", text, *row.arguments, "--name", row.name, "--out", out)
        done = _finished(run)
        assert done is not None
    return done


def _check(row: Row, text: Path, run: Run) -> None:
    """End here if the run was begun with another text or other options."""
    meta = read_meta(run.best)
    learned = [Path(place).resolve() for place in meta["corpus"]["sources"]]
    if learned != [text.resolve()]:
        raise click.ClickException(
            f"{run.path} has learned {', '.join(map(str, learned))}; remove it, or give another "
            "--out."
        )
    stored = TrainConfig.from_mapping(meta["config"], str(run.best))
    wanted = TrainConfig.from_mapping(dict(row.options), row.name)
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
    """Train what is missing and print the table."""
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
    """A command that takes the path of the text, where runs go, and which rows are wanted."""

    @click.command(help=doc)
    @click.argument("text", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--out", type=click.Path(path_type=Path), default="runs", show_default=True,
                  help="Where the runs are.")  # fmt: skip
    @click.option("--row", "chosen", multiple=True, type=click.Choice([r.name for r in table.rows]),
                  help="Only this row; may be given several times.")  # fmt: skip
    @click.option("--toy", is_flag=True, help="Four updates a row, to see that it runs.")
    def main(text: Path, out: Path, chosen: tuple[str, ...], toy: bool) -> None:
        rows = [row for row in table.rows if not chosen or row.name in chosen]
        reproduce(table, [row.toy for row in rows] if toy else rows, text, out)

    return main
