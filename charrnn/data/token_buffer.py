"""Rows of numbers that may be too long for memory: short ones stay there, long ones go to a file.

A long row is read through a memory map: the system fetches the pages that are looked at, and takes
them back when memory is wanted for something else.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike

from charrnn.errors import CorpusError, os_reason
from charrnn.nn.params import Ids

SMALL = 1 << 25
"""Bytes of text, and numbers, of which the longest row that stays in memory is made."""


def encoded_folder() -> Path:
    """Where long rows are kept: in the folder of the corpora that were fetched."""
    # Imported only now: to sample takes no cache.
    from charrnn.data.catalogue import cache_folder  # noqa: PLC0415

    return cache_folder() / "encoded"


@contextmanager
def writing() -> Iterator[Path]:
    """The folder to write to, made if need be; a CorpusError if that or the writing fails."""
    folder = encoded_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise CorpusError(
            f"Cannot write the encoded text to {folder}: {os_reason(error)}; set CHARRNN_CACHE "
            f"to a folder that has room for it."
        ) from None


class TokenBuffer:
    """A row that is written piece by piece and then read. Its file has no name and goes with it."""

    def __init__(self) -> None:
        self._held: list[Ids] = []
        self._file: IO[bytes] | None = None
        self._kinds: list[tuple[np.dtype[Any], int]] = []
        self._count = 0

    def __enter__(self) -> TokenBuffer:
        return self

    def __exit__(self, *_: object) -> None:
        """What `whole` returned stays."""
        if self._file:
            self._file.close()

    def write(self, piece: Ids) -> None:
        """Append a piece `(n,)` of any type. A CorpusError if the disk refuses it."""
        self._held.append(piece)
        self._kinds.append((piece.dtype, len(piece)))
        self._count += len(piece)
        if self._count <= SMALL:
            return
        with writing() as folder:
            self._file = self._file or tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
            for held in self._held:
                self._file.write(held.data)
            self._file.flush()
        self._held = []

    def pieces(self) -> Iterator[Ids]:
        """The pieces one by one, each of its own type, in the order in which they were written."""
        if not self._file:
            yield from self._held
            return
        self._file.seek(0)
        for kind, length in self._kinds:
            yield np.frombuffer(self._file.read(length * kind.itemsize), kind)

    def whole(self, dtype: DTypeLike) -> Ids:
        """The row `(N,)`, all pieces of which are of this one type."""
        if not self._file:
            return np.concatenate([np.zeros(0, dtype), *self._held])
        return mapped(self._file, dtype)


def mapped(file: IO[bytes], dtype: DTypeLike, count: int = -1, offset: int = 0) -> Ids:
    """`count` numbers of a file, -1 for all, from byte `offset` on, read only when looked at."""
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(memory, dtype, count, offset)


def drop_pages(ids: Ids) -> None:
    """Give back the memory of the pages of a mapped row that were looked at.

    They count as memory of this process until then, though the system may take them at any time.
    Nothing is lost: they are fetched anew when looked at again.
    """
    base: Any = ids
    while isinstance(base, np.ndarray):
        base = base.base
    memory = base.obj if isinstance(base, memoryview) else base
    if isinstance(memory, mmap.mmap) and hasattr(memory, "madvise"):
        memory.madvise(mmap.MADV_DONTNEED)
