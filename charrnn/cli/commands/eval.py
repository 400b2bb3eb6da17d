"""`charrnn eval`: how well a model predicts a text, fills its gaps, or predicts classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from charrnn.cli.dynamic_options import dynamic_config, dynamic_options, dynamic_progress
from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import (
    CHECKPOINT_HELP,
    encoding_option,
    ensemble_option,
    is_checkpoint,
    json_option,
    open_models,
    unknown_option,
)
from charrnn.cli.texts import corpus_source
from charrnn.cli.views.confusion_matrix import print_confusion
from charrnn.cli.views.display import echo_err, print_losses
from charrnn.data import catalogue
from charrnn.runs.loaded import LoadedModels
from charrnn.system.paths import path_exists
from charrnn.tasks import TASKS, Measurement
from charrnn.tasks.language_modeling import LanguageModeling, require_network


@click.command(
    "eval",
    help="Measure how well a model predicts a TEXT (a file, `-`, or the name of a corpus), in "
    "nats, bits and perplexity per character.\n\n--dynamic measures a second time, with a network "
    "that learns from each part of the text after predicting it. The checkpoint does not change."
    "\n\nFor a model trained to fill gaps, it measures how well masked characters are restored; "
    "the same fraction is masked as in training, always at the same positions.\n\nFor a "
    "classifier, it measures accuracy and macro F1; TEXT is then one or more files in the training "
    "format: one file per class, or lines with a class, a tab and a text."
    f"\n\n{CHECKPOINT_HELP} With --dynamic or --ensemble, it is the newest language model.",
    epilog="""\b
Examples:
  charrnn eval elizabethan
  charrnn eval checkpoints/small corpora/elizabethan.txt --json
  charrnn eval checkpoints/small corpora/elizabethan.txt --dynamic
  charrnn eval checkpoints/names names/*.txt
  echo "Good morrow, sweet my lord." | charrnn eval -""",
)
@click.argument("arguments", nargs=-1, required=True, metavar="[CHECKPOINT] TEXT...")
@dynamic_options
@ensemble_option
@encoding_option("the text", "as in training; utf-8 for standard input")
@unknown_option
@json_option
def command(
    arguments: tuple[str, ...],
    dynamic: bool,
    ensemble: tuple[str, ...],
    encoding: str | None,
    unknown: str,
    as_json: bool,
    **dynamic_settings: float | None,
) -> None:
    where, names = _checkpoint_and_texts(arguments)
    if dynamic and ensemble:
        raise click.UsageError("--dynamic takes one model, --ensemble several; give one of them.")
    learning = dynamic_config(dynamic, dynamic_settings)
    language_model = learning is not None or bool(ensemble)
    models = open_models(where, ensemble, ("lm",) if language_model else None)
    task = TASKS["lm" if language_model else models.model.task]
    if learning:
        require_network(models)
    sources = [corpus_source(name) for name in names]
    if len(sources) > 1 and not task.several_texts:
        raise click.UsageError("Give at most a checkpoint and a text.")
    options: dict[str, Any] = {"encoding": encoding, "skip_unknown": unknown == "skip"}
    if learning:
        with dynamic_progress(models.vocabulary.plural) as show:
            measured = LanguageModeling.measure(
                models, sources, **options, dynamic=learning, on_progress=show
            )
    else:
        measured = task.measure(models, sources, **options)
    if as_json:
        click.echo(json_text(_to_json(models, measured)))
    else:
        _print(models, measured)


def _to_json(models: LoadedModels, measured: Measurement) -> dict[str, Any]:
    text, loss = next(iter(measured.losses.items()))
    return {
        **loss.to_json(),
        "text": text,
        **models.to_json(),
        "parameters": models.num_parameters,
        "chars_per_second": measured.chars / measured.seconds,
        "seconds": measured.seconds,
        **measured.details,
    }


def _print(models: LoadedModels, measured: Measurement) -> None:
    echo_err(f"{models} on {next(iter(measured.losses))}")
    print_losses(measured.losses)
    for line in measured.lines:
        click.echo(line)
    if measured.confusion:
        print_confusion(measured.confusion)
    for remark in measured.remarks:
        echo_err(remark)


def _checkpoint_and_texts(arguments: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The checkpoint and the texts. The first of several is a checkpoint unless it is a text."""
    first, *others = arguments
    if not others:
        if path_exists(Path(first)) and Path(first).is_dir():
            raise click.UsageError(f"{first} is a folder; name a text too.")
        return None, arguments
    is_text = first == "-" or catalogue.find(first) or path_exists(Path(first))
    if is_text and not is_checkpoint(first):
        return None, arguments
    return first, others
