"""The learner: a network, its optimiser and its place in the text. One call, one update.

All that decides the next update is here: the parameters, the optimiser's slots, the carried state
and `TrainingState`; random numbers are a function of the seed and the step. `state_dict` copies it
out and `load_state_dict` puts it back, for resuming bit for bit and for going back after an
explosion. All ranks of a group call the same methods in the same order and hold the same numbers,
but that each carries the state of its own streams only.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from charrnn.config.defaults import resolve_defaults
from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.language.evaluate import Loss
from charrnn.nn.params import Array, redraw_weights, uniform
from charrnn.optim.clipping import clip_norm, clip_value
from charrnn.optim.optimizers import OPTIMIZERS, decay_weights
from charrnn.optim.schedules import SCHEDULES, TrainingProgress, warm_up
from charrnn.tasks import TASKS
from charrnn.training.parallel.data_parallel import DataParallel, default_workers
from charrnn.training.parallel.group import ProcessGroup, pairwise_sum
from charrnn.training.state import Stopwatch, TrainingState

_SMOOTHING = 0.98
_OTHER_TEXT = (
    "has read another text than rank 0: the SHA-256 differs; give every machine the same files"
)
_OTHER_PARAMETERS = (
    "has come to other parameters than rank 0, as when processors differ; set the same "
    "OPENBLAS_CORETYPE, say Haswell, on every machine"
)


class TrainingStep:
    """A network learning the training part of a corpus, chunk by chunk."""

    def __init__(
        self, corpus: Corpus, config: TrainConfig, group: ProcessGroup | None = None
    ) -> None:
        """A ProcessGroupError if the ranks of `group` have not got the same text and options."""
        self.group = group or ProcessGroup()
        self.group.check_equal(corpus.sha256, _OTHER_TEXT)
        own = replace(config, valid=None, test=None)  # paths, which may differ
        self.group.check_equal(own, "was started with other options than rank 0")
        config = resolve_defaults(config, len(corpus.parts["train"]))
        self.task = TASKS[config.task](corpus, config)
        rng = np.random.default_rng([0, config.seed])
        self.model = self.task.model(rng)
        if config.init:
            redraw_weights(self.model.params, uniform(config.init), rng)
        self.streams = self.task.batches()
        hidden = config.hidden or 0
        workers = config.workers or default_workers(self.streams.batch, hidden, self.group)
        self.config = replace(config, workers=workers)
        self.team = DataParallel(self.model, self.streams.batch, workers, self.group)
        self.optimizer = OPTIMIZERS[config.optimizer](self.model.params.flat.size)
        self.grads = self.model.params.zeros_like()
        streams = self.team.rank_streams
        self.state = self.model.initial_state(streams.stop - streams.start)
        self.at = TrainingState()
        self.watch = Stopwatch()
        self.reduction_changed = False
        """Whether other ranks or workers than before share the streams since `load_state_dict`."""
        self.speed = 0.0
        """Characters per second, a running mean."""
        self._symbols = 0

    @property
    def progress(self) -> TrainingProgress:
        """How far training is: of several budgets that counts of which the most is used."""
        at = self.at
        used = {
            "epochs": at.step / self.streams.chunks, "steps": at.step, "minutes": at.seconds / 60
        }  # fmt: skip
        share = max(used[unit] / amount for unit, amount in self.config.budgets.items())
        return TrainingProgress(share, at.epoch + at.chunk / self.streams.chunks, at.step)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        c, at = self.config, self.progress
        shape = SCHEDULES[c.schedule](at, c.decay, c.decay_after) * warm_up(at, c.warmup)
        return c.rate * shape * self.at.rate_factor

    def step(self, rate: float) -> tuple[float, float]:
        """One chunk: loss, gradient, clipping, update. A bad gradient is not applied."""
        self._reset_state()
        inputs, targets = self.streams.chunk(self.at.chunk, self.at.epoch)
        self._symbols = targets.size
        grads, team = self.grads, self.team
        with self.watch, np.errstate(all="ignore"):
            part, self.state = team.gradient(inputs, targets, self.state, grads, self._dropout_rng)
            notes = self.group.all_reduce(grads.flat, (part, self.watch.lap()))
            loss, seconds = pairwise_sum(notes[:, 0].tolist()), float(notes[0, 1])
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
        if self.at.chunk == self.streams.chunks:
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
        fresh = rng.random(self.streams.batch) < self.config.reset
        if self.at.chunk == 0:
            fresh[:] = True
        fresh = fresh[self.team.rank_streams]
        for s, start in zip(self.state, self.model.initial_state(len(fresh)), strict=True):
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
        chance_loss = self.task.chance_loss(self.model)
        recent = self.at.recent or 0.0
        return not (math.isfinite(norm) and recent < 2 * chance_loss and loss < 4 * chance_loss + 4)

    def record_validation(self, valid: Loss | None) -> bool:
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

    def state_dict(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Everything that decides what comes next, copied; of the state, the streams of all ranks.

        A ProcessGroupError if parameters are no longer the same on every rank.
        """
        self.group.check_equal(zlib.crc32(self.model.params.flat.tobytes()), _OTHER_PARAMETERS)
        meta: dict[str, Any] = {"position": asdict(self.at)}
        meta |= {"updates": self.optimizer.updates, "order": self.team.reduction_order}
        arrays = {"flat": self.model.params.flat.copy()}
        arrays |= {f"optimizer/{n}": a.copy() for n, a in self.optimizer.slots.items()}
        every = zip(*self.group.gather(self.state), strict=True)
        arrays |= {f"state/{n}": np.concatenate(parts) for n, parts in enumerate(every)}
        return meta, arrays

    def load_state_dict(self, meta: dict[str, Any], arrays: dict[str, Array]) -> None:
        """The inverse of `state_dict`."""
        self.at = TrainingState(**meta["position"])
        order = self.team.reduction_order
        self.reduction_changed = meta.get("order", order) != order
        self.optimizer.updates = meta["updates"]
        self.model.params.flat[:] = arrays["flat"]
        for name, average in self.optimizer.slots.items():
            average[:] = arrays[f"optimizer/{name}"]
        own = self.team.rank_streams
        self.state = tuple(arrays[f"state/{n}"][own].copy() for n in range(len(self.state)))
