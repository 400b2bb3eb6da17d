"""Training by truncated backpropagation through time, as a stream of events.

    for event in Trainer(corpus, TrainConfig(cell="gru", epochs=10)).events():
        ...

Nothing is printed and nothing is called back. Evaluating and sampling in between use their own
random numbers and states, so they never change what training does next; and all that decides the
next step is in the `Learner`, so that a resumed run goes on bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from charrnn import checkpoint as files
from charrnn.config import TrainConfig
from charrnn.corpus import Corpus
from charrnn.count import Counting
from charrnn.errors import CheckpointError, ConfigError, DivergedError
from charrnn.evaluate import Loss, evaluate
from charrnn.events import (
    Evaluated,
    Event,
    Finished,
    Recovered,
    Saved,
    Started,
    Stepped,
    to_json,
)
from charrnn.learner import Learner
from charrnn.models import CharRNN, NGram
from charrnn.run import Run
from charrnn.session import Session

MOST_RECOVERIES = 3
_SAVE_SECONDS = 60.0


class Trainer(Session):
    """One training run. `events()` does the work; `stop()` ends it after the current step."""

    def __init__(self, corpus: Corpus, config: TrainConfig, run: Run | None = None) -> None:
        """A fresh run over `corpus`; with `run` it writes checkpoints and a log there."""
        super().__init__(corpus, config, run)
        self.learner = Learner(corpus, self.config)
        self.config = self.learner.config
        self.model: CharRNN = self.learner.model
        self.best_flat = self.model.params.flat.copy()
        self._saved = time.monotonic()
        self._good = self.learner.pack()

    @classmethod
    def resume(cls, run: Run, corpus: Corpus, config: TrainConfig) -> Trainer:
        """Continue the run in a directory exactly where its `last.npz` left it."""
        last = files.load(run.last)
        if last.meta["corpus"]["sha256"] != corpus.sha256:
            raise CheckpointError(
                f"{run.path} was trained on another text than {corpus.name}: the SHA-256 differs."
            )
        if last.vocabulary != corpus.vocabulary:
            raise CheckpointError(
                f"{run.path} was trained with another vocabulary than {corpus.name}'s."
            )
        trainer = cls(corpus, config, run)
        newest = _network(last, run.last)
        if trainer.model.config != newest.config:
            raise ConfigError(f"{run.path} holds another network than these options ask for.")
        trainer.learner.unpack(last.meta, {"flat": newest.params.flat, **last.training})
        best = _network(files.load(run.best), run.best) if run.best.exists() else newest
        trainer.best_flat[:] = best.params.flat
        run.rewind_log(trainer.learner.at.step)
        return trainer

    @property
    def share(self) -> float:
        """How much of the budget is used up."""
        return self.learner.progress.share

    @property
    def best(self) -> float | None:
        """The lowest validation loss so far, in nats per character."""
        return self.learner.at.best

    def events(self) -> Iterator[Event]:
        """Train until the budget is used up, reporting every step.

        A DivergedError ends it when the loss keeps exploding; a CheckpointError when the disk
        refuses a checkpoint. The last good checkpoint is whole in either case.
        """
        learner, lanes = self.learner, self.learner.lanes
        seq = math.ceil(lanes.inputs.shape[1] / lanes.chunks)
        yield Started(self.model.size, lanes.batch, seq, lanes.chunks, self._chars, learner.at.step)
        self._good = learner.pack()
        every = self.config.eval_every or max(50, min(lanes.chunks, 1000))
        while not self._stopping and not self._complete:
            rate = learner.rate
            if learner.progress.share < 1:
                loss, norm = learner.step(rate)
                if learner.diverged(loss, norm):
                    yield self._recover()
                    continue
                yield self._stepped(rate, norm)
            if learner.at.step % every == 0 or learner.progress.share >= 1:
                yield from self._evaluate(rate)
            elif self.run and time.monotonic() - self._saved > _SAVE_SECONDS:
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
        learner.unpack(*self._good)
        learner.at.seconds, learner.at.recoveries = failed.seconds, attempt
        learner.at.rate_factor = failed.rate_factor / 2
        return Recovered(failed.step, learner.at.step, learner.rate, attempt)

    def _evaluate(self, rate: float) -> Iterator[Event]:
        """Validate, adapt the plateau schedule, write a line or two, save."""
        started = time.perf_counter()
        with np.errstate(all="ignore"):  # a model that has exploded is told by its loss
            valid = evaluate(self.model, self._part("valid")) if len(self.corpus.valid) else None
            health = valid or evaluate(self.model, self.corpus.train[:2000])
        if self.learner.diverged(health.nats_per_char, 0.0):
            self.learner.clock(started)
            yield self._recover()
            return
        better = self.learner.judge(valid)
        if better:
            self.best_flat[:] = self.model.params.flat
        self.learner.clock(started)
        event = self._evaluated(valid, better, rate)
        yield event
        if self.config.sample_every and self.learner.at.step:
            yield self._sample(self.model, self.learner.at.step)
        self._good = self.learner.pack()
        if self.run:
            self.run.log(to_json(event))
            if better:
                files.save(replace(self._checkpoint(), training={}), self.run.best)
            yield self._save()

    def _evaluated(self, valid: Loss | None, better: bool, rate: float) -> Evaluated:
        learner, at = self.learner, self.learner.progress
        seconds = learner.at.seconds
        return Evaluated(
            at.step, at.epoch, learner.recent, valid, better, rate, learner.speed, seconds
        )

    def _save(self) -> Saved:
        assert self.run is not None
        self._saved = time.monotonic()
        files.save(self._checkpoint(), self.run.last)
        return Saved(self.learner.at.step, self.run.last)

    def _finish(self) -> Finished:
        """The best model read over each part, unless somebody asked to stop."""
        best = CharRNN(self.model.config, self.model.params.zeros())
        best.params.flat[:] = self.best_flat
        losses = self._losses(best)
        learner, at = self.learner, self.learner.at
        event = Finished(
            at.step, learner.progress.epoch, self._stopping, losses, at.best_step,
            self.model.size, learner.speed, at.seconds,
        )  # fmt: skip
        if self.run and not self._stopping:
            self.run.log(to_json(event))
        return event

    def _checkpoint(self) -> files.Checkpoint:
        meta, arrays = self.learner.pack()
        del arrays["flat"]
        meta |= self._record() | {
            "metrics": {
                "train_nats_per_char": self.learner.at.recent,
                "valid_nats_per_char": self.learner.at.best,
                "best_step": self.learner.at.best_step,
            },
        }
        return files.Checkpoint(self.model, self.corpus.vocabulary, meta, arrays)


def _network(found: files.Checkpoint, path: Path) -> CharRNN:
    if isinstance(found.model, CharRNN):
        return found.model
    raise CheckpointError(f"{path} holds no network; only those are trained further.")


def session_for(corpus: Corpus, config: TrainConfig, run: Run | None = None) -> Session:
    """What learns a corpus as the options ask: by training, or for `ngram` by counting."""
    way: type[Session] = Counting if config.cell == NGram.kind else Trainer
    return way(corpus, config, run)
