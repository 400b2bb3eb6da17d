"""`charrnn fill`: restore missing characters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import (
    checkpoint_and_text,
    encoding_option,
    json_option,
    open_models,
    stdin_is_tty,
    unknown_option,
)
from charrnn.cli.numbers import Whole
from charrnn.cli.views.display import echo_err
from charrnn.cli.views.filled_text import print_alternatives, print_filled
from charrnn.data.code_points import text_of
from charrnn.data.lines import split_lines
from charrnn.data.reading import Source
from charrnn.errors import ConfigError
from charrnn.filling.text_filler import Filled, TextFiller
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.reading import text_options


@click.command(
    "fill",
    help="Restore the missing characters of a TEXT. A gap, _ unless --gap says otherwise, marks "
    "each missing character. Without a TEXT, or with `-`, lines are read from standard input.\n\n"
    "The gap with the most probable character is filled first; then the others are predicted "
    "again. The filled text goes to standard output; the alternatives for each gap, with their "
    "probabilities, go to standard error.\n\n"
    "CHECKPOINT is a run directory or a file of a model trained with --task fill; without it, the "
    "newest such run under ./checkpoints. A language model that you name fills gaps too: from left "
    "to right, taking 30 characters after each gap into account. With two arguments the first is "
    "the checkpoint; a single one is the checkpoint if it is a directory or an .npz file.",
    epilog="""\b
Examples:
  charrnn train elizabethan --task fill --minutes 1 --name filler
  charrnn fill "The qu__k br__n f_x"
  charrnn fill checkpoints/filler "My l?rd, wh?t news?" --gap "?" --json
  echo "Good m_rrow, sw__t my lord." | charrnn fill --alternatives 2""",
)
@click.argument("arguments", nargs=-1, metavar="[CHECKPOINT] [TEXT]")
@click.option("--gap", default="_", show_default=True, metavar="CHAR",
              help="What marks a missing character.")  # fmt: skip
@click.option("--alternatives", type=Whole(min=0), default=4, show_default=True,
              metavar="N", help="Show the N likeliest characters of each gap.")  # fmt: skip
@encoding_option("standard input", "utf-8")
@unknown_option
@json_option
def command(
    arguments: tuple[str, ...],
    gap: str,
    alternatives: int,
    encoding: str | None,
    unknown: str,
    as_json: bool,
) -> None:
    where, text = checkpoint_and_text(arguments)
    models = open_models(where, tasks=("fill",))
    (path,), checkpoint = models.paths, models.checkpoint
    filler = TextFiller.of(checkpoint)
    texts = [text] if text != "-" else _lines(checkpoint, encoding)
    if not any(filler.count(t, gap) for t in texts):
        what = models.vocabulary.plural.removesuffix("s")
        raise ConfigError(
            f"The text has no gap; write {gap} for each missing {what} (--gap CHAR chooses "
            'another mark), as in: charrnn fill "The qu__k br__n f_x"'
        )
    if not as_json:
        echo_err(f"{path}: {models.model.name}")
    lines = []
    for n, line in enumerate(texts, 1):
        filled = filler.fill(line, gap, alternatives=alternatives, skip_unknown=unknown == "skip")
        if as_json:
            lines.append({"line": n, "text": line, **_to_json(filled, alternatives)})
            continue
        print_filled(filled)
        if alternatives:
            print_alternatives(filled)
    if as_json:
        click.echo(json_text({"checkpoint": str(path), "lines": lines}))


def _lines(checkpoint: Checkpoint, encoding: str | None) -> list[str]:
    """The lines of standard input."""
    if stdin_is_tty():
        echo_err("Type lines; Ctrl-D ends them.")
    source = Source.of("-")
    options = replace(text_options(checkpoint, source, encoding), unit="char")
    text = "".join(text_of(codes) for _, codes in source.code_points(options))
    return split_lines(text)


def _to_json(filled: Filled, alternatives: int) -> dict[str, Any]:
    """The gaps; probabilities are rounded to six digits."""
    gaps = [
        {
            "at": gap.at,
            "text": gap.text,
            "probability": round(gap.probability, 6),
            "order": gap.order,
            "alternatives": [
                {"text": text, "probability": round(p, 6)}
                for text, p in gap.alternatives[:alternatives]
            ],
        }
        for gap in filled.gaps
    ]
    return {"filled": filled.text, "gaps": gaps, "skipped": filled.skipped}
