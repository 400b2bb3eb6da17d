"""A run's directory: `best.npz`, `last.npz` and `log.jsonl` under `checkpoints/`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError, os_reason
from charrnn.runs import log

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Run:
    """The directory in which one training run keeps its files."""

    path: Path

    @classmethod
    def create(cls, out: str | Path, name: str) -> Run:
        """A new directory under `out`: `name`, or `name-2`, `name-3` ... if that is taken."""
        number = 1
        try:
            Path(out).mkdir(parents=True, exist_ok=True)
            while True:
                path = Path(out) / (name if number == 1 else f"{name}-{number}")
                try:
                    path.mkdir()
                    return cls(path)
                except FileExistsError:
                    number += 1
        except OSError as error:
            raise CheckpointError(f"Cannot make a run in {out}: {os_reason(error)}.") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from training this run. (Does nothing on Windows.)"""
        if fcntl is None:
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise CheckpointError(f"{self.path} is being trained by another process.") from None
        finally:
            os.close(handle)

    def discard_if_empty(self) -> None:
        """Remove the directory if nothing was saved in it."""
        with suppress(OSError):
            self.path.rmdir()

    @property
    def best(self) -> Path:
        """The model with the lowest validation loss."""
        return self.path / "best.npz"

    @property
    def last(self) -> Path:
        """The newest state, from which training resumes."""
        return self.path / "last.npz"

    @property
    def log_file(self) -> Path:
        """The log, see `runs.log`."""
        return self.path / "log.jsonl"

    def log(self, record: dict[str, Any]) -> None:
        """Append a record to the log."""
        log.append(self.log_file, record)

    def records(self) -> list[dict[str, Any]]:
        """The records of the log."""
        return log.read(self.log_file)
