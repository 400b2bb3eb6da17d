"""Arguments that several commands take: checkpoints, corpora, texts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from charrnn import catalogue
from charrnn import checkpoint as files
from charrnn.checkpoint import Checkpoint
from charrnn.cli.display import download_bar
from charrnn.errors import CorpusError
from charrnn.fetch import fetch
from charrnn.reading import Source, TextOptions
from charrnn.run import find_checkpoint

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
    if name == "-" or Path(name).exists():
        return Source.of(name)
    entry = catalogue.find(name)
    if entry is None:
        names = ", ".join(e.name for e in catalogue.entries())
        raise CorpusError(f"There is no file '{name}', nor a corpus of that name ({names}).")
    path = catalogue.local_file(entry)
    if not path.exists():
        download_bar(entry.name, entry.bytes, fetch(entry))
    return Source(f"{entry.name}.txt", path)


def text_options(meta: dict[str, Any], encoding: str | None = None) -> TextOptions:
    """How to read a text for a model: as the one it was trained on was read."""
    config = meta.get("config", {})
    return TextOptions(
        meta["vocabulary"]["unit"],
        encoding or config.get("encoding", "utf-8"),
        config.get("keep_newlines", False),
    )


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
