"""The learner: a network, its optimiser and its place in the text. One call, one update.

All that decides the next update is here: the parameters, the optimiser's averages, the carried
state and `Position`; random numbers are a function of the seed and the step. `pack` copies it out
and `unpack` puts it back, for resuming bit for bit and for going back after an explosion. All
ranks of a crew call the same methods in the same order and hold the same numbers, but that each
carries the state of its own lanes only.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from charrnn.config.defaults import fitted
from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.language.evaluate import Loss
from charrnn.nn.params import Array, draw_weights, uniform
from charrnn.optim.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    Progress,
    clip_norm,
    clip_value,
    decay_weights,
    warm_up,
)
from charrnn.tasks import TASKS
from charrnn.training.parallel.data_parallel import Team, sensible_workers
from charrnn.training.parallel.group import Crew, add_up
from charrnn.training.state import Position, Stopwatch

_SMOOTHING = 0.98
_OTHER_TEXT = (
    "has read another text than rank 0: the SHA-256 differs; give every machine the same files"
)
_OTHER_PARAMETERS = (
    "has come to other parameters than rank 0, as when processors differ; set the same "
    "OPENBLAS_CORETYPE, say Haswell, on every machine"
)


class Learner:
    """A network learning the training part of a corpus, chunk by chunk."""

    def __init__(self, corpus: Corpus, config: TrainConfig, crew: Crew | None = None) -> None:
        """A CrewError if the ranks of `crew` have not got the same text and options."""
        self.crew = crew or Crew()
        self.crew.same(corpus.sha256, _OTHER_TEXT)
        own = replace(config, valid=None, test=None)  # paths, which may differ
        self.crew.same(own, "was started with other options than rank 0")
        config = fitted(config, len(corpus.parts["train"]))
        self.task = TASKS[config.task](corpus, config)
        rng = np.random.default_rng([0, config.seed])
        self.model = self.task.model(rng)
        if config.init:
            draw_weights(self.model.params, uniform(config.init), rng)
        self.lanes = self.task.batches()
        hidden = config.hidden or 0
        workers = config.workers or sensible_workers(self.lanes.batch, hidden, self.crew)
        self.config = replace(config, workers=workers)
        self.team = Team(self.model, self.lanes.batch, workers, self.crew)
        self.optimizer = OPTIMIZERS[config.optimizer](self.model.params.flat.size)
        self.grads = self.model.params.zeros()
        lanes = self.team.own
        self.state = self.model.start(lanes.stop - lanes.start)
        self.at = Position()
        self.watch = Stopwatch()
        self.reordered = False
        """Whether other ranks or workers than before share the lanes since `unpack`."""
        self.speed = 0.0
        """Characters per second, a running mean."""
        self._symbols = 0

    @property
    def progress(self) -> Progress:
        """How far training is: of several budgets that counts of which the most is used."""
        at = self.at
        used = {
            "epochs": at.step / self.lanes.chunks, "steps": at.step, "minutes": at.seconds / 60
        }  # fmt: skip
        share = max(used[unit] / amount for unit, amount in self.config.budgets.items())
        return Progress(share, at.epoch + at.chunk / self.lanes.chunks, at.step)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        c, at = self.config, self.progress
        shape = SCHEDULES[c.schedule](at, c.decay, c.decay_after) * warm_up(at, c.warmup)
        return c.rate * shape * self.at.rate_factor

    def step(self, rate: float) -> tuple[float, float]:
        """One chunk: loss, gradient, clipping, update. A bad gradient is not applied."""
        self._reset_state()
        inputs, targets = self.lanes.chunk(self.at.chunk, self.at.epoch)
        self._symbols = targets.size
        grads, team = self.grads, self.team
        with self.watch, np.errstate(all="ignore"):
            part, self.state = team.gradient(inputs, targets, self.state, grads, self._dropout_rng)
            notes = self.crew.sum(grads.flat, (part, self.watch.lap()))
            loss, seconds = add_up(notes[:, 0].tolist()), float(notes[0, 1])
            clip_value(grads.flat, self.config.clip_value)
            norm = clip_norm(grads.flat, self.config.clip)
            if math.isfinite(loss) and math.isfinite(norm):
                self.optimizer.update(self.model.params.flat, grads.flat, rate)
                if self.config.weight_decay:
                    decay_weights(self.model.params, rate * self.config.weight_decay)
        recent = self.at.recent
        self.at.recent = loss if recent is None else _SMOOTHING * recent + (1 - _SMOOTHING) * loss
        self.at.step += 1
        self.at.chunk += 1
        if self.at.chunk == self.lanes.chunks:
            self.at.chunk, self.at.epoch = 0, self.at.epoch + 1
        self.at.seconds += seconds
        now = self.task.characters(inputs, targets) / max(seconds, 1e-9)
        self.speed = 0.95 * self.speed + 0.05 * now if self.speed else now
        return loss, norm

    def _reset_state(self) -> None:
        """Start anew where the text wraps, and now and then in between (Melis, Dyer and Blunsom
        2018): else the start state, in which every use of the model begins, is met once an epoch
        and a network with saturated carried states is lost when it meets it.
        """
        rng = np.random.default_rng([1, self.config.seed, self.at.step])
        fresh = rng.random(self.lanes.batch) < self.config.reset
        if self.at.chunk == 0:
            fresh[:] = True
        fresh = fresh[self.team.own]
        for s, start in zip(self.state, self.model.start(len(fresh)), strict=True):
            s[fresh] = start[fresh]

    def _dropout_rng(self, worker: int) -> np.random.Generator:
        """A generator of this step's own, so that none has to be remembered. (The first number
        tells it from the generators of the first weights, 0, of resets, 1, and of samples, 3.)
        """
        return np.random.default_rng([2, self.config.seed, self.at.step, worker])

    @property
    def recent(self) -> Loss:
        """Running mean of the training loss."""
        recent = self.at.recent if self.at.recent is not None else math.nan
        return self.task.running(recent, self._symbols)

    def diverged(self, loss: float, norm: float) -> bool:
        """Whether training has blown up: NaN, a running loss twice that of guessing blindly, or a
        loss now of four times and more, in nats per symbol.
        """
        blind = self.task.blind(self.model)
        recent = self.at.recent or 0.0
        return not (math.isfinite(norm) and recent < 2 * blind and loss < 4 * blind + 4)

    def judge(self, valid: Loss | None) -> bool:
        """Take note of a validation loss: is it the best so far? Without one the newest is best.

        The plateau schedule lowers the rate when there was no best for `patience` evaluations.
        """
        at = self.at
        at.evaluated = at.step
        if valid is None or at.best is None or valid.nats_per_char < at.best:
            at.best = valid.nats_per_char if valid else None
            at.best_step, at.waiting = at.step, 0
            return True
        at.waiting += 1
        if self.config.schedule == "plateau" and at.waiting >= self.config.patience:
            at.rate_factor *= self.config.decay
            at.waiting = 0
        return False

    def pack(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Everything that decides what comes next, copied; of the state, the lanes of all ranks.

        A CrewError if parameters are no longer the same on every rank.
        """
        self.crew.same(zlib.crc32(self.model.params.flat.tobytes()), _OTHER_PARAMETERS)
        meta: dict[str, Any] = {"position": asdict(self.at)}
        meta |= {"updates": self.optimizer.updates, "order": self.team.order}
        arrays = {"flat": self.model.params.flat.copy()}
        arrays |= {f"optimizer/{n}": a.copy() for n, a in self.optimizer.averages.items()}
        every = zip(*self.crew.gather(self.state), strict=True)
        arrays |= {f"state/{n}": np.concatenate(parts) for n, parts in enumerate(every)}
        return meta, arrays

    def unpack(self, meta: dict[str, Any], arrays: dict[str, Array]) -> None:
        """The inverse of `pack`."""
        self.at = Position(**meta["position"])
        self.reordered = meta.get("order", self.team.order) != self.team.order
        self.optimizer.updates = meta["updates"]
        self.model.params.flat[:] = arrays["flat"]
        for name, average in self.optimizer.averages.items():
            average[:] = arrays[f"optimizer/{name}"]
        own = self.team.own
        self.state = tuple(arrays[f"state/{n}"][own].copy() for n in range(len(self.state)))
