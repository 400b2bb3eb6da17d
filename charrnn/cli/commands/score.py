"""`charrnn score`: the surprisal of each line of a text, and of each character of a line."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click
import numpy as np

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import (
    LANGUAGE_MODEL_HELP,
    checkpoint_and_text,
    encoding_option,
    ensemble_option,
    json_option,
    open_models,
    stdin_is_tty,
    unknown_option,
)
from charrnn.cli.numbers import Whole
from charrnn.cli.texts import corpus_source
from charrnn.cli.views.display import cells, echo_err, units
from charrnn.cli.views.shading import print_scores
from charrnn.data.lines import split_code_lines
from charrnn.errors import CorpusError
from charrnn.language.evaluate import Loss
from charrnn.language.score import Score, score
from charrnn.runs.reading import read_codes


@click.command(
    "score",
    help="Show how surprising each line of a TEXT is to a model: nats and perplexity per "
    "character, the line number, the line. TEXT is a file, the name of a corpus or `-` for "
    "standard input, which is the default for piped text.\n\nEach line is scored as if it were the "
    "first of the text. Its end counts as a character.\n\n" + LANGUAGE_MODEL_HELP,
    epilog="""\b
Examples:
  charrnn score elizabethan --top 5
  charrnn score checkpoints/small corpora/elizabethan.txt --context --json
  printf 'The king hath sent.\\nThe knig hath sent.\\n' | charrnn score --show""",
)
@click.argument("arguments", nargs=-1, metavar="[CHECKPOINT] [TEXT]")
@click.option("--rank", is_flag=True, help="Show the most surprising line first.")
@click.option("--top", type=Whole(min=1), metavar="N",
              help="Show only the N most surprising lines; implies --rank.")  # fmt: skip
@click.option("--show", is_flag=True,
              help="Colour every character by its surprisal; in a terminal without colours, print "
              "its nats below it.")  # fmt: skip
@click.option("--context", is_flag=True, help="Score each line after all the text before it.")
@ensemble_option
@encoding_option("the text", "as in training; utf-8 for standard input")
@unknown_option
@json_option
def command(
    arguments: tuple[str, ...],
    rank: bool,
    top: int | None,
    show: bool,
    context: bool,
    ensemble: tuple[str, ...],
    encoding: str | None,
    unknown: str,
    as_json: bool,
) -> None:
    if show and as_json:
        raise click.UsageError("Give --show or --json, not both.")
    where, name = checkpoint_and_text(arguments)
    models = open_models(where, ensemble)
    source = corpus_source(name)
    if source.content is None and stdin_is_tty():
        echo_err("Type lines; Ctrl-D ends them.")
    codes = read_codes(models.checkpoint, source, encoding)
    if not len(codes):
        raise CorpusError(f"{source.name} has no lines to score.")
    lines = split_code_lines(codes)
    started = time.perf_counter()
    total = _Total()
    scores: Iterable[Score] = total.over(
        score(
            models.language_model,
            models.vocabulary,
            lines,
            context=context,
            skip_unknown=unknown == "skip",
        )
    )
    if rank or top:
        scores = islice(sorted(scores, key=lambda s: -s.loss.nats_per_char), top)
    if as_json:
        scored = [_to_json(s) for s in scores]  # adds up the total
        seconds = time.perf_counter() - started
        data = {
            **models.to_json(),
            "text": source.name,
            "context": context,
            **total.loss.to_json(),
            "skipped": total.skipped,
            "parameters": models.num_parameters,
            "chars_per_second": total.loss.chars / seconds,
            "seconds": seconds,
            "lines": scored,
        }
        click.echo(json_text(data))
        return
    echo_err(f"{models} on {source.name}")
    if show or sys.stdout.isatty():
        print_scores(scores, len(lines), models.language_model.vocab_size if show else None)
    else:
        _write_rows(scores)
    count = f"{len(lines):,} line{'s' * (len(lines) != 1)}, {total.loss.chars:,} characters"
    echo_err(f"{count}: {units(total.loss)}")
    if total.skipped:
        symbols = models.vocabulary.counted(total.skipped)
        echo_err(f"Skipped {symbols} that the model has never seen.")


def _write_rows(scores: Iterable[Score]) -> None:
    """Write tab-separated fields for programs: nats, perplexity, line number, line."""
    for s in scores:
        nats, _, perplexity = cells(s.loss)
        sys.stdout.write(f"{nats}\t{perplexity}\t{s.line}\t{s.text}\n")


class _Total:
    """The total loss of the scores that were drawn from `over`."""

    def __init__(self) -> None:
        self.loss = Loss(0.0, 0)
        self.skipped = 0

    def over(self, scores: Iterable[Score]) -> Iterator[Score]:
        for s in scores:
            self.loss += s.loss
            self.skipped += int(np.isnan(s.nats).sum())
            yield s


def _to_json(s: Score) -> dict[str, Any]:
    """A line under its documented keys; nats of characters are rounded to a millionth."""
    return {
        "line": s.line,
        "text": s.text,
        **s.loss.to_json(),
        "characters": s.characters,
        "nats": [None if math.isnan(n) else round(n, 6) for n in s.nats.tolist()],
    }
