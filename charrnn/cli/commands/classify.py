"""`charrnn classify`: which class a text belongs to."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any

import click
from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from charrnn.classification.text_classifier import TextClassifier
from charrnn.cli.inputs import is_checkpoint, json_option, open_checkpoint, stdin_is_tty
from charrnn.cli.views.display import clean, echo_err, print_drawing, symbols_of
from charrnn.data.labelled import lines_of
from charrnn.data.reading import Source, TextOptions
from charrnn.errors import CorpusError
from charrnn.models import Classifier

_BAR = 30


@click.command(
    "classify",
    help="Name the class of each TEXT, and how probable it is. `-`, or no text at all, reads "
    "standard input, a text a line. A character that was not met in training is read as an "
    "unknown one.\n\nCHECKPOINT is a run directory or a file, of a model trained with --task "
    "classify; without it, the newest such run under ./checkpoints.",
    epilog="""\b
Examples:
  charrnn classify Satoshi
  charrnn classify checkpoints/names "O'Neill" Bergmann --top 1
  printf 'Wang\\nRossi\\n' | charrnn classify --json""",
)
@click.argument("arguments", nargs=-1, metavar="[CHECKPOINT] [TEXT]...")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
              help="Show the N likeliest classes.")  # fmt: skip
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of standard input.")
@json_option
def command(arguments: tuple[str, ...], top: int, encoding: str, as_json: bool) -> None:
    has_checkpoint = bool(arguments) and _means_checkpoint(arguments[0])
    path, found = open_checkpoint(arguments[0] if has_checkpoint else None, (Classifier.task,))
    model = TextClassifier(found.classifier, found.vocabulary)
    texts = _texts(arguments[has_checkpoint:], encoding)
    unknown = [model.unknown(model.encode(text)) for text in texts]
    classes = [dict(islice(each.items(), top)) for each in model.classify(*texts)]
    if as_json:
        data = {
            "checkpoint": str(path),
            "parameters": found.model.num_parameters,
            "texts": [
                {"text": text, "classes": _to_json(each), "unknown": count}
                for text, each, count in zip(texts, classes, unknown, strict=True)
            ],
        }
        click.echo(json.dumps(data, ensure_ascii=False))
        return
    for text, each in zip(texts, classes, strict=True):
        _show(" ".join(clean(text).split()), each)
    if count := sum(unknown):
        echo_err(f"{count:,} {symbols_of(found.vocabulary)} were read as the unknown one.")


def _means_checkpoint(argument: str) -> bool:
    """Whether there is such a checkpoint, or it is written like the path of one."""
    path_like = argument.startswith(("checkpoints/", "./", "../", "/")) or argument.endswith(".npz")
    return path_like or is_checkpoint(argument)


def _to_json(classes: dict[str, float]) -> list[dict[str, Any]]:
    return [{"class": name, "probability": p} for name, p in classes.items()]


def _texts(arguments: Sequence[str], encoding: str) -> list[str]:
    """The texts that are given; where none is, those that are piped in."""
    if not arguments and stdin_is_tty():
        raise click.UsageError("Give a text or pipe some in; `-` reads what you type.")
    texts: list[str] = []
    for each in arguments or ("-",):
        if each != "-":
            texts.append(each)
            continue
        if stdin_is_tty():
            echo_err("Type texts, one a line; Ctrl-D ends them.")
        texts += lines_of(Source.of("-"), TextOptions(encoding=encoding)).values()
    if not texts:
        raise CorpusError("stdin has no lines to classify.")
    return texts


def _show(text: str, classes: dict[str, float]) -> None:
    """In a terminal bars, elsewhere a line a class: text, class and probability between tabs."""
    if not sys.stdout.isatty():
        for name, p in classes.items():
            sys.stdout.write(f"{text}\t{name}\t{p:.4f}\n")
        return
    print_drawing(Text(text, style="bold"))
    table = Table.grid(padding=(0, 1))
    for n, (name, p) in enumerate(classes.items()):
        bar = Bar(1, 0, p, width=_BAR, color="default" if n else "green")
        table.add_row("", Text(name), Text(f"{p:6.1%}"), bar)
    print_drawing(table)
