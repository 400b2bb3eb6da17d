"""Texts by name: a file, a corpus of the catalogue, or standard input."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

from charrnn.data import catalogue
from charrnn.data.reading import Source
from charrnn.errors import CorpusError
from charrnn.system.paths import path_exists


def find_source(
    name: str | Path | Source, download: Callable[[catalogue.Entry], None] | None = None
) -> Source:
    """The text that `name` means: a path, the name of a corpus, or `-` for standard input.

    A corpus that is not on this machine is fetched first, by `download` if it is given. A
    CorpusError if there is no such text, a FetchError if it cannot be fetched.
    """
    if isinstance(name, Source):
        return name
    path = Path(name)
    if str(name) == "-" or (path_exists(path) and not path.is_dir()):
        return Source.of(name)
    if entry := catalogue.find(str(name)):
        return corpus_file(entry, download)
    if path_exists(path):
        return Source.of(name)
    raise CorpusError(
        f"There is no file '{str(name)[:80]}', nor a corpus of that name; see charrnn corpora."
    )


def corpus_file(
    entry: catalogue.Entry, download: Callable[[catalogue.Entry], None] | None = None
) -> Source:
    """A corpus of the catalogue, fetched first if it is not on this machine."""
    if not catalogue.is_here(entry):
        (download or _fetch)(entry)
    return Source(f"{entry.name}.txt", catalogue.local_file(entry), entry.name)


def _fetch(entry: catalogue.Entry) -> None:
    # HTTP takes 15 ms to import, and most corpora are on this machine.
    from charrnn.data.fetch import fetch  # noqa: PLC0415

    deque(fetch(entry), maxlen=0)
