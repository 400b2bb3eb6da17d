"""Arguments that several commands take: checkpoints, corpora, texts."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from charrnn import catalogue
from charrnn import checkpoint as files
from charrnn.checkpoint import Checkpoint
from charrnn.cli.display import download_bar
from charrnn.errors import CorpusError
from charrnn.fetch import fetch
from charrnn.params import Ids
from charrnn.reading import Source, TextOptions
from charrnn.run import find_checkpoint, is_there
from charrnn.spool import Spool

CHECKPOINT_HELP = (
    "CHECKPOINT is a run directory or a file; without it, the newest run under ./checkpoints, or "
    "else the model that ships with charrnn."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
unknown_option = click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with characters the model has never seen.",
)


def open_checkpoint(where: str | None) -> tuple[Path, Checkpoint]:
    """The checkpoint meant by an argument, and where it was found."""
    path = find_checkpoint(Path(where) if where else None)
    return path, files.load(path)


def corpus_source(name: str) -> Source:
    """A text by path, by the name of a corpus (fetched now if need be), or `-`."""
    path = Path(name)
    if name == "-" or (is_there(path) and not path.is_dir()):
        return Source.of(name)
    entry = catalogue.find(name)
    if entry:
        return fetched(entry)
    if is_there(path):
        return Source.of(name)
    raise CorpusError(
        f"There is no file '{name[:80]}', nor a corpus of that name; see charrnn corpora."
    )


def fetched(entry: catalogue.Entry) -> Source:
    """A corpus of the catalogue, fetched now if it is not here."""
    if not catalogue.is_here(entry):
        download_bar(entry.name, entry.bytes, fetch(entry))
    return Source(f"{entry.name}.txt", catalogue.local_file(entry), entry.name)


def encode_source(
    found: Checkpoint, source: Source, encoding: str | None, unknown: str
) -> tuple[Ids, int]:
    """The ids of a text, read as the one the model was trained on was, and how many symbols were
    left out because the model has never seen them.
    """
    config = found.meta.get("config", {})
    options = TextOptions(
        found.vocabulary.unit,
        encoding or config.get("encoding", "utf-8"),
        config.get("keep_newlines", False),
    )
    vocabulary, read = found.vocabulary, 0
    with Spool() as spool:
        for _, codes in source.codes(options):
            skip = unknown == "skip"
            spool.write(vocabulary.encode_codes(codes, skip_unknown=skip, before=read))
            read += len(codes)
        ids = spool.whole(vocabulary.dtype)
    return ids, read - len(ids)


def write_bytes(data: bytes) -> None:
    """Text to standard output at once, in whatever encoding the terminal has."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    if encoding != "utf8" and sys.stdout.isatty():
        data = data.decode("utf-8", "replace").encode(sys.stdout.encoding, "replace")
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        binary.write(data)
    sys.stdout.flush()
