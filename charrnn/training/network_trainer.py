"""Training by truncated backpropagation through time, as a stream of events.

    for event in NetworkTrainer(corpus, TrainConfig(cell="gru", epochs=10)).events():
        ...

Nothing is printed and nothing is called back. Evaluating and sampling in between use their own
random numbers and states, so they never change what training does next; and all that decides the
next step is in the `TrainingStep`, so that a resumed run goes on bit for bit.

In a group of several ranks each runs its own `NetworkTrainer` over the same text and meets the same
events; rank 0 alone evaluates, samples and writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import replace

import numpy as np

from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.errors import DivergedError
from charrnn.language.evaluate import Loss
from charrnn.models import NGram, Trainable
from charrnn.nn.params import Params
from charrnn.runs.checkpoint import Checkpoint, save
from charrnn.runs.run import Run
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
from charrnn.training.ngram_trainer import NGramTrainer
from charrnn.training.parallel.group import ProcessGroup
from charrnn.training.trainer import Trainer
from charrnn.training.training_step import TrainingStep

MOST_RECOVERIES = 3
_SAVE_SECONDS = 60.0
_HEALTH_CHARS = 2000


class NetworkTrainer(Trainer):
    """One training run. `events()` does the work; `stop()` ends it after the current step."""

    def __init__(
        self,
        corpus: Corpus,
        config: TrainConfig,
        run: Run | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        """A fresh run over `corpus`; with `run` it writes checkpoints and a log there.

        `group` is for one run; its ranks must have the same text and options.
        """
        super().__init__(corpus, config, run, group)
        self.learner = TrainingStep(corpus, self.config, self.group)
        self.config, self.task = self.learner.config, self.learner.task
        self.model: Trainable = self.learner.model
        self.best_flat = self.model.params.flat.copy()
        self._saved = 0.0
        self._good = self.learner.state_dict()

    @classmethod
    def resume(
        cls, run: Run, corpus: Corpus, config: TrainConfig, group: ProcessGroup | None = None
    ) -> NetworkTrainer:
        """Continue the run in a directory exactly where its `last.npz` left it."""
        group = group or ProcessGroup()
        trainer = cls(corpus, config, run, group)
        meta, arrays, best = group.run_on_root(lambda: run.restore(corpus, trainer.model))
        trainer.learner.load_state_dict(meta, arrays)
        trainer.best_flat[:] = best
        return trainer

    @property
    def share(self) -> float:
        """How much of the budget is used up."""
        return self.learner.progress.share

    @property
    def best(self) -> float | None:
        """The lowest validation loss so far, in nats per character."""
        return self.learner.at.best

    @property
    def reduction_changed(self) -> bool:
        """Whether other ranks or workers than before share the streams of a resumed run."""
        return self.learner.reduction_changed

    def events(self) -> Iterator[Event]:
        """Train until the budget is used up, reporting every step.

        A DivergedError ends it when the loss keeps exploding; a CheckpointError when the disk
        refuses a checkpoint. The last good checkpoint is whole in either case.
        """
        learner, streams = self.learner, self.learner.streams
        yield Started(
            self.model.num_parameters, streams.batch, streams.seq, streams.chunks,
            self.corpus.chars, learner.at.step, self.group.size, learner.team.workers, self.chosen,
        )  # fmt: skip
        self._good = learner.state_dict()
        every = self.config.eval_every or max(50, min(streams.chunks, 1000))
        self._saved = learner.at.seconds
        while not self.group.stopping and not self._complete:
            rate = learner.rate
            if learner.progress.share < 1:
                loss, norm = learner.step(rate)
                if learner.diverged(loss, norm):
                    yield self._recover()
                    continue
                yield self._stepped(rate, norm)
            if learner.at.step % every == 0 or learner.progress.share >= 1:
                yield from self._evaluate(rate)
            elif self.run and learner.at.seconds - self._saved > _SAVE_SECONDS:
                yield self._save()
        if self.run and not self._complete:
            yield self._save()
        yield self._finish()

    @property
    def _complete(self) -> bool:
        """The budget is used up and its last state evaluated."""
        learner = self.learner
        return learner.progress.share >= 1 and learner.at.evaluated == learner.at.step

    def _stepped(self, rate: float, norm: float) -> Stepped:
        learner, at = self.learner, self.learner.progress
        seconds = learner.at.seconds
        return Stepped(
            at.step, at.epoch, at.share, learner.recent, rate, norm, learner.speed, seconds
        )

    def _recover(self) -> Recovered:
        """Back to the last good state, at half the rate; a DivergedError after three times."""
        learner = self.learner
        failed, attempt = learner.at, learner.at.recoveries + 1
        if attempt > MOST_RECOVERIES:
            saved = self.run and self.run.last.exists()
            kept = f" The last good checkpoint is {self.run.last}." if self.run and saved else ""
            raise DivergedError(
                f"The loss exploded at step {failed.step:,} once more after {MOST_RECOVERIES} "
                f"halvings of the learning rate, now {learner.rate:.2g}; lower --lr.{kept}"
            )
        learner.load_state_dict(*self._good)
        learner.at.seconds, learner.at.recoveries = failed.seconds, attempt
        learner.at.rate_factor = failed.rate_factor / 2
        return Recovered(failed.step, learner.at.step, learner.rate, attempt)

    def _measure(self) -> tuple[Loss | None, Loss, float]:
        """The validation loss, the loss that tells an explosion, and the seconds they took."""
        with self.learner.watch, np.errstate(all="ignore"):  # an explosion is told by its loss
            limit, valid = self.config.eval_chars or None, None
            if len(self.corpus.parts["valid"]):
                valid = self.task.evaluate(self.model, "valid", limit)
            health = valid or self.task.evaluate(self.model, "train", _HEALTH_CHARS)
            return valid, health, self.learner.watch.lap()

    def _evaluate(self, rate: float) -> Iterator[Event]:
        """Validate, adapt the plateau schedule, write a line or two, save."""
        valid, health, seconds = self.group.run_on_root(self._measure)
        self.learner.at.seconds += seconds
        if self.learner.diverged(health.nats_per_symbol, 0.0):
            yield self._recover()
            return
        better = self.learner.record_validation(valid)
        if better:
            self.best_flat[:] = self.model.params.flat
        event = self._evaluated(valid, better, rate)
        yield event
        if self.learner.at.step:
            yield from self._sample(self.model, self.learner.at.step)
        self._good = self.learner.state_dict()
        if self.run:
            if self.group.rank == 0:
                self.run.log(to_json(event))
            yield self._save(better)

    def _evaluated(self, valid: Loss | None, better: bool, rate: float) -> Evaluated:
        learner, at = self.learner, self.learner.progress
        seconds = learner.at.seconds
        return Evaluated(
            at.step, at.epoch, learner.recent, valid, better, rate, learner.speed, seconds
        )

    def _save(self, best: bool = False) -> Saved:
        assert self.run is not None
        self._saved = self.learner.at.seconds
        checkpoint = self._checkpoint()
        if self.group.rank == 0:
            if best:
                save(replace(checkpoint, training={}), self.run.best)
            save(checkpoint, self.run.last)
        return Saved(self.learner.at.step, self.run.last)

    def _finish(self) -> Finished:
        """The best model read over each part, unless somebody asked to stop."""
        stopped = self.group.stopping
        best = copy(self.model)
        best.params = Params(best.params.shapes, self.best_flat)
        losses = self._losses(best)
        learner, at = self.learner, self.learner.at
        event = Finished(
            at.step, learner.progress.epoch, stopped, losses, at.best_step,
            self.model.num_parameters, learner.speed, at.seconds,
        )  # fmt: skip
        if self.run and not stopped and self.group.rank == 0:
            self.run.log(to_json(event))
        return event

    @property
    def _recent(self) -> float | None:
        recent = self.learner.recent.nats_per_char
        return None if math.isnan(recent) else recent

    def _checkpoint(self) -> Checkpoint:
        meta, arrays = self.learner.state_dict()
        del arrays["flat"]
        meta |= self._record() | {
            "metrics": {
                f"train_nats_per_{self.learner.recent.per}": self._recent,
                f"valid_nats_per_{self.learner.recent.per}": self.learner.at.best,
                "best_step": self.learner.at.best_step,
            },
        }
        return Checkpoint(self.model, self.corpus.vocabulary, meta, arrays)


def make_trainer(
    corpus: Corpus, config: TrainConfig, run: Run | None = None, group: ProcessGroup | None = None
) -> Trainer:
    """What learns a corpus as the options ask: by training, or for `ngram` by counting."""
    way: type[Trainer] = NGramTrainer if config.cell == NGram.kind else NetworkTrainer
    return way(corpus, config, run, group)
