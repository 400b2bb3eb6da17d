"""Learning-rate schedules: factors between 0 and 1 on the peak learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """How far training has got."""

    share: float
    """Fraction of the budget used, from 0 to 1; the budget is in epochs, steps or minutes."""
    epoch: float
    """Epochs completed, including the fraction of the current one."""
    step: int
    """Updates completed."""


Schedule = Callable[[TrainingProgress, float, float], float]
"""(progress, decay, decay_after) -> factor on the peak learning rate."""


def _constant(progress: TrainingProgress, decay: float, decay_after: float) -> float:
    return 1.0


def _step(progress: TrainingProgress, decay: float, decay_after: float) -> float:
    """Multiply by `decay` after every whole epoch beyond `decay_after` (char-rnn's schedule)."""
    return float(decay ** max(0, math.floor(progress.epoch - decay_after)))


def _cosine(progress: TrainingProgress, decay: float, decay_after: float) -> float:
    """Half a cosine wave, from 1 down to 0.01 (Loshchilov and Hutter 2017)."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(progress.share, 1.0))) / 2


SCHEDULES: dict[str, Schedule] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "plateau": _constant,  # the trainer lowers the rate when the validation loss stops improving
}
"""The schedules by the name that `--schedule` takes."""


def warm_up(progress: TrainingProgress, steps: int) -> float:
    """A factor that rises linearly to 1 over the first `steps` updates."""
    return min(1.0, (progress.step + 1) / steps) if steps else 1.0
