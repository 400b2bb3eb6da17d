"""What a model can be trained to do with a corpus, and the register of these tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from charrnn.config.train_config import TrainConfig
from charrnn.data.batches import Batches
from charrnn.data.reading import Source
from charrnn.tasks.base import Task
from charrnn.tasks.classification import Classify
from charrnn.tasks.filling import Fill
from charrnn.tasks.language_modeling import Predict

_TASKS: tuple[type[Task], ...] = (Predict, Fill, Classify)

TASKS: dict[str, type[Task]] = {task.name: task for task in _TASKS}
"""Every task by the name that `--task` takes."""


@dataclass(frozen=True)
class Text:
    """What is to be learned: where it is, and how it is read. Several processes can each do so."""

    sources: tuple[Source, ...]
    config: TrainConfig
    valid: Source | None = None
    test: Source | None = None

    def read(self) -> Any:
        """What the task has there to learn. See `Task.read`."""
        task = TASKS[self.config.task]
        return task.read(self.sources, self.config, valid=self.valid, test=self.test)


__all__ = ["TASKS", "Batches", "Task", "Text"]
