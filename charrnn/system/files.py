"""Files that are replaced as a whole, and locks between processes."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)  # Windows


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` when the block ends without an exception.

    If `durable`, it is flushed to disk before it is renamed, so a crash of the machine, too,
    leaves the old or the new file whole.
    The temporary file `.NAME.part` is created exclusively: a link of that name is not followed.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.unlink(missing_ok=True)  # left by a crash, or planted
        with os.fdopen(os.open(temporary, _NEW | _BINARY, 0o666), "wb") as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        _flush_directory(path.parent)


def _flush_directory(path: Path) -> None:
    """Flush a rename to disk. Windows cannot open a directory; it needs no flush."""
    if sys.platform == "win32":
        return
    with suppress(OSError):  # some network file systems refuse
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def try_lock(handle: int) -> bool:
    """Lock an open file against other processes until it is closed; False if another holds it.

    Advisory on Linux and macOS (flock), mandatory for its first byte on Windows.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_regular(path: Path) -> bool:
    """Whether a path, or what it links to, is a regular file: reading it comes to an end."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False
