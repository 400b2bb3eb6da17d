"""`charrnn train`: learn a text."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from charrnn.cli.signals import signals
from charrnn.cli.training_options import (
    at_their_places,
    config_file_option,
    config_options,
    given_options,
    one_budget,
    text_of,
)
from charrnn.cli.views.training_reporter import Reporter, make_reporter
from charrnn.config.train_config import BUDGETS, TrainConfig
from charrnn.errors import CheckpointError, ConfigError, ProcessGroupError
from charrnn.models import NGram
from charrnn.runs import checkpoint
from charrnn.runs.run import Run, path_exists
from charrnn.system.allocator import keep_freed_memory
from charrnn.training.network_trainer import NetworkTrainer, make_trainer
from charrnn.training.parallel.group import ProcessGroup, init_group
from charrnn.training.trainer import Trainer

_ADJUSTABLE = {*BUDGETS, "valid", "test", "workers", "eval_every", "eval_chars", "sample_every"}
"""Options that may change when a run is resumed."""


@click.command(
    "train",
    epilog="""\b
Examples:
  charrnn train elizabethan --minutes 1
  charrnn train elizabethan --cell gru --hidden 64 --steps 200 --name small
  charrnn train --resume checkpoints/small --steps 300
  charrnn train elizabethan --cell ngram --order 5
  charrnn train quatrains --layers 1 --steps 100 --json""",
)
@click.argument("corpus", nargs=-1)
@config_options()
@config_file_option
@click.option("--out", type=Path, default="checkpoints", show_default=True, help="Where runs go.")
@click.option(
    "--name",
    help="Name of the run; -2, -3 ... where it is taken.  [default: TEXT-CELL-LAYERSxHIDDEN or "
    "TEXT-ngram-ORDER]",
)
@click.option("--resume", type=Path, metavar="RUN", help="Continue a run where it stopped.")
@click.option("--quiet", is_flag=True, help="Show nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one event a line, as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    corpus: tuple[str, ...],
    config_file: Path | None,
    out: Path,
    name: str | None,
    resume: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Learn one or several texts (files, `-`, or names from `charrnn corpora`).

    Shows its progress, keeps the best and the newest state under ./checkpoints, and can be
    interrupted and resumed at any time without losing a bit. When done it says how surprised the
    best model is by each part of the text, in nats, bits and perplexity per character.
    """
    given = given_options(ctx, options, config_file)
    keep_freed_memory()
    group = init_group()
    shown = make_reporter(quiet=quiet, as_json=as_json) if group.rank == 0 else Reporter()
    origin = str(config_file or "")
    if resume:
        for option in ("name", "out"):
            if ctx.get_parameter_source(option) != ParameterSource.DEFAULT:
                raise click.UsageError(f"A resumed run stays where it is; leave out --{option}.")
        trainer: Trainer = _resume(group, resume, corpus, given, origin)
    else:
        if not corpus:
            raise click.UsageError("Name a text to learn: charrnn train CORPUS...")
        if name is not None and (Path(name).name != name or name in ("", "..")):
            raise click.UsageError(f"--name is '{name}'; it must be a name, without folders.")
        config = TrainConfig.from_mapping(given, origin)
        trainer = _fresh(group, corpus, config, out, name)
    return _listen(trainer, shown)


def _read(group: ProcessGroup, corpus: tuple[str, ...], config: TrainConfig) -> Any:
    """Every rank reads the files itself, after rank 0, which may have to fetch them first."""
    if group.size > 1 and "-" in (*corpus, config.valid, config.test):
        raise ProcessGroupError(
            "Standard input does not reach every rank; give the text as a file."
        )

    return group.root_first(lambda: text_of(corpus, config).read())


def _fresh(
    group: ProcessGroup, corpus: tuple[str, ...], config: TrainConfig, out: Path, name: str | None
) -> Trainer:
    text = _read(group, corpus, config)
    trainer = make_trainer(text, at_their_places(config), group=group)
    usual = f"{text.name}-{trainer.model.name.replace(' ', '-')}"
    trainer.run = group.run_on_root(lambda: Run.create(out, name or usual))
    return trainer


def _resume(
    group: ProcessGroup, where: Path, corpus: tuple[str, ...], given: dict[str, Any], origin: str
) -> NetworkTrainer:
    run, texts, config = group.run_on_root(lambda: _stored(where, corpus, given, origin))
    return NetworkTrainer.resume(run, _read(group, texts, config), config, group)


def _stored(
    where: Path, corpus: tuple[str, ...], given: dict[str, Any], origin: str
) -> tuple[Run, tuple[str, ...], TrainConfig]:
    """The run that is meant by `where`, its texts, and its options with those that are given."""
    if not path_exists(where):
        raise CheckpointError(f"There is no run {str(where)[:80]}.")
    run = Run(where if where.is_dir() else where.parent)
    if run.best.exists() and checkpoint.read_meta(run.best).get("kind") == NGram.kind:
        raise CheckpointError(
            f"There is nothing to resume in {where}: n-grams are counted in one pass. To count "
            "others: charrnn train CORPUS --cell ngram --order N."
        )
    if not run.last.exists():
        raise CheckpointError(f"{where} is no run that can be resumed: it has no last.npz.")
    meta = checkpoint.read_meta(run.last)
    stored = TrainConfig.from_mapping(meta["config"], str(run.last))
    changed = {
        k for k, v in given.items() if k not in _ADJUSTABLE and v != getattr(stored, k, None)
    }
    if changed:
        names = ", ".join("--" + c.replace("_", "-") for c in sorted(changed))
        raise ConfigError(f"A resumed run keeps its options; {names} cannot change.")
    config = TrainConfig.from_mapping(one_budget(stored.to_json(), given), origin)
    texts = corpus or tuple(meta["corpus"]["sources"])
    if not texts:
        raise CheckpointError(
            f"{where} does not say which text it learned; name it: charrnn train TEXT --resume RUN"
        )
    return run, texts, config


def _listen(trainer: Trainer, shown: Reporter) -> int:
    """Show the events. When nobody reads the output any more, training is stopped and saved."""
    assert trainer.run is not None
    leads = trainer.group.rank == 0
    closed = False
    caught: list[int] = []
    try:
        with trainer.run.locked() if leads else nullcontext(), signals(trainer.stop, caught), shown:
            for event in trainer.events():
                try:
                    if not closed:
                        shown.show(event, trainer)
                except BrokenPipeError:
                    closed = True
                    trainer.stop()
            every = trainer.group.gather(caught)  # a signal to one rank has ended all
            caught = [number for each in every for number in each]
    except KeyboardInterrupt:
        if not caught:
            raise
    finally:
        if leads:
            trainer.run.discard_if_empty()
    if closed:
        raise BrokenPipeError
    return 128 + caught[0] if caught else 0
