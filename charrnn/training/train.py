"""Training from a text to a model: the front door for Python and the command line."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from charrnn.config.train_config import TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.data.reading import Source
from charrnn.data.sources import find_source
from charrnn.errors import ConfigError, ProcessGroupError
from charrnn.models import NGram
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.loaded import LoadedModels
from charrnn.runs.run import Run
from charrnn.tasks import TASKS, LanguageModeling, Task, TextFiles, make_config, make_task
from charrnn.training.events import Event
from charrnn.training.memory import check_memory
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.ngram_trainer import NGramTrainer
from charrnn.training.parallel.group import ProcessGroup
from charrnn.training.resume import stored_run
from charrnn.training.trainer import Trainer
from charrnn.training.training_step import check_ranks

Config = TypeVar("Config", bound=TrainConfig)
Find = Callable[[str | Path | Source], Source]
"""Finds a text by its name, see `data.sources.find_source`."""


def train(
    data: str | Path | Source | Sequence[str | Path | Source] | Dataset,
    config: TrainConfig | None = None,
    *,
    out: str | Path | None = None,
    name: str | None = None,
    on_event: Callable[[Event], object] = lambda event: None,
    **options: Any,
) -> Any:
    """Train a model and return the best one, as `charrnn.load` returns it.

    `data` is a text (a path, the name of a corpus, or several of these, read as one text) or a
    dataset that is read already. The options are those of `charrnn train`, as a config or by name:

        model = charrnn.train("poems.txt", cell="lstm", hidden=128, minutes=5, out="checkpoints")
        print("".join(model.generate("The ")))

    With `out`, checkpoints and a log go to a new directory there, called `name` or after the text
    and the model; without, nothing is written. `on_event` is called with each training event.

    A ConfigError names an option that is out of range, a CorpusError what is wrong with a text, a
    DivergedError ends training if the loss keeps exploding.
    """
    config = _one_config(config, options)
    if isinstance(data, str | Path | Source):
        data = [data]
    if isinstance(data, Sequence):
        data = read_dataset(data, config)
    trainer = make_run_trainer(data, config, out, name)
    for event in locked_events(trainer):
        on_event(event)
    checkpoint = Checkpoint(trainer.best_model, data.vocabulary)
    return TASKS[config.task].text_model(
        LoadedModels([Path(trainer.task.model_name)], [checkpoint])
    )


def make_trainer(
    dataset: Dataset,
    config: TrainConfig | None = None,
    run: Run | None = None,
    group: ProcessGroup | None = None,
    **options: Any,
) -> Trainer:
    """A trainer of a dataset, whose `events()` are the training. The options are a config, or given
    by name. With `run` it writes checkpoints and a log there.

    A ConfigError if both a config and options are given, or an option is out of range.
    """
    return _trainer(make_task(dataset, _one_config(config, options)), run, group)


def make_run_trainer(
    dataset: Dataset,
    config: TrainConfig,
    out: str | Path | None = None,
    name: str | None = None,
    group: ProcessGroup | None = None,
) -> Trainer:
    """A trainer with a new run under `out`; without `out`, one that writes nothing."""
    task, group = make_task(dataset, config), group or ProcessGroup()
    if out is None:
        return _trainer(task, None, group)
    check_ranks(task, group)  # before a directory is made
    if config.cell != NGram.kind:
        check_memory(task)
    name = name or f"{dataset.name}-{task.model_name.replace(' ', '-')}"
    run = group.run_on_root(lambda: Run.create(out, name))
    try:
        return _trainer(task, run, group)
    except BaseException:
        if group.rank == 0:
            run.discard_if_empty()
        raise


def resume(
    where: str | Path,
    sources: Sequence[str] = (),
    options: Mapping[str, Any] = {},
    origin: str = "",
    group: ProcessGroup | None = None,
    find: Find = find_source,
) -> NetworkTrainer:
    """A trainer that continues a run bit for bit, from a run directory or a file in it.

    The texts are read again from where they were, or from `sources`. `options` may change budgets
    and what is evaluated, under the names of `TrainConfig`. Raises CheckpointError if there is
    nothing to resume or the text has changed, ConfigError if an option cannot change.
    """
    group = group or ProcessGroup()
    path = Path(where)
    run, names, config = group.run_on_root(lambda: stored_run(path, sources, options, origin))
    dataset = read_dataset(names, config, group, find)
    return NetworkTrainer.resume(run, make_task(dataset, config), group)


def read_dataset(
    names: Sequence[str | Path | Source],
    config: TrainConfig,
    group: ProcessGroup | None = None,
    find: Find = find_source,
) -> Dataset:
    """Read the texts of these names. Every rank reads them, after rank 0, which may fetch them."""
    group = group or ProcessGroup()
    if group.size > 1 and "-" in (*names, config.valid, config.test):
        raise ProcessGroupError(
            "Standard input does not reach every rank; give the text as a file."
        )
    return group.root_first(lambda: named_text(names, config, find).read())


def named_text(
    names: Sequence[str | Path | Source], config: TrainConfig, find: Find = find_source
) -> TextFiles:
    """The files that these names, and `valid` and `test` of the config, mean."""
    valid, test = (find(name) if name else None for name in (config.valid, config.test))
    return TextFiles(tuple(map(find, names)), config, valid, test)


def located(config: Config, find: Find = find_source) -> Config:
    """The same options, with `valid` and `test` named so that any working directory finds them."""
    valid, test = (find(name).location if name else name for name in (config.valid, config.test))
    return replace(config, valid=valid, test=test)


def locked_events(trainer: Trainer) -> Generator[Event, None, None]:
    """The events of a trainer, while its run is locked against other processes. A run in which
    nothing was saved is removed at the end.
    """
    run = trainer.run if trainer.group.rank == 0 else None
    try:
        with run.locked() if run else nullcontext():
            yield from trainer.events()
    finally:
        if run:
            run.discard_if_empty()


def _one_config(config: TrainConfig | None, options: Mapping[str, Any]) -> TrainConfig:
    """The config, or one made of `options`. A ConfigError if both are given."""
    if config is not None and options:
        raise ConfigError(f"Give a config or options, not both: {', '.join(sorted(options))}.")
    return config or make_config(options)


def _trainer(task: Task, run: Run | None, group: ProcessGroup | None) -> Trainer:
    if isinstance(task, LanguageModeling) and task.config.cell == NGram.kind:
        return NGramTrainer(task, run, group)
    return NetworkTrainer(task, run, group)
