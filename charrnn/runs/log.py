"""A run's log: one JSON record per line, one line per evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError, os_reason
from charrnn.system.files import is_regular, replacing


def append(path: Path, record: dict[str, Any]) -> None:
    """Append a record. A CheckpointError if the disk refuses it."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(_line(record))
    except OSError as error:
        raise _unwritable(path, error) from None


def read(path: Path) -> list[dict[str, Any]]:
    """All records. Damaged lines, such as a last line cut short, are skipped; see `damaged`."""
    return [record for record in map(_record, _lines(path)) if record is not None]


def damaged(path: Path) -> int:
    """The number of lines that are not records."""
    return sum(_record(line) is None for line in _lines(path))


def _lines(path: Path) -> list[bytes]:
    """The lines of a log; none if there is no such file. A CheckpointError if it is not a file."""
    if not path.exists():
        return []
    if not is_regular(path):
        raise CheckpointError(f"{path} is not a regular file.")
    try:
        return path.read_bytes().split(b"\n")[:-1] or [path.read_bytes()]
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {os_reason(error)}.") from None


def _record(line: bytes) -> dict[str, Any] | None:
    """A record, with the name of its event and its step; None if the line is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    good = isinstance(record, dict) and isinstance(record.get("event"), str)
    return record if good and isinstance(record.get("step", 0), int) else None


def rewind(path: Path, step: int) -> None:
    """Drop the records of steps after `step`, which are about to be made again."""
    lines = [
        _line(record) for record in read(path)
        if record.get("step", 0) <= step and record["event"] != "finished"
    ]  # fmt: skip
    try:
        with replacing(path) as stream:
            stream.write("".join(lines).encode())
    except OSError as error:
        raise _unwritable(path, error) from None


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _unwritable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"Cannot write {path}: {os_reason(error)}.")
