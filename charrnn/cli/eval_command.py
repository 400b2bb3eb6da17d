"""`charrnn eval`: how well a model predicts a text."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from charrnn.cli.display import note, print_losses, symbols_of
from charrnn.cli.inputs import CHECKPOINT_HELP, json_option, open_checkpoint, unknown_option
from charrnn.cli.texts import corpus_source, encode_source
from charrnn.errors import CorpusError
from charrnn.evaluate import evaluate
from charrnn.run import is_there


@click.command(
    "eval",
    help="Measure how surprised a model is by a TEXT (a file, `-`, or the name of a corpus), in "
    f"nats, bits and perplexity per character.\n\n{CHECKPOINT_HELP}",
    epilog="""\b
Examples:
  charrnn eval elizabethan
  charrnn eval checkpoints/small corpora/elizabethan.txt --json
  echo "Good morrow, sweet my lord." | charrnn eval -""",
)
@click.argument("arguments", nargs=-1, required=True, metavar="[CHECKPOINT] TEXT")
@click.option("--encoding", help="Encoding of the text.  [default: as in training]")
@unknown_option
@json_option
def command(arguments: tuple[str, ...], encoding: str | None, unknown: str, as_json: bool) -> None:
    if len(arguments) > 2:
        raise click.UsageError("Give a text, and before it a checkpoint if you like; no more.")
    if len(arguments) == 1 and is_there(Path(arguments[0])) and Path(arguments[0]).is_dir():
        raise click.UsageError(f"{arguments[0]} is a folder; name a text too.")
    path, found = open_checkpoint(arguments[0] if len(arguments) == 2 else None)
    source = corpus_source(arguments[-1])
    ids, skipped = encode_source(found, source, encoding, unknown)
    if not len(ids):
        raise CorpusError(f"{source.name} has no characters to evaluate.")
    started = time.perf_counter()
    loss = evaluate(found.language_model, ids, found.vocabulary)
    seconds = time.perf_counter() - started
    if as_json:
        data = {
            **loss.to_json(),
            "text": source.name,
            "checkpoint": str(path),
            "parameters": found.model.size,
            "chars_per_second": loss.chars / seconds,
            "seconds": seconds,
            "skipped": skipped,
        }
        click.echo(json.dumps(data, ensure_ascii=False))
        return
    note(f"{path} on {source.name}")
    print_losses({source.name: loss})
    if skipped:
        what = symbols_of(found.vocabulary)
        note(f"{skipped:,} {what} that the model has never seen were skipped.")
