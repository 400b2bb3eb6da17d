"""A stopwatch for time spent training."""

from __future__ import annotations

import time
from types import TracebackType


class Stopwatch:
    """Measures time inside its `with` blocks only."""

    def __init__(self) -> None:
        self._elapsed = self._at = 0.0

    def __enter__(self) -> None:
        self._at = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._elapsed = self.lap()

    def lap(self) -> float:
        """Seconds since the last lap; call it inside the block."""
        now = time.perf_counter()
        taken, self._elapsed, self._at = self._elapsed + now - self._at, 0.0, now
        return taken
