"""A run's directory: `best.npz`, `last.npz` and `log.jsonl` under `checkpoints/`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError
from charrnn.shipped import shipped


@dataclass(frozen=True)
class Run:
    """Where one training run keeps its files."""

    path: Path

    @classmethod
    def create(cls, out: str | Path, name: str) -> Run:
        """A new directory under `out`: `name`, or `name-2`, `name-3` ... if that is taken."""
        number = 1
        while True:
            path = Path(out) / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir(parents=True)
                return cls(path)
            except FileExistsError:
                number += 1
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise CheckpointError(f"Cannot make the directory {path}: {why}.") from None

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
        """One JSON record a line, one line an evaluation."""
        return self.path / "log.jsonl"

    def log(self, record: dict[str, Any]) -> None:
        """Append a record."""
        try:
            with self.log_file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise CheckpointError(f"Cannot write {self.log_file}: {why}.") from None

    def records(self) -> list[dict[str, Any]]:
        """The log. A last line that was cut short is left out."""
        if not self.log_file.exists():
            return []
        records = []
        for line in self.log_file.read_text("utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
        return records

    def rewind_log(self, step: int) -> None:
        """Drop what the log says of steps after `step`: they are about to be made again."""
        kept = [r for r in self.records() if r["step"] <= step and r["event"] != "finished"]
        temporary = self.log_file.with_suffix(".part")
        temporary.write_text(
            "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept), "utf-8"
        )
        temporary.replace(self.log_file)


def find_checkpoint(where: Path | None = None, runs: Path = Path("checkpoints")) -> Path:
    """The checkpoint file meant by `where`: a file, or a run directory, whose best is taken.

    None means the newest run under `runs`, and failing that the model that ships with the package.
    """
    if where is None:
        candidates = [c for d in sorted(runs.glob("*")) if (c := _in_directory(d))]
        if candidates:
            return max(candidates, key=lambda c: c.stat().st_mtime)
        box = shipped("checkpoints")
        found = _in_directory(next(iter(sorted(box.glob("*/"))), box)) if box else None
        if found:
            return found
        raise CheckpointError(
            "There is no run under ./checkpoints yet; train one: charrnn train CORPUS."
        )
    if where.is_dir():
        found = _in_directory(where)
        if not found:
            raise CheckpointError(f"{where} is a directory without best.npz or last.npz.")
        return found
    if not where.exists():
        raise CheckpointError(f"There is no checkpoint {where}.")
    return where


def _in_directory(path: Path) -> Path | None:
    return next((path / f for f in ("best.npz", "last.npz") if (path / f).is_file()), None)
