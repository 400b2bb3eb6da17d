"""One update of a network: its parameters, its optimizer and its position in the text.

`TrainingStep` holds everything that determines the next update: the parameters, the optimizer's
slots, the carried state and `TrainingState`; random numbers depend on the seed and the step alone.
`state_dict` copies it and `load_state_dict` restores it, to resume bit for bit and to go back after
an explosion. All ranks of a group call the same methods in the same order and hold the same
numbers, except that each carries the state of its own streams only.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from charrnn.language.evaluate import Loss
from charrnn.nn.initializers import redraw_weights, uniform
from charrnn.nn.params import Array
from charrnn.optim.clipping import clip_norm, clip_value
from charrnn.optim.optimizers import OPTIMIZERS, decay_weights
from charrnn.optim.schedules import SCHEDULES, TrainingProgress, warm_up
from charrnn.runs.record import TrainingState
from charrnn.tasks import Task
from charrnn.training.parallel.data_parallel import DataParallel, default_workers
from charrnn.training.parallel.group import ProcessGroup, pairwise_sum
from charrnn.training.stopwatch import Stopwatch

_SMOOTHING = 0.98
"""Weight of the past in the running mean of the training loss."""
_SPEED_WEIGHT = 0.05
"""Weight of the newest step in the running mean of the speed."""
_DIFFERENT_TEXT = (
    "has read a different text from rank 0 (SHA-256 differs); give every machine the same files"
)
_DIFFERENT_PARAMETERS = (
    "has different parameters from rank 0, as when processors differ; set the same "
    "OPENBLAS_CORETYPE, such as Haswell, on every machine"
)


class TrainingStep:
    """A network in training on a task, chunk by chunk."""

    def __init__(self, task: Task, group: ProcessGroup | None = None) -> None:
        """A ProcessGroupError if the ranks of `group` do not have the same text and options."""
        self.group = group or ProcessGroup()
        check_ranks(task, self.group)
        self.task, self.config = task, task.config
        rng = np.random.default_rng([0, self.config.seed])
        self.model = task.build_model(rng)
        if self.config.init:
            redraw_weights(self.model.params, uniform(self.config.init), rng)
        self.batches = task.batches()
        self.workers = self.config.workers or default_workers(
            self.batches.batch, self.config.hidden, self.group
        )
        self.parallel = DataParallel(self.model, self.batches.batch, self.workers, self.group)
        self.optimizer = OPTIMIZERS[self.config.optimizer](self.model.params.flat.size)
        self.grads = self.model.params.zeros_like()
        streams = self.parallel.rank_streams
        self.state = self.model.initial_state(streams.stop - streams.start)
        self.position = TrainingState()
        self.watch = Stopwatch()
        self.reduction_changed = False
        """Whether the loaded state was trained with another number of ranks or workers."""
        self.speed = 0.0
        """Running mean of characters per second."""
        self._symbols = 0

    @property
    def progress(self) -> TrainingProgress:
        """How far training is; of several budgets, the one of which most is used up counts."""
        position, chunks = self.position, self.batches.chunks
        used = {
            "epochs": position.step / chunks,
            "steps": position.step,
            "minutes": position.seconds / 60,
        }
        share = max(used[unit] / amount for unit, amount in self.config.budgets.items())
        return TrainingProgress(share, position.epoch + position.chunk / chunks, position.step)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        c, progress = self.config, self.progress
        shape = SCHEDULES[c.schedule](progress, c.decay, c.decay_after) * warm_up(
            progress, c.warmup
        )
        learning_rate: float = c.peak_lr
        return learning_rate * shape * self.position.learning_rate_factor

    def update(self, learning_rate: float) -> tuple[float, float]:
        """One chunk: loss, gradient, clipping, update, if the gradient is finite.

        Returns the loss in nats per symbol, and the norm of the gradient after `clip_value` and
        before `clip_norm`.
        """
        self._reset_state()
        inputs, targets = self.batches.chunk(self.position.chunk, self.position.epoch)
        self._symbols = targets.size
        grads, parallel = self.grads, self.parallel
        with self.watch, np.errstate(all="ignore"):
            part, self.state = parallel.gradient(
                inputs, targets, self.state, grads, self._dropout_rng
            )
            scalars = self.group.all_reduce(grads.flat, (part, self.watch.lap()))
            loss, seconds = pairwise_sum(scalars[:, 0].tolist()), float(scalars[0, 1])
            clip_value(grads.flat, self.config.clip_value)
            norm = clip_norm(grads.flat, self.config.clip)
            if math.isfinite(loss) and math.isfinite(norm):
                self.optimizer.update(self.model.params.flat, grads.flat, learning_rate)
                if self.config.weight_decay:
                    decay_weights(self.model.params, learning_rate * self.config.weight_decay)
        mean = self.position.running_loss
        self.position.running_loss = (
            loss if mean is None else _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        )
        self.position.step += 1
        self.position.chunk += 1
        if self.position.chunk == self.batches.chunks:
            self.position.chunk, self.position.epoch = 0, self.position.epoch + 1
        self.position.seconds += seconds
        now = self.task.chars_read(inputs, targets) / max(seconds, 1e-9)
        if self.speed:
            now = (1 - _SPEED_WEIGHT) * self.speed + _SPEED_WEIGHT * now
        self.speed = now
        return loss, norm

    def _reset_state(self) -> None:
        """Reset the state of all streams at the start of an epoch, and of each stream with the
        probability `reset_probability` before every chunk (Melis, Dyer and Blunsom 2018). Otherwise
        training sees the initial state, from which every later use of the model starts, once an
        epoch, and a network whose carried states saturate predicts badly from it.
        """
        rng = np.random.default_rng([1, self.config.seed, self.position.step])
        fresh = rng.random(self.batches.batch) < self.task.reset_probability
        if self.position.chunk == 0:
            fresh[:] = True
        fresh = fresh[self.parallel.rank_streams]
        for s, start in zip(self.state, self.model.initial_state(len(fresh)), strict=True):
            s[fresh] = start[fresh]

    def _dropout_rng(self, worker: int) -> np.random.Generator:
        """The random generator of this step and worker, so that no generator state is stored. The
        first seed number is 2; those for initial weights (0), resets (1) and samples (3) differ.
        """
        return np.random.default_rng([2, self.config.seed, self.position.step, worker])

    @property
    def running_loss(self) -> Loss:
        """Running mean of the training loss."""
        mean = self.position.running_loss
        return self.task.to_loss(math.nan if mean is None else mean, self._symbols)

    def diverged(self, loss: float, norm: float) -> bool:
        """Whether training has diverged: the norm is not finite, the running loss is twice the
        chance loss, or the current loss exceeds four times the chance loss plus 4 nats per symbol.
        """
        chance_loss = self.task.chance_loss(self.model)
        mean = self.position.running_loss or 0.0
        return not (math.isfinite(norm) and mean < 2 * chance_loss and loss < 4 * chance_loss + 4)

    def record_validation(self, valid: Loss | None) -> bool:
        """Record a validation loss. Returns whether it is the best so far; without a validation
        loss the newest model counts as the best.

        The plateau schedule lowers the learning rate after `patience` evaluations without a best.
        """
        position = self.position
        position.evaluated = position.step
        if valid is None or position.best is None or valid.nats_per_char < position.best:
            position.best = valid.nats_per_char if valid else None
            position.best_step, position.waiting = position.step, 0
            return True
        position.waiting += 1
        if self.config.schedule == "plateau" and position.waiting >= self.config.patience:
            position.learning_rate_factor *= self.config.decay
            position.waiting = 0
        return False

    def state_dict(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """A copy of everything that decides what comes next: fields of a `RunRecord` and arrays,
        with the carried state of the streams of all ranks.

        A ProcessGroupError if parameters are no longer the same on every rank.
        """
        self.group.check_equal(zlib.crc32(self.model.params.flat.tobytes()), _DIFFERENT_PARAMETERS)
        record_fields = {
            "position": replace(self.position),
            "updates": self.optimizer.updates,
            "reduction_order": self.parallel.reduction_order,
        }
        arrays = {"flat": self.model.params.flat.copy()}
        arrays |= {f"optimizer/{n}": a.copy() for n, a in self.optimizer.slots.items()}
        states = zip(*self.group.gather(self.state), strict=True)
        arrays |= {f"state/{n}": np.concatenate(parts) for n, parts in enumerate(states)}
        return record_fields, arrays

    def load_state_dict(
        self, record_fields: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> None:
        """Restore what `state_dict` returned."""
        self.position = replace(record_fields["position"])
        self.reduction_changed = (
            record_fields["reduction_order"] or self.parallel.reduction_order
        ) != self.parallel.reduction_order
        self.optimizer.updates = record_fields["updates"]
        self.model.params.flat[:] = arrays["flat"]
        for name, slot in self.optimizer.slots.items():
            slot[:] = arrays[f"optimizer/{name}"]
        streams = self.parallel.rank_streams
        self.state = tuple(arrays[f"state/{n}"][streams].copy() for n in range(len(self.state)))


def check_ranks(task: Task, group: ProcessGroup) -> None:
    """A ProcessGroupError if the ranks of `group` do not have the same text and options."""
    group.check_equal(task.dataset.sha256, _DIFFERENT_TEXT)
    options = replace(task.config, valid=None, test=None)  # paths, which may differ
    group.check_equal(options, "was started with different options from rank 0")
