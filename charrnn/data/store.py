"""Encodings of long texts, kept on disk so that a second start need not encode them again.

An entry is one file: a line of JSON that says of what it is and how to read it, the ids, and the
CRC-32 of all that. It is written under another name and then renamed, so it is whole or not there;
one that was damaged later is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from charrnn.data.reading import TextOptions
from charrnn.data.token_buffer import encoded_folder, mapped, writing
from charrnn.data.vocabulary import Vocabulary
from charrnn.nn.params import Ids

MOST = 1 << 32
"""Bytes that all entries may have together; the newest one is kept whatever its size."""
_FORMAT = 1
_BLOCK = 1 << 20
_ALIGNED = 64
_ABANDONED = 86_400.0  # seconds


@dataclass(frozen=True)
class Identity:
    """All that decides how texts are encoded: the same identity, the same encoding."""

    sha256: str
    """Of the bytes of all texts, in order."""
    sizes: list[int]
    """Bytes of each text."""
    options: TextOptions

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"format": _FORMAT, **asdict(self)}

    @property
    def entry(self) -> Path:
        """Where the encoding is kept."""
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()
        return encoded_folder() / f"{digest[:32]}.ids"


@dataclass(frozen=True)
class Encoded:
    """Texts as one row of numbers."""

    identity: Identity
    vocabulary: Vocabulary
    ids: Ids
    """`(N,)`, in the smallest integer type; from the disk where they are many."""
    ends: list[int]
    """Where each text ends in `ids`."""


def load(identity: Identity) -> Encoded | None:
    """The encoding that is kept, if it is there and whole."""
    path = identity.entry
    try:
        with path.open("rb") as file:
            if not _is_whole(file):
                return None
            record = json.loads(file.readline())
            if record["identity"] != identity.to_json():
                return None
            vocabulary, ends = Vocabulary.from_json(record["vocabulary"]), record["ends"]
            ids = mapped(file, vocabulary.dtype, ends[-1], file.tell())
    except (OSError, ValueError, KeyError):
        return None
    with suppress(OSError):
        os.utime(path)  # the time of its last use
    return Encoded(identity, vocabulary, ids, ends)


def save(
    identity: Identity, vocabulary: Vocabulary, ends: list[int], pieces: Iterable[Ids]
) -> Encoded:
    """Write an encoding whose ids come in pieces, and read them from there from now on.

    Entries that were not used for the longest time make room. A CorpusError if the disk refuses.
    """
    path = identity.entry
    record = {"identity": identity.to_json(), "vocabulary": vocabulary.to_json(), "ends": ends}
    head = json.dumps(record).encode()
    head += b" " * (-(len(head) + 1) % _ALIGNED) + b"\n"
    with writing() as folder:
        handle, name = tempfile.mkstemp(".part", dir=folder)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                check = 0
                for piece in chain([np.frombuffer(head, np.uint8)], pieces):
                    file.write(piece.data)
                    check = zlib.crc32(piece.data, check)
                file.write(check.to_bytes(4, "little"))
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        with path.open("rb") as file:
            ids = mapped(file, vocabulary.dtype, ends[-1], len(head))
    _make_room(path)
    return Encoded(identity, vocabulary, ids, ends)


def _is_whole(file: IO[bytes]) -> bool:
    """Whether the last four bytes are the CRC-32 of all before; goes back to the beginning."""
    left, check = os.fstat(file.fileno()).st_size - 4, 0
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        left, check = left - len(block), zlib.crc32(block, check)
    stored = file.read()
    file.seek(0)
    return stored == check.to_bytes(4, "little")


def _make_room(newest: Path) -> None:
    """Remove what was not used for the longest time, and what was never finished."""
    with suppress(OSError):  # another process may be doing the same
        used = {p: p.stat() for p in newest.parent.iterdir()}
        total = used.pop(newest).st_size
        for path in sorted(used, key=lambda p: used[p].st_mtime, reverse=True):
            age = time.time() - used[path].st_mtime
            total += used[path].st_size * (path.suffix == ".ids")
            if {".ids": total > MOST, ".part": age > _ABANDONED}.get(path.suffix):
                path.unlink()
