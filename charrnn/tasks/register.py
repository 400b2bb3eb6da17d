"""The register of tasks: looks up a task by name, for its options, its dataset or a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from charrnn.config.fields import check_choice, flags, underscored
from charrnn.config.resolve import resolve
from charrnn.config.train_config import TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.errors import ConfigError
from charrnn.runs.loaded import LoadedModels
from charrnn.tasks.base import Task
from charrnn.tasks.classification import Classification
from charrnn.tasks.filling import Filling
from charrnn.tasks.language_modeling import LanguageModelConfig, LanguageModeling

_TASKS: tuple[type[Task], ...] = (LanguageModeling, Filling, Classification)

TASKS: dict[str, type[Task]] = {task.config_class.task: task for task in _TASKS}
"""Every task by the name that `--task` takes."""
DEFAULT_TASK = LanguageModelConfig.task
"""The task if none is named."""


def make_task(dataset: Dataset, config: TrainConfig) -> Task:
    """The task of learning a dataset; this is where open options are resolved."""
    return TASKS[config.task](dataset, resolve(config, dataset))


def make_config(options: Mapping[str, Any], origin: str = "") -> TrainConfig:
    """The training options of the task that `task` names, from plain data.

    Names may be written with `-` or `_`. A ConfigError, which begins with `origin`, names an option
    that does not exist or does not apply to the task or the cell, or a value out of range.
    """
    options = underscored(options)
    names = {task: {f.name for f in fields(TASKS[task].config_class)} for task in TASKS}
    if unknown := set(options) - {"task"}.union(*names.values()):
        raise ConfigError(
            f"{origin or 'TrainConfig'} has an option charrnn does not know: "
            f"{', '.join(sorted(unknown))}."
        )
    try:
        task = options.pop("task", DEFAULT_TASK)
        check_choice("task", task, TASKS)
        if unused := set(options) - names[task]:
            raise ConfigError(f"--task {task} has no use for {flags(unused)}.")
        return TASKS[task].config_class.from_mapping(options)
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
    wanted = (task or DEFAULT_TASK,) if where is None or others else None
    models = LoadedModels.open(where, *others, tasks=wanted)
    return TASKS[task or models.model.task].text_model(models)
