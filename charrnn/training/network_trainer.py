"""Training a network by truncated backpropagation through time, as a stream of events.

    for event in NetworkTrainer(task).events():
        ...

Nothing is printed and nothing is called back. Evaluating and sampling use random numbers and states
of their own, so they never change what training does next. Everything that decides the next step is
in the `TrainingStep`, so a resumed run continues bit for bit.

In a process group each rank runs its own `NetworkTrainer` over the same text and sees the same
events; only rank 0 evaluates, samples and writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from charrnn.errors import DivergedError
from charrnn.language.evaluate import Loss
from charrnn.models import Trainable
from charrnn.nn.params import Params
from charrnn.runs.checkpoint import Checkpoint, save
from charrnn.runs.record import Metrics
from charrnn.runs.run import Run
from charrnn.tasks import Task
from charrnn.training.events import (
    Evaluated,
    Event,
    Finished,
    Recovered,
    Saved,
    Started,
    Stepped,
    to_json,
)
from charrnn.training.parallel.group import ProcessGroup
from charrnn.training.restore import restore
from charrnn.training.trainer import Trainer
from charrnn.training.training_step import TrainingStep

MAX_RECOVERIES = 3
_SAVE_SECONDS = 60.0
_HEALTH_CHARS = 2000


class NetworkTrainer(Trainer):
    """One training run of a network. `stop()` ends it after the current step."""

    model: Trainable

    def __init__(
        self, task: Task, run: Run | None = None, group: ProcessGroup | None = None
    ) -> None:
        """A fresh run. The group is for one run; its ranks must have the same text and options."""
        super().__init__(task, run, group)
        self.step = TrainingStep(task, self.group)
        self.model = self.step.model
        self.best_flat = self.model.params.flat.copy()
        self._saved_at = 0.0
        self._good = self.step.state_dict()

    @classmethod
    def resume(cls, run: Run, task: Task, group: ProcessGroup | None = None) -> NetworkTrainer:
        """Continue a run exactly where its `last.npz` left it. A CheckpointError or ConfigError if
        it was trained on another text, or has another network.
        """
        trainer = cls(task, run, group)
        numbers, arrays, best = trainer.group.run_on_root(
            lambda: restore(run, task.dataset, trainer.model)
        )
        trainer.step.load_state_dict(numbers, arrays)
        trainer.best_flat[:] = best
        return trainer

    @property
    def share(self) -> float:
        """The share of the budget that is used up."""
        return self.step.progress.share

    @property
    def best(self) -> float | None:
        """The lowest validation loss so far, in nats per character."""
        return self.step.position.best

    @property
    def best_model(self) -> Trainable:
        """The network with the best parameters so far."""
        best = copy(self.model)
        best.params = Params(best.params.shapes, self.best_flat)
        return best

    @property
    def reduction_changed(self) -> bool:
        """Whether the streams of a resumed run are now shared by other ranks or workers."""
        return self.step.reduction_changed

    def events(self) -> Iterator[Event]:
        """Train until the budget is used up, reporting every step.

        A DivergedError ends it if the loss keeps exploding, a CheckpointError if the disk refuses a
        checkpoint. The last good checkpoint stays whole in either case.
        """
        step, batches = self.step, self.step.batches
        yield Started(
            self.model.num_parameters, batches.batch, batches.seq, batches.chunks,
            self.dataset.chars, step.position.step, self.group.size, step.parallel.workers,
            self.task.chosen,
        )  # fmt: skip
        self._good = step.state_dict()
        every = self.config.eval_every or max(50, min(batches.chunks, 1000))
        self._saved_at = step.position.seconds
        while not self.group.stopping and not self._complete:
            learning_rate = step.learning_rate
            if step.progress.share < 1:
                loss, norm = step.update(learning_rate)
                if step.diverged(loss, norm):
                    yield self._recover()
                    continue
                yield self._stepped(learning_rate, norm)
            if step.position.step % every == 0 or step.progress.share >= 1:
                yield from self._evaluate(learning_rate)
            elif self.run and step.position.seconds - self._saved_at > _SAVE_SECONDS:
                yield self._save()
        if self.run and not self._complete:
            yield self._save()
        yield self._finish()

    @property
    def _complete(self) -> bool:
        """Whether the budget is used up and the last state evaluated."""
        step = self.step
        return step.progress.share >= 1 and step.position.evaluated == step.position.step

    def _stepped(self, learning_rate: float, norm: float) -> Stepped:
        step, progress = self.step, self.step.progress
        return Stepped(
            progress.step, progress.epoch, progress.share, step.running_loss, learning_rate, norm,
            step.speed, step.position.seconds,
        )  # fmt: skip

    def _recover(self) -> Recovered:
        """Return to the last good state with half the learning rate; a DivergedError after
        `MAX_RECOVERIES` times.
        """
        step = self.step
        failed, attempt = step.position, step.position.recoveries + 1
        if attempt > MAX_RECOVERIES:
            saved = self.run and self.run.last.exists()
            where = f" The last good checkpoint is {self.run.last}." if self.run and saved else ""
            raise DivergedError(
                f"The loss exploded at step {failed.step:,} once more after {MAX_RECOVERIES} "
                f"halvings of the learning rate, now {step.learning_rate:.2g}; lower --lr.{where}"
            )
        step.load_state_dict(*self._good)
        step.position.seconds, step.position.recoveries = failed.seconds, attempt
        step.position.learning_rate_factor = failed.learning_rate_factor / 2
        return Recovered(failed.step, step.position.step, step.learning_rate, attempt)

    def _measure(self) -> tuple[Loss | None, Loss, float]:
        """The validation loss, the loss that reveals an explosion, and the seconds taken."""
        with self.step.watch, np.errstate(all="ignore"):  # an explosion shows in the loss
            limit, valid = self.config.eval_chars or None, None
            if len(self.dataset.parts["valid"]):
                valid = self.task.evaluate(self.model, "valid", limit)
            health = valid or self.task.evaluate(self.model, "train", _HEALTH_CHARS)
            return valid, health, self.step.watch.lap()

    def _evaluate(self, learning_rate: float) -> Iterator[Event]:
        """Validate, adapt the plateau schedule, show a sample, save."""
        step = self.step
        valid, health, seconds = self.group.run_on_root(self._measure)
        step.position.seconds += seconds
        if step.diverged(health.nats_per_symbol, 0.0):
            yield self._recover()
            return
        better = step.record_validation(valid)
        if better:
            self.best_flat[:] = self.model.params.flat
        event = Evaluated(
            step.position.step, step.progress.epoch, step.running_loss, valid, better,
            learning_rate, step.speed, step.position.seconds,
        )  # fmt: skip
        yield event
        if step.position.step:
            yield from self._sample(self.model, step.position.step)
        self._good = step.state_dict()
        if self.run:
            if self.group.rank == 0:
                self.run.log(to_json(event))
            yield self._save(better)

    def _save(self, best: bool = False) -> Saved:
        assert self.run is not None
        self._saved_at = self.step.position.seconds
        checkpoint = self._checkpoint()
        if self.group.rank == 0:
            if best:
                save(replace(checkpoint, training={}), self.run.best)
            save(checkpoint, self.run.last)
        return Saved(self.step.position.step, self.run.last)

    def _finish(self) -> Finished:
        """Measure the best model on each part, unless a stop was asked for."""
        stopped = self.group.stopping
        losses = self._losses(self.best_model)
        step = self.step
        event = Finished(
            step.position.step, step.progress.epoch, stopped, losses, step.position.best_step,
            self.model.num_parameters, step.speed, step.position.seconds,
        )  # fmt: skip
        if self.run and not stopped and self.group.rank == 0:
            self.run.log(to_json(event))
        return event

    def _checkpoint(self) -> Checkpoint:
        numbers, arrays = self.step.state_dict()
        del arrays["flat"]
        train = self.step.running_loss
        mean = None if math.isnan(train.nats_per_char) else train.nats_per_char
        metrics = Metrics(mean, self.step.position.best, self.step.position.best_step, train.per)
        record = self._record(metrics=metrics, **numbers)
        return Checkpoint(self.model, self.dataset.vocabulary, record, arrays)

    def _config_json(self) -> dict[str, Any]:
        """The options with the number of workers in use, which a resumed run keeps."""
        return {**super()._config_json(), "workers": self.step.workers}
