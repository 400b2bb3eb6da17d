"""A run's directory: `best.npz`, `last.npz` and `log.jsonl` under `checkpoints/`."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError, os_reason
from charrnn.runs import log
from charrnn.runs.folders import locked, numbered


@dataclass(frozen=True)
class Run:
    """The directory in which one training run keeps its files."""

    path: Path

    @classmethod
    def create(cls, out: str | Path, name: str) -> Run:
        """A new directory under `out`: `name`, or `name-2`, `name-3` ... if that is taken."""
        try:
            Path(out).mkdir(parents=True, exist_ok=True)
            for path in numbered(Path(out), name):
                with suppress(FileExistsError):
                    path.mkdir()
                    return cls(path)
        except OSError as error:
            raise CheckpointError(f"Cannot make a run in {out}: {os_reason(error)}.") from None
        raise AssertionError("the names never end")

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other process from training this run. (Does nothing on Windows.)"""
        return locked(self.path)

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
