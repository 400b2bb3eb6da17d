"""A run's directory: `best.npz`, `last.npz` and `log.jsonl` under `checkpoints/`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.errors import CheckpointError, ConfigError, os_reason
from charrnn.models import CharRNN, Trainable
from charrnn.nn.params import Array
from charrnn.runs.checkpoint import Checkpoint, load, task_of
from charrnn.system.bundled import bundled

if TYPE_CHECKING:
    from charrnn.data.corpus import Corpus  # to choose a checkpoint takes no text

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Run:
    """Where one training run keeps its files."""

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
        """Keep every other process from training this run. (Nothing is done on Windows.)"""
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
        """Remove the directory if nothing was ever saved in it."""
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
        """One JSON record a line, one line an evaluation."""
        return self.path / "log.jsonl"

    def log(self, record: dict[str, Any]) -> None:
        """Append a record."""
        try:
            with self.log_file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        except OSError as error:
            raise CheckpointError(f"Cannot write {self.log_file}: {os_reason(error)}.") from None

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

    def restore(
        self, corpus: Corpus, model: Trainable
    ) -> tuple[dict[str, Any], dict[str, Array], Array]:
        """The record and the arrays of the newest state, and the best parameters, to go on from
        with a model like this; what the log says of later steps is dropped.

        A CheckpointError if another text was learned, a ConfigError if another network did.
        """
        last = load(self.last)
        if last.meta["corpus"]["sha256"] != corpus.sha256:
            raise CheckpointError(
                f"{self.path} was trained on another text than {corpus.name}: the SHA-256 differs."
            )
        if last.vocabulary != corpus.vocabulary:
            raise CheckpointError(
                f"{self.path} was trained with another vocabulary than {corpus.name}'s."
            )
        flat = best = self._trained(last, model)
        if self.best.exists():
            best = self._trained(load(self.best), model)
        self.rewind_log(last.meta["position"]["step"])
        return last.meta, {"flat": flat, **last.training}, best

    def _trained(self, found: Checkpoint, like: Trainable) -> Array:
        """The parameters of a network of the same shape."""
        model: Any = found.model
        if model.kind != like.kind:
            raise CheckpointError(f"{self.path} holds no network to train, but: {model.name}.")
        if model.config_json() != like.config_json():
            raise ConfigError(f"{self.path} holds another network than these options ask for.")
        flat: Array = model.params.flat
        return flat

    def rewind_log(self, step: int) -> None:
        """Drop what the log says of steps after `step`: they are about to be made again."""
        kept = [r for r in self.records() if r.get("step", 0) <= step and r["event"] != "finished"]
        temporary = self.log_file.with_suffix(".part")
        try:
            lines = [json.dumps(r, ensure_ascii=False) + "\n" for r in kept]
            temporary.write_text("".join(lines), "utf-8")
            temporary.replace(self.log_file)
        except OSError as error:
            raise CheckpointError(f"Cannot write {self.log_file}: {os_reason(error)}.") from None


def find_checkpoint(
    where: Path | None = None,
    runs: Path = Path("checkpoints"),
    tasks: Sequence[str] | None = None,
) -> Path:
    """The checkpoint file meant by `where`: a file, or a run directory, whose best is taken.

    None means the newest run under `runs` that was trained for one of `tasks` (all, if none are
    named), and failing that the language model that ships with the package.
    """
    if where is None:
        return _newest(runs, tasks)
    if path_exists(where) and where.is_dir():
        found = _in_directory(where)
        if not found:
            raise CheckpointError(f"{where} is a directory without best.npz or last.npz.")
        return found
    if not path_exists(where):
        raise CheckpointError(f"There is no checkpoint {str(where)[:80]}.")
    return where


def _newest(runs: Path, tasks: Sequence[str] | None) -> Path:
    """The newest checkpoint for one of these tasks. One that cannot be read counts, so that it is
    named as damaged and not passed over.
    """
    box = bundled("checkpoints")
    model = box / "shakespeare" if box else None
    own = [d for d in runs.glob("*") if _in_directory(d) and d.resolve() != model]
    for directory in sorted(own, key=_touched, reverse=True):
        found = _in_directory(directory)
        if found and (tasks is None or task_of(found) in (*tasks, None)):
            return found
    task = None if tasks is None or CharRNN.task in tasks else f"--task {tasks[0]}"
    if task is None and model and (found := _in_directory(model)):
        return found
    kind, option = (f" with {task}", f" {task}") if task else ("", "")
    raise CheckpointError(
        f"There is no run{kind} under ./checkpoints yet; train one with: charrnn train TEXT{option}"
    )


def path_exists(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is that of none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _touched(directory: Path) -> float:
    """When a run was last written to."""
    return max(f.stat().st_mtime for f in directory.glob("*.npz"))


def _in_directory(path: Path) -> Path | None:
    return next((path / f for f in ("best.npz", "last.npz") if (path / f).is_file()), None)
