"""Training an n-gram model: counting in one pass, reported with the events of training."""

from __future__ import annotations

import time
from collections.abc import Iterator

from charrnn.errors import ProcessGroupError
from charrnn.language.evaluate import Loss
from charrnn.models import NGram
from charrnn.runs.checkpoint import Checkpoint, save
from charrnn.runs.record import Metrics, Position
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModeling
from charrnn.training.events import Evaluated, Event, Finished, Saved, Started, to_json
from charrnn.training.parallel.group import ProcessGroup
from charrnn.training.trainer import Trainer


class NGramTrainer(Trainer):
    """Counts the n-grams of a text at once; `events()` then measures and saves the model.

    The pass over the text is one step and one epoch. There is nothing to resume.
    """

    task: LanguageModeling

    def __init__(
        self, task: LanguageModeling, run: Run | None = None, group: ProcessGroup | None = None
    ) -> None:
        """A ProcessGroupError if there are several ranks: counting is not worth sharing."""
        super().__init__(task, run, group)
        if self.group.size > 1:
            raise ProcessGroupError("n-grams are counted by one process; leave out mpiexec.")
        corpus = task.dataset
        started = time.perf_counter()
        self.model: NGram = NGram.fit(corpus.train, len(corpus.vocabulary), task.config.order)
        self.seconds = time.perf_counter() - started
        self.speed = corpus.chars["train"] / self.seconds
        self.losses: dict[str, Loss] = {}

    @property
    def share(self) -> float:
        """1 once the model is measured."""
        return float(bool(self.losses))

    @property
    def best_loss(self) -> float | None:
        """The validation loss, in nats per character."""
        valid = self.losses.get("valid")
        return valid.nats_per_char if valid else None

    @property
    def best_model(self) -> NGram:
        """The one model."""
        return self.model

    def events(self) -> Iterator[Event]:
        """Measure the model on each part, show a sample, save it."""
        size = self.model.num_parameters
        yield Started(size, 0, 0, 1, self.dataset.chars, 0, 1, 1, self.task.chosen)
        started = time.perf_counter()
        self.losses = losses = self._losses(self.model)
        self.seconds += time.perf_counter() - started
        if losses:
            train, valid = losses["train"], losses.get("valid")
            event = Evaluated(1, 1.0, train, valid, True, 0.0, self.speed, self.seconds)
            yield event
            yield from self._sample(self.model, 1)
            if self.run:
                self.run.log(to_json(event))
        if self.run:
            save(self._checkpoint(), self.run.best)
            yield Saved(1, self.run.best)
        stopped = not losses
        end = Finished(1, 1.0, stopped, losses, 1, size, self.speed, self.seconds)
        if self.run and losses:
            self.run.log(to_json(end))
        yield end

    def _checkpoint(self) -> Checkpoint:
        train = self.losses.get("train")
        metrics = Metrics(train.nats_per_char if train else None, self.best_loss, best_step=1)
        record = self._record(position=Position(1, self.seconds), metrics=metrics)
        return Checkpoint(self.model, self.dataset.vocabulary, record)
