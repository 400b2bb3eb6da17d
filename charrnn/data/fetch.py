"""Downloading a corpus: resumable, checked, and never half a file under its name."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from charrnn.data.catalogue import Entry, local_file
from charrnn.errors import FetchError, os_reason

_BLOCK = 1 << 16
_TIMEOUT = 30.0


def fetch(entry: Entry) -> Iterator[int]:
    """Download a corpus into the cache, yielding the bytes that are there so far.

    What arrived before a cut stays in `NAME.txt.part`, where the next call goes on. A FetchError
    says what went wrong; the file appears under its own name only when its SHA-256 is right.
    """
    target = local_file(entry)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield from _download(entry, part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        if digest == entry.sha256:
            part.replace(target)
        else:
            part.unlink()
    except urllib.error.HTTPError as error:
        raise FetchError(f"{entry.url} answered {error.code} {error.reason}.") from None
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
    if digest != entry.sha256:
        raise FetchError(
            f"{entry.url} is not the text that charrnn knows as {entry.name} (its SHA-256 is "
            f"{digest[:12]}..., not {entry.sha256[:12]}...); nothing was kept."
        )


def _download(entry: Entry, part: Path) -> Iterator[int]:
    have = part.stat().st_size if part.exists() else 0
    if have >= entry.bytes:
        have = 0
    request = urllib.request.Request(entry.url, headers={"User-Agent": "charrnn"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        have = have if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                yield have
    if have < entry.bytes:
        raise FetchError(
            f"The connection was cut after {have:,} of {entry.bytes:,} bytes of {entry.name}; "
            f"run the same command again to go on from there."
        )
