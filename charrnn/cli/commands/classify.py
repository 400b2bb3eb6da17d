"""`charrnn classify`: which class a text belongs to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any

import click
from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from charrnn.cli.foreign import json_text, printable
from charrnn.cli.inputs import (
    encoding_option,
    is_checkpoint,
    json_option,
    open_models,
    stdin_is_tty,
)
from charrnn.cli.numbers import Whole
from charrnn.cli.views.display import echo_err, print_drawing
from charrnn.data.labelled import stripped_lines
from charrnn.data.reading import Source, TextOptions
from charrnn.errors import CorpusError
from charrnn.tasks import Classification

_BAR = 30


@click.command(
    "classify",
    help="Predict the class of each TEXT, with probabilities. Without a TEXT, or with `-`, texts "
    "are read from standard input, one per line. A character that does not occur in the training "
    "text is read as the unknown symbol.\n\nCHECKPOINT is a run directory or a file of a model "
    "trained with --task classify; without it, the newest such run under ./checkpoints. The first "
    "argument is the checkpoint if it is a directory or an .npz file, or begins with ./, ../, / or "
    "checkpoints/; otherwise it is a text.",
    epilog="""\b
Examples:
  charrnn classify Satoshi
  charrnn classify checkpoints/names "O'Neill" Bergmann --top 1
  printf 'Wang\\nRossi\\n' | charrnn classify --json""",
)
@click.argument("arguments", nargs=-1, metavar="[CHECKPOINT] [TEXT]...")
@click.option("--top", type=Whole(min=1), default=3, show_default=True, metavar="N",
              help="Show the N likeliest classes.")  # fmt: skip
@encoding_option("standard input", "utf-8")
@json_option
def command(arguments: tuple[str, ...], top: int, encoding: str | None, as_json: bool) -> None:
    has_checkpoint = bool(arguments) and _means_checkpoint(arguments[0])
    models = open_models(arguments[0] if has_checkpoint else None, tasks=("classify",))
    model = Classification.text_model(models)
    texts = _texts(arguments[has_checkpoint:], encoding or "utf-8")
    known = [text for text in texts if text]
    unknown = [model.unknown(model.encode(text)) if text else 0 for text in texts]
    ranking = iter(model.classify(*known))
    classes = [dict(islice(next(ranking).items(), top)) if text else {} for text in texts]
    if as_json:
        data = {
            "checkpoint": str(models),
            "parameters": models.num_parameters,
            "texts": [
                {"text": text, "classes": _to_json(ranked), "unknown": count}
                for text, ranked, count in zip(texts, classes, unknown, strict=True)
            ],
        }
        click.echo(json_text(data))
        return
    for text, ranked in zip(texts, classes, strict=True):
        _show(" ".join(printable(text).split()), ranked)
    if count := sum(unknown):
        echo_err(f"Read {models.vocabulary.counted(count)} as the unknown symbol.")


def _means_checkpoint(argument: str) -> bool:
    """Whether an argument is a checkpoint, or looks like the path of one."""
    path_like = argument.startswith(("checkpoints/", "./", "../", "/")) or argument.endswith(".npz")
    return path_like or is_checkpoint(argument)


def _to_json(classes: dict[str, float]) -> list[dict[str, Any]]:
    return [{"class": name, "probability": p} for name, p in classes.items()]


def _texts(arguments: Sequence[str], encoding: str) -> list[str]:
    """The texts given, or the lines of standard input, of which some may be empty."""
    if not arguments and stdin_is_tty():
        raise click.UsageError("Give a text or pipe some in; use - to type text.")
    texts: list[str] = []
    for argument in arguments or ("-",):
        if argument != "-":
            if not argument.strip():
                raise CorpusError("An empty text has no class.")
            texts.append(argument)
            continue
        if stdin_is_tty():
            echo_err("Type texts, one per line; Ctrl-D ends them.")
        texts += stripped_lines(Source.of("-"), TextOptions(encoding=encoding))
    if not any(texts):
        raise CorpusError("stdin has no lines to classify.")
    return texts


def _show(text: str, classes: dict[str, float]) -> None:
    """In a terminal, bars; elsewhere one line per class: text, class, probability, with tabs. An
    empty line for an empty text, which has no classes.
    """
    if not sys.stdout.isatty():
        if not classes:
            sys.stdout.write("\n")
        for name, p in classes.items():
            sys.stdout.write(f"{text}\t{name}\t{p:.4f}\n")
        return
    print_drawing(Text(text, style="bold"))
    table = Table.grid(padding=(0, 1))
    for n, (name, p) in enumerate(classes.items()):
        bar = Bar(1, 0, p, width=_BAR, color="default" if n else "green")
        table.add_row("", Text(printable(name)), Text(f"{p:6.1%}"), bar)
    print_drawing(table)
