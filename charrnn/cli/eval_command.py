"""`charrnn eval`: how well a model predicts a text."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from charrnn.checkpoint import Checkpoint
from charrnn.cli.display import note, print_losses, symbols_of
from charrnn.cli.inputs import CHECKPOINT_HELP, json_option, open_checkpoint, unknown_option
from charrnn.cli.texts import corpus_source, encode_source
from charrnn.errors import CorpusError
from charrnn.evaluate import Loss, evaluate
from charrnn.gaps import measure
from charrnn.models import CharRNN, Filler
from charrnn.params import Ids
from charrnn.run import is_there

_MASK, _MASK_SEED = 0.15, 0


@click.command(
    "eval",
    help="Measure how surprised a model is by a TEXT (a file, `-`, or the name of a corpus), in "
    "nats, bits and perplexity per character.\n\nOf a model that fills gaps it is how well it "
    "restores characters that are hidden, as large a share as in its training, and always the "
    f"same ones.\n\n{CHECKPOINT_HELP}",
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
    path, found = open_checkpoint(
        arguments[0] if len(arguments) == 2 else None, (CharRNN.task, Filler.task)
    )
    source = corpus_source(arguments[-1])
    ids, skipped = encode_source(found, source, encoding, unknown)
    if not len(ids):
        raise CorpusError(f"{source.name} has no characters to evaluate.")
    started = time.perf_counter()
    loss, more = _measure(found, ids)
    seconds = time.perf_counter() - started
    if as_json:
        data = {
            **loss.to_json(),
            **more,
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
    what = symbols_of(found.vocabulary)
    if more:
        click.echo(
            f"{more['accuracy']:.1%} of the hidden {what} are restored: {more['mask']:.0%} of the "
            f"text, chosen with the seed {more['mask_seed']}, each from all that is not hidden."
        )
    if skipped:
        note(f"{skipped:,} {what} that the model has never seen were skipped.")


def _measure(found: Checkpoint, ids: Ids) -> tuple[Loss, dict[str, Any]]:
    """The loss, and what else there is to say of a model that fills gaps."""
    if not isinstance(found.model, Filler):
        return evaluate(found.language_model, ids, found.vocabulary), {}
    share = found.meta.get("config", {}).get("mask", _MASK)
    restored = measure(found.model, ids, share, _MASK_SEED, found.vocabulary)
    more = {"accuracy": restored.accuracy, "mask": share, "mask_seed": _MASK_SEED}
    return restored.loss, more
