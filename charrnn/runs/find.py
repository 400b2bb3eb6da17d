"""Finding checkpoints: the file that an argument means, or the newest run for a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from charrnn.errors import CheckpointError
from charrnn.models import CharRNN
from charrnn.runs.checkpoint import task_of
from charrnn.system.bundled import bundled
from charrnn.system.paths import path_exists

RUNS = Path("checkpoints")
"""Where runs are kept."""


def find_checkpoint(
    where: Path | None = None, runs: Path = RUNS, tasks: Sequence[str] | None = None
) -> Path:
    """The checkpoint file meant by `where`: a file, or a run directory, of which the best is taken.

    None means the newest run under `runs` for one of `tasks` (None: any task), or if there is none,
    the bundled language model. A CheckpointError says what is missing.
    """
    if where is None:
        return _newest(runs, tasks)
    if path_exists(where) and where.is_dir():
        path = _in_directory(where)
        if not path:
            raise CheckpointError(f"{where} is a directory without best.npz or last.npz.")
        return path
    if not path_exists(where):
        near = runs / where
        hint = f"; did you mean {near}?" if path_exists(near) else "."
        raise CheckpointError(f"There is no checkpoint {str(where)[:80]}{hint}")
    return where


def _newest(runs: Path, tasks: Sequence[str] | None) -> Path:
    """The newest checkpoint for one of these tasks. An unreadable one counts, so that loading it
    reports the damage instead of silently passing it over.
    """
    bundled_dir = bundled("checkpoints")
    model = bundled_dir / "shakespeare" if bundled_dir else None
    directories = [d for d in runs.glob("*") if _in_directory(d) and d.resolve() != model]
    for directory in sorted(directories, key=_modified, reverse=True):
        path = _in_directory(directory)
        if path and (tasks is None or task_of(path) in (*tasks, None)):
            return path
    task = None if tasks is None or CharRNN.task in tasks else f"--task {tasks[0]}"
    if task is None and model and (path := _in_directory(model)):
        return path
    kind, option = (f" with {task}", f" {task}") if task else ("", "")
    where = f"./{RUNS}" if runs == RUNS else runs
    raise CheckpointError(
        f"There is no run{kind} under {where} yet; train one with: charrnn train TEXT{option}"
    )


def _modified(directory: Path) -> float:
    """When a run was last written to."""
    return max(f.stat().st_mtime for f in directory.glob("*.npz"))


def _in_directory(path: Path) -> Path | None:
    return next((path / f for f in ("best.npz", "last.npz") if (path / f).is_file()), None)
