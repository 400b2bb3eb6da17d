"""Texts that are named on the command line: files, corpora, standard input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from charrnn.data import catalogue
from charrnn.data.reading import Source, TextOptions
from charrnn.data.token_buffer import TokenBuffer
from charrnn.errors import CorpusError
from charrnn.nn.params import Ids
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import path_exists


def corpus_source(name: str) -> Source:
    """A text by path, by the name of a corpus (fetched now if need be), or `-`."""
    path = Path(name)
    if name == "-" or (path_exists(path) and not path.is_dir()):
        return Source.of(name)
    entry = catalogue.find(name)
    if entry:
        return fetched(entry)
    if path_exists(path):
        return Source.of(name)
    raise CorpusError(
        f"There is no file '{name[:80]}', nor a corpus of that name; see charrnn corpora."
    )


def fetched(entry: catalogue.Entry) -> Source:
    """A corpus of the catalogue, fetched now if it is not here."""
    if not catalogue.is_here(entry):
        # Imported only now: HTTP and the bar cost 15 ms, and most corpora are here.
        from charrnn.cli.views.download import download  # noqa: PLC0415

        download(entry)
    return Source(f"{entry.name}.txt", catalogue.local_file(entry), entry.name)


def kept(source: Source) -> Source:
    """The same text, to be read as often as one likes: standard input can be read once only."""
    return source if source.content else Source(source.name, b"".join(source.blocks()))


def encode_source(
    found: Checkpoint, source: Source, encoding: str | None, unknown: str
) -> tuple[Ids, int]:
    """The ids of a text, read as the one the model was trained on was, and how many symbols were
    left out because the model has never seen them.
    """
    vocabulary, skip, read, skipped = found.vocabulary, unknown == "skip", 0, 0
    with TokenBuffer() as token_buffer:
        for _, codes in source.code_points(options_of(found, encoding)):
            if skip:
                skipped += int((~vocabulary.knows(codes)).sum())
            token_buffer.write(vocabulary.encode_code_points(codes, skip_unknown=skip, before=read))
            read += len(codes)
        ids = token_buffer.whole(vocabulary.dtype)
    return ids, skipped


def read_codes(found: Checkpoint, source: Source, encoding: str | None) -> Ids:
    """The code points (or byte values) of a text, read as the one of the training was."""
    blocks = code_blocks(found, source, encoding)
    return np.concatenate([np.zeros(0, np.uint32), *blocks]).astype(np.uint32)


def code_blocks(found: Checkpoint, source: Source, encoding: str | None) -> Iterator[Ids]:
    """The same, a few megabytes at a time."""
    return (codes for _, codes in source.code_points(options_of(found, encoding)))


def options_of(found: Checkpoint, encoding: str | None) -> TextOptions:
    """How the text of the training was read; with `encoding`, in another one."""
    config = found.meta.get("config", {})
    return TextOptions(
        found.vocabulary.unit,
        encoding or config.get("encoding", "utf-8"),
        config.get("keep_newlines", False),
    )
