"""The files of a text, not yet read."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.train_config import TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.data.reading import Source
from charrnn.tasks.register import TASKS


@dataclass(frozen=True)
class TextFiles:
    """The files to train on and how they are read. Several processes can each read them."""

    sources: tuple[Source, ...]
    config: TrainConfig
    valid: Source | None = None
    test: Source | None = None

    def read(self) -> Dataset:
        """The dataset, see `Task.read`."""
        task = TASKS[self.config.task]
        return task.read(self.sources, self.config, valid=self.valid, test=self.test)
