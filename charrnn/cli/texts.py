"""Texts that are named on the command line: files, corpora, standard input."""

from __future__ import annotations

from pathlib import Path

from charrnn.data.catalogue import Entry
from charrnn.data.reading import Source
from charrnn.data.sources import find_source


def corpus_source(name: str | Path | Source) -> Source:
    """The text that a name means; a corpus is fetched with a progress bar. See `find_source`."""
    return find_source(name, download_with_bar)


def download_with_bar(entry: Entry) -> None:
    """Fetch a corpus, with a progress bar."""
    # HTTP and the bar take 15 ms to import, and most corpora are on this machine.
    from charrnn.cli.views.download import download  # noqa: PLC0415

    download(entry)


def rereadable(source: Source) -> Source:
    """The same text, to be read several times: standard input can be read only once."""
    return source if source.content else Source(source.name, b"".join(source.blocks()))
