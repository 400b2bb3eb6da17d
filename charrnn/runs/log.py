"""A run's log: one JSON record per line, one line per evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError, os_reason


def append(path: Path, record: dict[str, Any]) -> None:
    """Append a record. A CheckpointError if the disk refuses it."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(_line(record))
    except OSError as error:
        raise _unwritable(path, error) from None


def read(path: Path) -> list[dict[str, Any]]:
    """All records. Lines that are not JSON, such as a last line cut short, are skipped."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text("utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def rewind(path: Path, step: int) -> None:
    """Drop the records of steps after `step`, which are about to be made again."""
    lines = [
        _line(record) for record in read(path)
        if record.get("step", 0) <= step and record["event"] != "finished"
    ]  # fmt: skip
    temporary = path.with_suffix(".part")
    try:
        temporary.write_text("".join(lines), "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _unwritable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"Cannot write {path}: {os_reason(error)}.")
