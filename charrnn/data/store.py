"""A disk cache of encoded long texts, so that each text is encoded only once.

An entry is one file: a line of JSON with the identity of the texts, the vocabulary and the ends of
the texts; then the ids; then the CRC-32 of everything before. It is written under a temporary name
and then renamed, so a crash leaves no partial entry. A damaged entry is ignored.
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

MAX_BYTES = 1 << 32
"""The total size of all entries. The newest entry is kept whatever its size."""
_FORMAT = 1
_BLOCK = 1 << 20
_ALIGNED = 64  # bytes: the ids begin at a multiple of this
_ABANDONED = 86_400.0  # seconds after which an unfinished file is removed


@dataclass(frozen=True)
class Identity:
    """Everything that determines an encoding: equal identities have equal encodings."""

    sha256: str
    """The SHA-256 of the bytes of all texts, in order."""
    sizes: list[int]
    """The number of bytes of each text."""
    options: TextOptions

    def to_json(self) -> dict[str, Any]:
        """The identity as plain data."""
        return {"format": _FORMAT, **asdict(self)}

    @property
    def entry(self) -> Path:
        """The path of the entry."""
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()
        return encoded_folder() / f"{digest[:32]}.ids"


@dataclass(frozen=True)
class Encoded:
    """Texts as one array of ids."""

    identity: Identity
    vocabulary: Vocabulary
    ids: Ids
    """`(N,)`, in the smallest integer type; mapped from the disk if the texts are long."""
    ends: list[int]
    """The index in `ids` after the end of each text."""


def load(identity: Identity) -> Encoded | None:
    """The stored encoding, or None if it is missing or damaged."""
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
        os.utime(path)  # marks the entry as used
    return Encoded(identity, vocabulary, ids, ends)


def save(
    identity: Identity, vocabulary: Vocabulary, ends: list[int], pieces: Iterable[Ids]
) -> Encoded:
    """Write an encoding whose ids come in pieces; the ids returned are mapped from the file.

    Removes the least recently used entries if the total size exceeds `MAX_BYTES`. Raises
    CorpusError if the file cannot be written.
    """
    path = identity.entry
    record = {"identity": identity.to_json(), "vocabulary": vocabulary.to_json(), "ends": ends}
    header = json.dumps(record).encode()
    header += b" " * (-(len(header) + 1) % _ALIGNED) + b"\n"
    with writing() as folder:
        handle, name = tempfile.mkstemp(".part", dir=folder)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                check = 0
                for piece in chain([np.frombuffer(header, np.uint8)], pieces):
                    file.write(piece.data)
                    check = zlib.crc32(piece.data, check)
                file.write(check.to_bytes(4, "little"))
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        with path.open("rb") as file:
            ids = mapped(file, vocabulary.dtype, ends[-1], len(header))
    _make_room(path)
    return Encoded(identity, vocabulary, ids, ends)


def _is_whole(file: IO[bytes]) -> bool:
    """Whether the last four bytes are the CRC-32 of all before. Rewinds the file."""
    left, check = os.fstat(file.fileno()).st_size - 4, 0
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        left, check = left - len(block), zlib.crc32(block, check)
    stored = file.read()
    file.seek(0)
    return stored == check.to_bytes(4, "little")


def _make_room(newest: Path) -> None:
    """Remove the least recently used entries, and files that were never finished."""
    with suppress(OSError):  # another process may be doing the same
        stats = {path: path.stat() for path in newest.parent.iterdir()}
        total = stats.pop(newest).st_size
        for path in sorted(stats, key=lambda p: stats[p].st_mtime, reverse=True):
            age = time.time() - stats[path].st_mtime
            total += stats[path].st_size * (path.suffix == ".ids")
            if {".ids": total > MAX_BYTES, ".part": age > _ABANDONED}.get(path.suffix):
                path.unlink()
