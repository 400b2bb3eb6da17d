"""Where training stands, and the time that it took to get there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType


@dataclass
class TrainingState:
    """Where training stands: plain numbers that fit into JSON exactly."""

    step: int = 0
    epoch: int = 0
    chunk: int = 0
    """Chunks of this epoch already read."""
    seconds: float = 0.0
    rate_factor: float = 1.0
    """Product of all halvings after an explosion and all plateau decays."""
    recoveries: int = 0
    waiting: int = 0
    """Evaluations since the last improvement."""
    best: float | None = None
    """Lowest validation loss so far."""
    best_step: int = 0
    recent: float | None = None
    """Running mean of the training loss, in nats per symbol."""
    evaluated: int = -1
    """Step of the newest evaluation."""


class Stopwatch:
    """Time at work: it runs inside a `with` block and stands still outside."""

    def __init__(self) -> None:
        self._kept = self._at = 0.0

    def __enter__(self) -> None:
        self._at = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._kept = self.lap()

    def lap(self) -> float:
        """Seconds at work since it was last asked; inside the block only."""
        now = time.perf_counter()
        taken, self._kept, self._at = self._kept + now - self._at, 0.0, now
        return taken
