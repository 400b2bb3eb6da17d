"""Downloading a corpus: resumable, and verified before the file gets its name."""

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
    """Download a corpus into the cache folder, yielding the number of bytes received so far.

    An interrupted download stays in `NAME.txt.part`, and the next call resumes it. The file is
    renamed to `NAME.txt` only if its SHA-256 is right. Raises FetchError if anything fails.
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
    if digest != entry.sha256:
        raise FetchError(
            f"{entry.url} is not the expected text of {entry.name} (its SHA-256 is "
            f"{digest[:12]}..., not {entry.sha256[:12]}...); the download was deleted."
        )


def _download(entry: Entry, part: Path) -> Iterator[int]:
    received = part.stat().st_size if part.exists() else 0
    if received >= entry.bytes:
        received = 0
    request = urllib.request.Request(entry.url, headers={"User-Agent": "charrnn"})
    if received:
        request.add_header("Range", f"bytes={received}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        received = received if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                received += len(block)
                yield received
    if received < entry.bytes:
        raise FetchError(
            f"The connection broke after {received:,} of {entry.bytes:,} bytes of {entry.name}; "
            f"run the same command again to resume."
        )
