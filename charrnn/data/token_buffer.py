"""Arrays of ids that may be too long for memory: short ones stay in memory, long ones go to a file.

A long array is read through a memory map: the system loads a page when it is first accessed, and
may drop it when memory is short.
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
"""The largest number of bytes of text, and of ids, that stays in memory."""


def encoded_folder() -> Path:
    """The folder of long arrays, inside the folder of downloaded corpora."""
    # Imported here because sampling needs no catalogue, and start-up should stay fast.
    from charrnn.data.catalogue import cache_folder  # noqa: PLC0415

    return cache_folder() / "encoded"


@contextmanager
def writing() -> Iterator[Path]:
    """Create the folder of long arrays and yield it.

    Raises CorpusError if that fails, or if the body raises an OSError.
    """
    folder = encoded_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise CorpusError(
            f"Cannot write the encoded text to {folder}: {os_reason(error)}; set CHARRNN_CACHE "
            f"to a folder with enough space."
        ) from None


class TokenBuffer:
    """An array that is written piece by piece, then read. Its temporary file has no name and is
    deleted with the buffer.
    """

    def __init__(self) -> None:
        self._held: list[Ids] = []
        self._file: IO[bytes] | None = None
        self._pieces: list[tuple[np.dtype[Any], int]] = []
        self._count = 0

    def __enter__(self) -> TokenBuffer:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file. An array returned by `whole` stays valid."""
        if self._file:
            self._file.close()

    def write(self, piece: Ids) -> None:
        """Append a piece `(n,)` of any type. Raises CorpusError if it cannot be written."""
        self._held.append(piece)
        self._pieces.append((piece.dtype, len(piece)))
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
        """The pieces in the order they were written, each with its own type."""
        if not self._file:
            yield from self._held
            return
        self._file.seek(0)
        for dtype, length in self._pieces:
            yield np.frombuffer(self._file.read(length * dtype.itemsize), dtype)

    def whole(self, dtype: DTypeLike) -> Ids:
        """The whole array `(N,)`; every piece must have this type."""
        if not self._file:
            return np.concatenate([np.zeros(0, dtype), *self._held])
        return mapped(self._file, dtype)


def mapped(file: IO[bytes], dtype: DTypeLike, count: int = -1, offset: int = 0) -> Ids:
    """`count` numbers of a file (-1: all) from byte `offset` on, loaded when they are accessed."""
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(memory, dtype, count, offset)


def drop_pages(ids: Ids) -> None:
    """Release the loaded pages of a mapped array; they are loaded again when accessed.

    Until then they count as memory of this process, although the system may drop them at any time.
    Any other array is left alone.
    """
    base: Any = ids
    while isinstance(base, np.ndarray):
        base = base.base
    memory = base.obj if isinstance(base, memoryview) else base
    if isinstance(memory, mmap.mmap) and hasattr(memory, "madvise"):
        memory.madvise(mmap.MADV_DONTNEED)
