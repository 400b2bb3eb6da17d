"""Tasks: what a model can be trained to do, the register of tasks, and options by task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from charrnn.config.fields import check_choice, flags, underscored
from charrnn.config.resolve import resolve
from charrnn.config.train_config import TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.data.reading import Source
from charrnn.errors import ConfigError
from charrnn.runs.loaded import LoadedModels
from charrnn.tasks.base import Measurement, Task
from charrnn.tasks.classification import Classification, ClassifyConfig
from charrnn.tasks.filling import FillConfig, Filling
from charrnn.tasks.language_modeling import LanguageModelConfig, LanguageModeling

_TASKS: tuple[type[Task], ...] = (LanguageModeling, Filling, Classification)

TASKS: dict[str, type[Task]] = {task.options.task: task for task in _TASKS}
"""Every task by the name that `--task` takes."""
USUAL = LanguageModelConfig.task
"""The task if none is named."""


@dataclass(frozen=True)
class Text:
    """The files to train on and how they are read. Several processes can each read them."""

    sources: tuple[Source, ...]
    config: TrainConfig
    valid: Source | None = None
    test: Source | None = None

    def read(self) -> Dataset:
        """The dataset, see `Task.read`."""
        task = TASKS[self.config.task]
        return task.read(self.sources, self.config, valid=self.valid, test=self.test)


def make_task(dataset: Dataset, config: TrainConfig) -> Task:
    """The task of learning a dataset; this is where open options are resolved."""
    return TASKS[config.task](dataset, resolve(config, dataset))


def make_config(options: Mapping[str, Any], origin: str = "") -> TrainConfig:
    """The training options of the task that `task` names, from plain data.

    Names may be written with `-` or `_`. A ConfigError, which begins with `origin`, names an option
    that does not exist or does not apply to the task or the cell, or a value out of range.
    """
    options = underscored(options)
    names = {task: {f.name for f in fields(TASKS[task].options)} for task in TASKS}
    if unknown := set(options) - {"task"}.union(*names.values()):
        raise ConfigError(
            f"{origin or 'TrainConfig'} has an option charrnn does not know: "
            f"{', '.join(sorted(unknown))}."
        )
    try:
        task = options.pop("task", USUAL)
        check_choice("task", task, TASKS)
        if unused := set(options) - names[task]:
            raise ConfigError(f"--task {task} has no use for {flags(unused)}.")
        return TASKS[task].options.from_mapping(options)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}" if origin else str(error)) from None


def load(where: str | Path | None = None, *others: str | Path, task: str | None = None) -> Any:
    """Load a trained model from a run directory or checkpoint file.

    Returns a `TextModel`, `TextFiller` or `TextClassifier`, by what the model was trained for, or
    as `task` (`lm`, `fill`, `classify`) says. Without `where` it is the newest run under
    ./checkpoints for the task, by default `lm`, and if there is none, the bundled language model.
    With `others` it is the ensemble of all, whose vocabularies must be equal.

    A CheckpointError says what is wrong with a file, a VocabularyError which vocabulary differs.
    """
    if task is not None:
        check_choice("task", task, TASKS)
    wanted = (task or USUAL,) if where is None or others else None
    models = LoadedModels.open(where, *others, tasks=wanted)
    return TASKS[task or models.model.task].text_model(models)


__all__ = [
    "TASKS",
    "USUAL",
    "Classification",
    "ClassifyConfig",
    "FillConfig",
    "Filling",
    "LanguageModelConfig",
    "LanguageModeling",
    "Measurement",
    "Task",
    "Text",
    "load",
    "make_config",
    "make_task",
]
