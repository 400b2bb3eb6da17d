"""Downloading a corpus: bounded, resumable, and verified before the file gets its name."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from charrnn.data.catalogue import Entry, is_here, local_file
from charrnn.errors import FetchError, os_reason
from charrnn.system.files import try_lock

_BLOCK = 1 << 16
_TIMEOUT = 30.0
"""Seconds to wait for a connection, and for the next bytes."""
_GRACE, _MIN_SPEED = 60.0, 5000.0
"""A download may take so many seconds, plus those of its bytes at this speed per second."""
_POLL = 0.2  # seconds between two looks at a download of another process


def fetch(entry: Entry) -> Iterator[int]:
    """Download a corpus into the cache folder, yielding the number of bytes received so far.

    An interrupted download stays in `NAME.txt.part`, and the next call resumes it. The file is
    renamed to `NAME.txt` only if its size and SHA-256 are right. If another process is downloading
    the same corpus, this waits for it. Raises FetchError if anything fails, if the server sends
    more than the known size, or if it sends too slowly.
    """
    part = local_file(entry).with_name(f"{entry.name}.txt.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        while not is_here(entry):
            with _locked(part) as file:
                if file is None:
                    yield part.stat().st_size if part.exists() else 0
                    time.sleep(_POLL)
                    continue
                if is_here(entry):
                    break
                yield from _complete(entry, part, file)
                if sys.platform != "win32":
                    part.replace(local_file(entry))
            if sys.platform == "win32":  # which cannot rename an open file
                part.replace(local_file(entry))
    except urllib.error.HTTPError as error:
        raise FetchError(f"{entry.url} responded with {error.code} {error.reason}.") from None
    except (
        urllib.error.URLError,
        TimeoutError,
        http.client.HTTPException,
        ConnectionError,
        ValueError,
    ) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(f"Cannot fetch {entry.name} from {entry.url}: {reason}.") from None
    except OSError as error:
        raise FetchError(f"Cannot write {part}: {os_reason(error)}.") from None


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes] | None]:
    """The partial file, open and locked; None if another process holds it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(part, flags, 0o666), "r+b") as file:
        yield file if try_lock(file.fileno()) else None


def _complete(entry: Entry, part: Path, file: IO[bytes]) -> Iterator[int]:
    """Download what is missing and verify the whole."""
    try:
        yield from _download(entry, part, file)
    except FetchError:
        raise
    except BaseException:
        if not os.fstat(file.fileno()).st_size:
            _discard(part, file)
        raise
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    if digest.hexdigest() != entry.sha256:
        _discard(part, file)
        raise FetchError(
            f"{entry.url} is not the expected text of {entry.name} (its SHA-256 is "
            f"{digest.hexdigest()[:12]}..., not {entry.sha256[:12]}...); the download was deleted."
        )


def _discard(part: Path, file: IO[bytes]) -> None:
    """Delete the partial file; on Windows, which cannot delete an open file, empty it."""
    file.truncate(0)
    if sys.platform != "win32":
        part.unlink()


def _download(entry: Entry, part: Path, file: IO[bytes]) -> Iterator[int]:
    """Append to the file until it has the known size."""
    deadline = time.monotonic() + _GRACE + entry.bytes / _MIN_SPEED
    received = os.fstat(file.fileno()).st_size
    if received >= entry.bytes:
        received = 0
    with _open(entry, received) as response:
        if response.status != http.client.PARTIAL_CONTENT:
            received = 0
        file.truncate(received)
        file.seek(received)
        while block := response.read1(_BLOCK):
            received += len(block)
            if received > entry.bytes:
                _discard(part, file)
                raise FetchError(
                    f"{entry.url} sends more than the {entry.bytes:,} bytes of {entry.name}; the "
                    "download was deleted."
                )
            file.write(block)
            yield received
            if time.monotonic() > deadline:
                raise FetchError(
                    f"{entry.url} is too slow: {received:,} of {entry.bytes:,} bytes in "
                    f"{_GRACE + entry.bytes / _MIN_SPEED:,.0f} s. Run the same command again to "
                    "resume."
                )
    file.flush()
    if received < entry.bytes:
        raise FetchError(
            f"The connection broke after {received:,} of {entry.bytes:,} bytes of {entry.name}; "
            f"run the same command again to resume."
        )


def _open(entry: Entry, start: int) -> http.client.HTTPResponse:
    """The response of the server, from byte `start` if it can; from 0 if it refuses the range."""
    request = urllib.request.Request(entry.url, headers={"User-Agent": "charrnn"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response: http.client.HTTPResponse = _opener().open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _open(entry, 0)
        raise
    return response


def _opener() -> urllib.request.OpenerDirector:
    """Opens http and https only, also where a server redirects to something else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener
