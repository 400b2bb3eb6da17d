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
from charrnn.runs import log
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
from charrnn.training.memory import check_memory
from charrnn.training.parallel.group import ProcessGroup
from charrnn.training.resume import restore
from charrnn.training.trainer import Trainer
from charrnn.training.training_step import TrainingStep

MAX_RECOVERIES = 3
_SAVE_SECONDS = 60.0
_DIVERGENCE_CHECK_CHARS = 2000  # of the training part, if there is no validation part


class NetworkTrainer(Trainer):
    """One training run of a network. `stop()` ends it after the current step."""

    model: Trainable

    def __init__(
        self, task: Task, run: Run | None = None, group: ProcessGroup | None = None
    ) -> None:
        """A fresh run. The group is for one run; its ranks must have the same text and options."""
        super().__init__(task, run, group)
        check_memory(task)
        self.training = TrainingStep(task, self.group)
        self.model = self.training.model
        self.best_params = self.model.params.flat.copy()
        self._saved_at = 0.0
        self._last_good_state = self.training.state_dict()

    @classmethod
    def resume(cls, run: Run, task: Task, group: ProcessGroup | None = None) -> NetworkTrainer:
        """Continue a run exactly where its `last.npz` left it. A CheckpointError or ConfigError if
        it was trained on another text, or has another network.
        """
        trainer = cls(task, run, group)
        trainer.damaged_records = trainer.group.run_on_root(lambda: log.damaged(run.log_file))
        (_, fresh), chunks = trainer._last_good_state, trainer.training.batches.chunks
        record_fields, arrays, best_params = trainer.group.run_on_root(
            lambda: restore(run, task.dataset, trainer.model, fresh, chunks)
        )
        trainer.training.load_state_dict(record_fields, arrays)
        trainer.best_params[:] = best_params
        return trainer

    @property
    def share(self) -> float:
        """The share of the budget that is used up."""
        return self.training.progress.share

    @property
    def best_loss(self) -> float | None:
        """The lowest validation loss so far, in nats per character."""
        return self.training.position.best

    @property
    def best_model(self) -> Trainable:
        """The network with the best parameters so far."""
        model = copy(self.model)
        model.params = Params(model.params.shapes, self.best_params)
        return model

    @property
    def reduction_changed(self) -> bool:
        """Whether the streams of a resumed run are now shared by other ranks or workers."""
        return self.training.reduction_changed

    def events(self) -> Iterator[Event]:
        """Train until the budget is used up, reporting every step.

        A DivergedError ends it if the loss keeps exploding, a CheckpointError if the disk refuses a
        checkpoint. The last good checkpoint stays whole in either case.
        """
        training, batches = self.training, self.training.batches
        yield Started(
            self.model.num_parameters, batches.batch, batches.seq, batches.chunks,
            self.dataset.chars, training.position.step, self.group.size, training.parallel.workers,
            self.task.chosen,
        )  # fmt: skip
        self._last_good_state = training.state_dict()
        every = self.config.eval_every or max(50, min(batches.chunks, 1000))
        self._saved_at = training.position.seconds
        while not self.group.stopping and not self._complete:
            learning_rate = training.learning_rate
            if training.progress.share < 1:
                loss, norm = training.update(learning_rate)
                if training.diverged(loss, norm):
                    yield self._recover()
                    continue
                yield self._stepped(learning_rate, norm)
            if training.position.step % every == 0 or training.progress.share >= 1:
                yield from self._evaluate(learning_rate)
            elif self.run and training.position.seconds - self._saved_at > _SAVE_SECONDS:
                yield self._save()
        if self.run and not self._complete:
            yield self._save()
        yield self._finish()

    @property
    def _complete(self) -> bool:
        """Whether the budget is used up and the last state evaluated."""
        position = self.training.position
        return self.training.progress.share >= 1 and position.evaluated == position.step

    def _stepped(self, learning_rate: float, norm: float) -> Stepped:
        training, progress = self.training, self.training.progress
        return Stepped(
            progress.step, progress.epoch, progress.share, training.running_loss, learning_rate,
            norm, training.speed, training.position.seconds,
        )  # fmt: skip

    def _recover(self) -> Recovered:
        """Return to the last good state with half the learning rate; a DivergedError after
        `MAX_RECOVERIES` times.
        """
        training = self.training
        failed, attempt = training.position, training.position.recoveries + 1
        if attempt > MAX_RECOVERIES:
            saved = self.run and self.run.last.exists()
            where = f" The last good checkpoint is {self.run.last}." if self.run and saved else ""
            raise DivergedError(
                f"The loss exploded at step {failed.step:,} once more after {MAX_RECOVERIES} "
                f"halvings of the learning rate, now {training.learning_rate:.2g}; lower --lr."
                f"{where}"
            )
        training.load_state_dict(*self._last_good_state)
        training.position.seconds, training.position.recoveries = failed.seconds, attempt
        training.position.learning_rate_factor = failed.learning_rate_factor / 2
        return Recovered(failed.step, training.position.step, training.learning_rate, attempt)

    def _measure(self) -> tuple[Loss | None, Loss, float]:
        """The validation loss, the loss that reveals an explosion, and the seconds taken."""
        with self.training.watch, np.errstate(all="ignore"):  # an explosion shows in the loss
            limit, valid = self.config.eval_chars or None, None
            if len(self.dataset.parts["valid"]):
                valid = self.task.evaluate(self.model, "valid", limit)
            divergence_loss = valid or self.task.evaluate(
                self.model, "train", _DIVERGENCE_CHECK_CHARS
            )
            return valid, divergence_loss, self.training.watch.lap()

    def _evaluate(self, learning_rate: float) -> Iterator[Event]:
        """Validate, adapt the plateau schedule, show a sample, save."""
        training = self.training
        valid, divergence_loss, seconds = self.group.run_on_root(self._measure)
        training.position.seconds += seconds
        if training.diverged(divergence_loss.nats_per_symbol, 0.0):
            yield self._recover()
            return
        is_best = training.record_validation(valid)
        if is_best:
            self.best_params[:] = self.model.params.flat
        event = Evaluated(
            training.position.step, training.progress.epoch, training.running_loss, valid, is_best,
            learning_rate, training.speed, training.position.seconds,
        )  # fmt: skip
        yield event
        if training.position.step:
            yield from self._sample(self.model, training.position.step)
        self._last_good_state = training.state_dict()
        if self.run:
            if self.group.rank == 0:
                self.run.log(to_json(event))
            yield self._save(is_best)

    def _save(self, is_best: bool = False) -> Saved:
        assert self.run is not None
        self._saved_at = self.training.position.seconds
        checkpoint = self._checkpoint()
        if self.group.rank == 0:
            if is_best:
                save(replace(checkpoint, training={}), self.run.best)
            save(checkpoint, self.run.last)
        return Saved(self.training.position.step, self.run.last)

    def _finish(self) -> Finished:
        """Measure the best model on each part, unless a stop was asked for."""
        stopped = self.group.stopping
        losses = self._losses(self.best_model)
        training, position = self.training, self.training.position
        event = Finished(
            position.step, training.progress.epoch, stopped, losses, position.best_step,
            self.model.num_parameters, training.speed, position.seconds,
        )  # fmt: skip
        if self.run and not stopped and self.group.rank == 0:
            self.run.log(to_json(event))
        return event

    def _checkpoint(self) -> Checkpoint:
        record_fields, arrays = self.training.state_dict()
        del arrays["flat"]
        train, position = self.training.running_loss, self.training.position
        mean = None if math.isnan(train.nats_per_char) else train.nats_per_char
        metrics = Metrics(mean, position.best, position.best_step, train.per)
        record = self._record(metrics=metrics, **record_fields)
        return Checkpoint(self.model, self.dataset.vocabulary, record, arrays)

    def _config_json(self) -> dict[str, Any]:
        """The options with the number of workers in use, which a resumed run keeps."""
        return {**super()._config_json(), "workers": self.training.workers}
