"""The training step: a network, its optimiser and its position in the text.

`TrainingStep` holds everything that determines the next update: the parameters, the optimiser's
slots, the carried state and `TrainingState`; random numbers depend on the seed and the step alone.
`state_dict` copies it and `load_state_dict` restores it, to resume bit for bit and to go back after
an explosion. All ranks of a group call the same methods in the same order and hold the same
numbers, except that each carries the state of its own streams only.
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
from charrnn.nn.initializers import redraw_weights, uniform
from charrnn.nn.params import Array
from charrnn.optim.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    TrainingProgress,
    clip_norm,
    clip_value,
    decay_weights,
    warm_up,
)
from charrnn.tasks import TASKS
from charrnn.training.parallel.data_parallel import DataParallel, default_workers
from charrnn.training.parallel.group import ProcessGroup, pairwise_sum
from charrnn.training.state import Stopwatch, TrainingState

_SMOOTHING = 0.98
_DIFFERENT_TEXT = (
    "has read a different text from rank 0 (SHA-256 differs); give every machine the same files"
)
_DIFFERENT_PARAMETERS = (
    "has different parameters from rank 0, as when processors differ; set the same "
    "OPENBLAS_CORETYPE, such as Haswell, on every machine"
)


class TrainingStep:
    """Trains a network on the training part of a corpus, one update per call of `step`."""

    def __init__(
        self, corpus: Corpus, config: TrainConfig, group: ProcessGroup | None = None
    ) -> None:
        """A ProcessGroupError if the ranks of `group` have different texts or options."""
        self.group = group or ProcessGroup()
        self.group.check_equal(corpus.sha256, _DIFFERENT_TEXT)
        options = replace(config, valid=None, test=None)  # paths may differ
        self.group.check_equal(options, "was started with different options from rank 0")
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
        streams = self.team.own
        self.state = self.model.initial_state(streams.stop - streams.start)
        self.at = TrainingState()
        self.watch = Stopwatch()
        self.reduction_changed = False
        """Whether the loaded state was trained with another number of ranks or workers."""
        self.speed = 0.0
        """Running mean of characters per second."""
        self._symbols = 0

    @property
    def progress(self) -> TrainingProgress:
        """Training progress, as a share of the budget that will be used up first."""
        at = self.at
        used = {
            "epochs": at.step / self.streams.chunks, "steps": at.step, "minutes": at.seconds / 60
        }  # fmt: skip
        share = max(used[unit] / amount for unit, amount in self.config.budgets.items())
        return TrainingProgress(share, at.epoch + at.chunk / self.streams.chunks, at.step)

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        c, at = self.config, self.progress
        factor = SCHEDULES[c.schedule](at, c.decay, c.decay_after) * warm_up(at, c.warmup)
        return c.rate * factor * self.at.rate_factor

    def step(self, rate: float) -> tuple[float, float]:
        """One update: read a chunk, compute loss and gradient, clip, update the parameters. Skips
        the update if the loss or the gradient is not finite. Returns the loss, in nats per target,
        and the norm of the gradient before it is clipped.
        """
        self._reset_state()
        inputs, targets = self.streams.chunk(self.at.chunk, self.at.epoch)
        self._symbols = targets.size
        grads, team = self.grads, self.team
        with self.watch, np.errstate(all="ignore"):
            part, self.state = team.gradient(inputs, targets, self.state, grads, self._dropout_rng)
            scalars = self.group.all_reduce(grads.flat, (part, self.watch.lap()))
            loss, seconds = pairwise_sum(scalars[:, 0].tolist()), float(scalars[0, 1])
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
        """Reset the state of all streams at the start of an epoch, and of each stream with the
        probability `reset` before every chunk (Melis, Dyer and Blunsom 2018). Otherwise training
        sees the initial state, from which every later use of the model starts, once an epoch, and a
        network whose carried states saturate predicts badly from it.
        """
        rng = np.random.default_rng([1, self.config.seed, self.at.step])
        fresh = rng.random(self.streams.batch) < self.config.reset
        if self.at.chunk == 0:
            fresh[:] = True
        fresh = fresh[self.team.own]
        for s, start in zip(self.state, self.model.initial_state(len(fresh)), strict=True):
            s[fresh] = start[fresh]

    def _dropout_rng(self, worker: int) -> np.random.Generator:
        """The random generator of this step and worker, so that no generator state is stored. The
        first seed number is 2; those for initial weights (0), resets (1) and samples (3) differ.
        """
        return np.random.default_rng([2, self.config.seed, self.at.step, worker])

    @property
    def recent(self) -> Loss:
        """Running mean of the training loss."""
        recent = self.at.recent if self.at.recent is not None else math.nan
        return self.task.running(recent, self._symbols)

    def diverged(self, loss: float, norm: float) -> bool:
        """Whether training has diverged: the norm is not finite, the running loss is twice the
        chance loss, or the current loss exceeds four times the chance loss plus 4 nats per symbol.
        """
        chance_loss = self.task.chance_loss(self.model)
        recent = self.at.recent or 0.0
        return not (math.isfinite(norm) and recent < 2 * chance_loss and loss < 4 * chance_loss + 4)

    def record_validation(self, valid: Loss | None) -> bool:
        """Record a validation loss. Returns whether it is the best so far; without a validation
        loss the newest model counts as the best.

        The plateau schedule lowers the learning rate after `patience` evaluations without a best.
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
        """Copies of everything that determines the next update, with the carried state of all
        ranks. A ProcessGroupError if the parameters differ between ranks.
        """
        self.group.check_equal(zlib.crc32(self.model.params.flat.tobytes()), _DIFFERENT_PARAMETERS)
        meta: dict[str, Any] = {"position": asdict(self.at)}
        meta |= {"updates": self.optimizer.updates, "order": self.team.order}
        arrays = {"flat": self.model.params.flat.copy()}
        arrays |= {f"optimizer/{n}": a.copy() for n, a in self.optimizer.slots.items()}
        states = zip(*self.group.gather(self.state), strict=True)
        arrays |= {f"state/{n}": np.concatenate(parts) for n, parts in enumerate(states)}
        return meta, arrays

    def load_state_dict(self, meta: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Restore what `state_dict` returned."""
        self.at = TrainingState(**meta["position"])
        self.reduction_changed = meta.get("order", self.team.order) != self.team.order
        self.optimizer.updates = meta["updates"]
        self.model.params.flat[:] = arrays["flat"]
        for name, slot in self.optimizer.slots.items():
            slot[:] = arrays[f"optimizer/{name}"]
        streams = self.team.own
        self.state = tuple(arrays[f"state/{n}"][streams].copy() for n in range(len(self.state)))
