"""What a model can be trained to do with a corpus, and the register of these tasks."""

from __future__ import annotations

from charrnn.tasks.base import Batches, Task
from charrnn.tasks.classify import Classify
from charrnn.tasks.fill import Fill
from charrnn.tasks.predict import Predict

_TASKS: tuple[type[Task], ...] = (Predict, Fill, Classify)

TASKS: dict[str, type[Task]] = {task.name: task for task in _TASKS}
"""Every task by the name that `--task` takes."""

__all__ = ["TASKS", "Batches", "Task"]
