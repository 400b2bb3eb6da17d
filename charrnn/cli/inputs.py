"""Arguments and options that several commands take. See `texts.py` for texts and corpora."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from charrnn import checkpoint as files
from charrnn.checkpoint import Checkpoint
from charrnn.run import find_checkpoint, is_there

CHECKPOINT_HELP = (
    "CHECKPOINT is a run directory or a file; without it, the newest run under ./checkpoints that "
    "can do this, or else the model that ships with charrnn."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
unknown_option = click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with characters, or words, the model has never seen.",
)


def open_checkpoint(
    where: str | None, tasks: Sequence[str] | None = ("lm",)
) -> tuple[Path, Checkpoint]:
    """The checkpoint meant by an argument, and where it was found; without one, the newest for one
    of these tasks.
    """
    path = find_checkpoint(Path(where) if where else None, tasks=tasks)
    return path, files.load(path)


def checkpoint_and_text(arguments: tuple[str, ...]) -> tuple[str | None, str]:
    """Which argument is which. One alone is a checkpoint if it looks like one; the text is then
    what is piped in.
    """
    if len(arguments) > 2:
        raise click.UsageError("Give a text, and before it a checkpoint if you like; no more.")
    if len(arguments) == 2:
        return arguments
    if arguments and not is_checkpoint(arguments[0]):
        return None, arguments[0]
    if typed():
        raise click.UsageError("Name a text or pipe one in; `-` reads what you type.")
    return (arguments[0] if arguments else None), "-"


def is_checkpoint(argument: str) -> bool:
    """Whether an argument that may be a text, or the name of one, is a checkpoint."""
    path = Path(argument)
    return is_there(path) and (path.is_dir() or path.suffix == ".npz")


def typed() -> bool:
    """Whether standard input is somebody at a keyboard."""
    return sys.stdin is not None and sys.stdin.isatty()


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
