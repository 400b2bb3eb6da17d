"""Folders of runs and of comparisons: new names, and locks between processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from charrnn.errors import CheckpointError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def numbered(parent: Path, name: str) -> Iterator[Path]:
    """The paths `name`, `name-2`, `name-3` ... under `parent`, without end."""
    yield parent / name
    for number in count(2):
        yield parent / f"{name}-{number}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes. (Does nothing on Windows.)

    A CheckpointError if another process holds the lock.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CheckpointError(f"{folder} is being trained by another process.") from None
    finally:
        os.close(handle)
