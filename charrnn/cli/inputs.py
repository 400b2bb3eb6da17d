"""Arguments and options that several commands take."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from charrnn.cli.foreign import printable
from charrnn.cli.options import GroupedOption
from charrnn.data.encodings import check_encoding
from charrnn.runs.loaded import LoadedModels
from charrnn.system.paths import path_exists

CHECKPOINT_HELP = (
    "CHECKPOINT is a run directory or a file; without it, the newest run under ./checkpoints, or "
    "else the bundled model."
)
LANGUAGE_MODEL_HELP = (
    "CHECKPOINT is a run directory or a file; without it, the newest language model under "
    "./checkpoints, or else the bundled one."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, cls=GroupedOption, group="Output",
    help="Print one JSON document.",
)  # fmt: skip
unknown_option = click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="Characters, or words, that the model has never seen: error stops at the first, skip "
    "leaves them out.",
)


def _known_encoding(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    if name is not None:
        check_encoding(name)
    return name


def encoding_option(of: str, default: str) -> Callable[[Any], Any]:
    """`--encoding`, checked even if nothing is read. `default` says what it is if not given."""
    return click.option(
        "--encoding",
        metavar="NAME",
        callback=_known_encoding,
        help=f"Encoding of {of}.  [default: {default}]",
    )


ensemble_option = click.option(
    "--ensemble",
    multiple=True,
    metavar="RUN",
    help="Predict together with this checkpoint: the mean of the probabilities. Repeatable.",
)


def open_models(
    where: str | None, others: Sequence[str] = (), tasks: Sequence[str] | None = ("lm",)
) -> LoadedModels:
    """The checkpoint that an argument names, and those of `--ensemble`. Without an argument, the
    newest run for one of these tasks. Models that cannot form an ensemble are an error here, before
    a text is read.
    """
    models = LoadedModels.open(where or None, *others, tasks=tasks)
    first, *more = models.paths
    if where is None and any(path.samefile(first) for path in more):
        raise click.UsageError(
            f"The newest run, {first}, is used because no checkpoint was named, and --ensemble "
            "names it too; name another checkpoint."
        )
    return models


def checkpoint_and_text(arguments: tuple[str, ...]) -> tuple[str | None, str]:
    """The checkpoint, if one is named, and the text. A single argument is a checkpoint if it looks
    like one; the text is then standard input.
    """
    if len(arguments) > 2:
        raise click.UsageError("Give at most a checkpoint and a text.")
    if len(arguments) == 2:
        return arguments
    if arguments and not is_checkpoint(arguments[0]):
        return None, arguments[0]
    if stdin_is_tty():
        raise click.UsageError("Name a text or pipe one in; use - to type text.")
    return (arguments[0] if arguments else None), "-"


def is_checkpoint(argument: str) -> bool:
    """Whether an argument is a checkpoint, rather than a text or the name of one."""
    path = Path(argument)
    return path_exists(path) and (path.is_dir() or path.suffix == ".npz")


def stdin_is_tty() -> bool:
    """Whether standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


_decoder = codecs.getincrementaldecoder("utf-8")("replace")


def write_bytes(data: bytes) -> None:
    """Write UTF-8 text to standard output at once: to a terminal in its encoding and without
    control characters, elsewhere byte for byte.
    """
    if sys.stdout.isatty():
        text = printable(_decoder.decode(data))  # a character may come in several pieces
        data = text.encode(getattr(sys.stdout, "encoding", None) or "utf-8", "replace")
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        binary.write(data)
    sys.stdout.flush()
