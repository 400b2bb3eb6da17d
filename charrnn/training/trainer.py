"""The base of all trainers: a task, a run to write to, and training as a stream of events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from typing import Any

from charrnn.config.train_config import TrainConfig
from charrnn.data.dataset import Dataset
from charrnn.language.evaluate import Loss
from charrnn.models import Model
from charrnn.runs.record import CorpusRecord, RunRecord
from charrnn.runs.run import Run
from charrnn.tasks import Task
from charrnn.training.events import Event, Sampled
from charrnn.training.parallel.group import ProcessGroup
from charrnn.version import __version__


class Trainer(ABC):
    """Trains a model. `events()` does the work; `stop()` ends it at the next pause.

    With a run, rank 0 of the process group writes checkpoints and a log there.
    """

    model: Model

    def __init__(
        self, task: Task, run: Run | None = None, group: ProcessGroup | None = None
    ) -> None:
        self.task, self.run, self.group = task, run, group or ProcessGroup()

    @property
    def config(self) -> TrainConfig:
        """The options, of which none is open."""
        config: TrainConfig = self.task.config
        return config

    @property
    def dataset(self) -> Dataset:
        """What is learned."""
        dataset: Dataset = self.task.dataset
        return dataset

    damaged_records = 0
    """Lines of a resumed run's log that were skipped."""

    @property
    def reduction_changed(self) -> bool:
        """Whether a resumed run has other ranks or workers, so that it is not bit for bit."""
        return False

    @abstractmethod
    def events(self) -> Iterator[Event]:
        """Train, yielding what happens."""

    @property
    @abstractmethod
    def share(self) -> float:
        """The share of the budget that is used up: 1 at the end."""

    @property
    @abstractmethod
    def best_loss(self) -> float | None:
        """The lowest validation loss so far, in nats per character."""

    @property
    @abstractmethod
    def best_model(self) -> Model:
        """The model with the lowest validation loss so far."""

    def stop(self) -> None:
        """Ask for the end: the current step is finished and saved, then `events()` ends."""
        self.group.stop()

    def _losses(self, model: Any) -> dict[str, Loss]:
        """The loss on each part that is not empty; empty once a stop is asked for."""
        losses, limit = {}, self.config.eval_chars or None
        for name, part in self.dataset.parts.items():
            if not self.group.stopping and len(part):
                losses[name] = self.group.run_on_root(
                    partial(self.task.evaluate, model, name, limit)
                )
        return {} if self.group.stopping else losses

    def _sample(self, model: Any, step: int) -> Iterator[Sampled]:
        """A sample by rank 0, if samples are asked for."""
        if self.config.sample_every and self.group.rank == 0:
            text = self.task.sample(model, step)
            if text is not None:
                yield Sampled(step, text)

    def _record(self, **state: Any) -> RunRecord:
        """What every checkpoint of this run says about it; `state` has the other fields."""
        corpus = CorpusRecord.from_json(self.dataset.record())
        return RunRecord(__version__, self._config_json(), corpus, **state)

    def _config_json(self) -> dict[str, Any]:
        return self.config.to_json()
