"""`charrnn train`: learn a text."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from charrnn.cli.options import GroupedCommand, GroupedOption, record_options
from charrnn.cli.signals import signals
from charrnn.cli.texts import corpus_source
from charrnn.cli.training_options import config_file_option, given_options, task_option
from charrnn.cli.views.training_reporter import Reporter, make_reporter
from charrnn.system.allocator import keep_freed_memory
from charrnn.tasks import TASKS, make_config
from charrnn.training.parallel.launch import init_group
from charrnn.training.train import located, locked_events, make_run_trainer, read_dataset, resume
from charrnn.training.trainer import Trainer

_OUTPUT: Any = {"cls": GroupedOption, "group": "Output"}


@click.command(
    "train",
    cls=GroupedCommand,
    epilog="""\b
Examples:
  charrnn train elizabethan --minutes 1
  charrnn train elizabethan --cell gru --hidden 64 --steps 200 --name small
  charrnn train --resume checkpoints/small --steps 300
  charrnn train elizabethan --cell ngram --order 5
  charrnn train quatrains --layers 1 --steps 100 --json""",
)
@click.argument("corpus", nargs=-1)
@task_option
@record_options(*(task.config_class for task in TASKS.values()))
@config_file_option
@click.option("--out", type=Path, default="checkpoints", show_default=True, **_OUTPUT,
              help="Folder of the runs.")  # fmt: skip
@click.option("--name", metavar="NAME", **_OUTPUT,
              help="Name of the run; -2, -3 ... is appended if it is taken.  [default: "
              "TEXT-CELL-LAYERSxHIDDEN or TEXT-ngram-ORDER]")  # fmt: skip
@click.option("--resume", "where", type=Path, metavar="RUN", **_OUTPUT,
              help="Continue a run where it stopped.")  # fmt: skip
@click.option("--quiet", is_flag=True, **_OUTPUT, help="Show nothing but errors.")
@click.option("--json", "as_json", is_flag=True, **_OUTPUT,
              help="Print one event per line, as JSON.")  # fmt: skip
@click.pass_context
def command(
    ctx: click.Context,
    /,
    corpus: tuple[str, ...],
    config_file: Path | None,
    out: Path,
    name: str | None,
    where: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Train a model on one or several texts (files, `-`, or names from `charrnn corpora`).

    Shows its progress, and keeps the best and the newest state under ./checkpoints. Training can be
    interrupted at any time and resumed bit for bit. If several budgets are given, it stops at the
    first one reached. At the end it reports the loss of the best model on each part of the text, in
    nats, bits and perplexity per character.
    """
    given = given_options(ctx, options, config_file)
    keep_freed_memory()
    group = init_group()
    reporter = make_reporter(quiet=quiet, as_json=as_json) if group.rank == 0 else Reporter()
    origin = str(config_file or "")
    if where:
        for option in ("name", "out"):
            if ctx.get_parameter_source(option) != ParameterSource.DEFAULT:
                raise click.UsageError(f"A resumed run stays where it is; leave out --{option}.")
        return _show(resume(where, corpus, given, origin, group, corpus_source), reporter)
    if not corpus:
        raise click.UsageError("Name a text to learn: charrnn train CORPUS...")
    if name is not None and (Path(name).name != name or name in ("", "..")):
        raise click.UsageError(f"--name is '{name}'; it must be a name, without folders.")
    config = make_config(given, origin)
    dataset = read_dataset(corpus, config, group, corpus_source)
    config = located(config, corpus_source)
    return _show(make_run_trainer(dataset, config, out, name, group), reporter)


def _show(trainer: Trainer, reporter: Reporter) -> int:
    """Show the events. If the output cannot be written, training stops and is saved."""
    closed: OSError | None = None
    caught: list[int] = []
    try:
        with closing(locked_events(trainer)) as events, signals(trainer.stop, caught), reporter:
            for event in events:
                try:
                    if not closed:
                        reporter.show(event, trainer)
                except OSError as error:  # a closed pipe or terminal, a full disk
                    closed = error
                    trainer.stop()
            received = trainer.group.gather(caught)  # a signal to one rank stops all of them
            caught = [number for numbers in received for number in numbers]
    except KeyboardInterrupt:
        if not caught:
            raise
    if closed and not caught:
        raise closed
    return 128 + caught[0] if caught else 0
