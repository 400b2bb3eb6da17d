"""Arguments and options that several commands take. See `texts.py` for texts and corpora."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from charrnn.models import LanguageModel
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import find_checkpoint, path_exists

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


ensemble_option = click.option(
    "--ensemble",
    multiple=True,
    metavar="RUN",
    help="Predict together with this checkpoint: the mean of the probabilities. Repeatable.",
)


@dataclass(frozen=True)
class LoadedModels:
    """What was named: a checkpoint, alone or together with others."""

    paths: Sequence[Path]
    checkpoints: Sequence[Checkpoint]

    @property
    def checkpoint(self) -> Checkpoint:
        """The first."""
        return self.checkpoints[0]

    @cached_property
    def model(self) -> LanguageModel:
        """What predicts: all of them. A CheckpointError or VocabularyError if they cannot."""
        return checkpoint.together(self.paths, self.checkpoints)

    @property
    def parameters(self) -> int:
        """Of all of them."""
        return sum(each.model.num_parameters for each in self.checkpoints)

    def names(self) -> dict[str, Any]:
        """Where they were found, for JSON."""
        first, *others = map(str, self.paths)
        return {"checkpoint": first, "ensemble": others}

    def __str__(self) -> str:
        return " and ".join(map(str, self.paths))


def open_models(
    where: str | None, others: Sequence[str], tasks: Sequence[str] | None = ("lm",)
) -> LoadedModels:
    """The checkpoint meant by an argument, as below, and those that `--ensemble` names. Where they
    cannot predict together that is told here, before a text is read.
    """
    found = [open_checkpoint(each, tasks) for each in (where, *others)]
    (first, _), *more = found
    if where is None and any(path.samefile(first) for path, _ in more):
        raise click.UsageError(
            f"Without a checkpoint the newest run is meant, {first}, which --ensemble names too; "
            "name another."
        )
    opened = LoadedModels([path for path, _ in found], [each for _, each in found])
    if others:
        _ = opened.model
    return opened


def open_checkpoint(
    where: str | None, tasks: Sequence[str] | None = ("lm",)
) -> tuple[Path, Checkpoint]:
    """The checkpoint meant by an argument, and where it was found; without one, the newest for one
    of these tasks.
    """
    path = find_checkpoint(Path(where) if where else None, tasks=tasks)
    return path, checkpoint.load(path)


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
    if stdin_is_tty():
        raise click.UsageError("Name a text or pipe one in; `-` reads what you type.")
    return (arguments[0] if arguments else None), "-"


def is_checkpoint(argument: str) -> bool:
    """Whether an argument that may be a text, or the name of one, is a checkpoint."""
    path = Path(argument)
    return path_exists(path) and (path.is_dir() or path.suffix == ".npz")


def stdin_is_tty() -> bool:
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
