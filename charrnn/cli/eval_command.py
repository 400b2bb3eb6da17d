"""`charrnn eval`: how well a model predicts a text."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from charrnn.cli.display import note, print_losses
from charrnn.cli.inputs import (
    CHECKPOINT_HELP,
    Opened,
    ensemble_option,
    json_option,
    open_models,
    unknown_option,
)
from charrnn.cli.texts import corpus_source, encode_source
from charrnn.dynamic import Dynamic, dynamic_surprisal
from charrnn.errors import CheckpointError, CorpusError
from charrnn.evaluate import Loss, evaluate
from charrnn.models import CharRNN
from charrnn.params import Ids
from charrnn.run import is_there


@click.command(
    "eval",
    help="Measure how surprised a model is by a TEXT (a file, `-`, or the name of a corpus), in "
    "nats, bits and perplexity per character.\n\n--dynamic measures a second time, with a network "
    "that learns from each stretch of the text as soon as it has predicted it. The checkpoint "
    f"stays as it is.\n\n{CHECKPOINT_HELP}",
    epilog="""\b
Examples:
  charrnn eval elizabethan
  charrnn eval checkpoints/small corpora/elizabethan.txt --json
  charrnn eval checkpoints/small elizabethan --dynamic
  echo "Good morrow, sweet my lord." | charrnn eval -""",
)
@click.argument("arguments", nargs=-1, required=True, metavar="[CHECKPOINT] TEXT")
@ensemble_option
@click.option("--dynamic", is_flag=True, help="Measure also how it does learning as it reads.")
@click.option("--dynamic-lr", type=float, metavar="RATE",
              help=f"How far a weight moves at a time.  [default: {Dynamic.lr:g}]")  # fmt: skip
@click.option("--dynamic-decay", type=float, metavar="SHARE",
              help=f"Share of the way back each time.  [default: {Dynamic.decay:g}]")  # fmt: skip
@click.option("--dynamic-seq", type=int, metavar="N",
              help=f"Characters learned from at a time.  [default: {Dynamic.seq}]")  # fmt: skip
@click.option("--encoding", help="Encoding of the text.  [default: as in training]")
@unknown_option
@json_option
def command(
    arguments: tuple[str, ...],
    ensemble: tuple[str, ...],
    dynamic: bool,
    encoding: str | None,
    unknown: str,
    as_json: bool,
    **learning: float | None,
) -> None:
    if len(arguments) > 2:
        raise click.UsageError("Give a text, and before it a checkpoint if you like; no more.")
    if len(arguments) == 1 and is_there(Path(arguments[0])) and Path(arguments[0]).is_dir():
        raise click.UsageError(f"{arguments[0]} is a folder; name a text too.")
    if dynamic and ensemble:
        raise click.UsageError("--dynamic takes one model, --ensemble several; give one of them.")
    how = _how(dynamic, learning)
    opened = open_models(arguments[0] if len(arguments) == 2 else None, ensemble)
    network = _network(opened) if how else None
    source = corpus_source(arguments[-1])
    ids, skipped = encode_source(opened.checkpoint, source, encoding, unknown)
    if not len(ids):
        raise CorpusError(f"{source.name} has no characters to evaluate.")
    started = time.perf_counter()
    loss = evaluate(opened.model, ids)
    seconds = time.perf_counter() - started
    data = {
        **loss.to_json(),
        "text": source.name,
        **opened.names(),
        "parameters": opened.parameters,
        "chars_per_second": len(ids) / seconds,
        "seconds": seconds,
        "skipped": skipped,
    }
    losses = {source.name: loss}
    if how and network:
        losses["dynamic"], seconds = _learning(network, ids, how)
        data["dynamic"] = {**losses["dynamic"].to_json(), **asdict(how), "seconds": seconds}
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False))
        return
    note(f"{opened} on {source.name}")
    print_losses(losses)
    if skipped:
        note(f"{skipped:,} characters that the model has never seen were skipped.")


def _how(dynamic: bool, learning: dict[str, float | None]) -> Dynamic | None:
    """How to learn while reading, if that is asked for."""
    given: dict[str, Any] = {
        name.removeprefix("dynamic_"): value
        for name, value in learning.items()
        if value is not None
    }
    if dynamic:
        return Dynamic(**given)
    for name in given:
        raise click.UsageError(f"--dynamic-{name} goes with --dynamic; give that too.")
    return None


def _network(opened: Opened) -> CharRNN:
    """What is to learn while it reads."""
    if isinstance(opened.model, CharRNN):
        return opened.model
    raise CheckpointError(f"{opened.path} holds no network; nothing else learns while it reads.")


def _learning(network: CharRNN, ids: Ids, how: Dynamic) -> tuple[Loss, float]:
    """The loss of a text that is learned while it is read, and how many seconds that took."""
    started, nats = time.perf_counter(), 0.0
    with click.progressbar(
        length=len(ids), label="Learning while reading", width=0, file=sys.stderr
    ) as bar:
        for found in dynamic_surprisal(network, ids, how, np.random.default_rng(0)):
            nats += float(found.sum())
            bar.update(len(found))
    return Loss(nats / len(ids), len(ids)), time.perf_counter() - started
