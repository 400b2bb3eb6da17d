"""Arguments and options that several commands take. See `texts.py` for texts and corpora."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from charrnn import checkpoint as files
from charrnn.checkpoint import Checkpoint
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
    help="What to do with characters, or words, the model has never seen.",
)


def open_checkpoint(where: str | None) -> tuple[Path, Checkpoint]:
    """The checkpoint meant by an argument, and where it was found."""
    path = find_checkpoint(Path(where) if where else None)
    return path, files.load(path)


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
