"""`charrnn eval`: how well a model predicts a text, fills its gaps, or names classes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from charrnn.classification.text_classifier import (
    ConfusionMatrix,
    TextClassifier,
    evaluate_classifier,
)
from charrnn.cli.inputs import (
    CHECKPOINT_HELP,
    LoadedModels,
    ensemble_option,
    is_checkpoint,
    json_option,
    open_models,
    unknown_option,
)
from charrnn.cli.learning import dynamic_options, how_to_learn, learning, network_of
from charrnn.cli.texts import corpus_source, encode_source, options_of
from charrnn.cli.views.confusion_matrix import print_confusion
from charrnn.cli.views.display import echo_err, finite, print_losses, symbols_of
from charrnn.data import catalogue
from charrnn.data.labelled import read_labelled
from charrnn.data.reading import Source
from charrnn.errors import CorpusError
from charrnn.filling.gaps import evaluate_masked
from charrnn.language.dynamic import Dynamic
from charrnn.language.evaluate import Loss, evaluate
from charrnn.models import CharRNN, Classifier, MaskedLanguageModel
from charrnn.runs.run import path_exists

_MASK, _MASK_SEED = 0.15, 0


@click.command(
    "eval",
    help="Measure how surprised a model is by a TEXT (a file, `-`, or the name of a corpus), in "
    "nats, bits and perplexity per character.\n\n--dynamic measures a second time, with a network "
    "that learns from each stretch of the text as soon as it has predicted it. The checkpoint "
    "stays as it is.\n\nOf a model that fills gaps it is how well it "
    "restores characters that are hidden, as large a share as in its training, and always the "
    "same ones.\n\nOf a model that names classes it is how often it is right, and what it takes "
    "for what; TEXT is then one or more files such as it is trained on, a file a class, or lines "
    f"of a class, a tab and a text.\n\n{CHECKPOINT_HELP}",
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
@click.option("--encoding", help="Encoding of the text.  [default: as in training]")
@unknown_option
@json_option
def command(
    arguments: tuple[str, ...],
    dynamic: bool,
    ensemble: tuple[str, ...],
    encoding: str | None,
    unknown: str,
    as_json: bool,
    **dynamic_how: float | None,
) -> None:
    where, names = _checkpoint_and_texts(arguments)
    if dynamic and ensemble:
        raise click.UsageError("--dynamic takes one model, --ensemble several; give one of them.")
    how = how_to_learn(dynamic, dynamic_how)
    opened = open_models(where, ensemble, (CharRNN.task,) if how or ensemble else None)
    found = opened.checkpoint
    if how:
        network_of(opened)
    sources = [corpus_source(name) for name in names]
    text = sources[0].name
    if isinstance(found.model, Classifier):
        text += f" and {len(sources) - 1} more" * (len(sources) > 1)
        measured = _classes(opened, sources, encoding)
    elif len(sources) > 1:
        raise click.UsageError("Give a text, and before it a checkpoint if you like; no more.")
    else:
        measured = _text(opened, sources[0], encoding, unknown, how)
    if as_json:
        data = {
            **measured.loss.to_json(),
            "text": text,
            **opened.names(),
            "parameters": opened.parameters,
            "chars_per_second": measured.chars / measured.seconds,
            "seconds": measured.seconds,
            **measured.more,
        }
        click.echo(json.dumps(data, ensure_ascii=False))
        return
    echo_err(f"{opened} on {text}")
    print_losses({text: measured.loss, **measured.beside})
    measured.draw()
    if measured.remark:
        echo_err(f"{measured.remark}.")


@dataclass(frozen=True)
class _Measured:
    """What was found, and what it took."""

    loss: Loss
    chars: int
    seconds: float
    more: dict[str, Any]
    """Further keys of the JSON output."""
    remark: str
    draw: Callable[[], None]
    beside: dict[str, Loss] = field(default_factory=dict)
    """Losses of the same text in another way, each with a name."""


def _text(
    opened: LoadedModels, source: Source, encoding: str | None, unknown: str, how: Dynamic | None
) -> _Measured:
    """How well a text is predicted, or restored."""
    found = opened.checkpoint
    ids, skipped = encode_source(found, source, encoding, unknown)
    if not len(ids):
        raise CorpusError(f"{source.name} has no characters to evaluate.")
    what = symbols_of(found.vocabulary)
    remark = f"{skipped:,} {what} that the model has never seen were skipped"
    started = time.perf_counter()
    if isinstance(found.model, MaskedLanguageModel):
        share = found.meta.get("config", {}).get("mask", _MASK)
        restored = evaluate_masked(found.model, ids, share, _MASK_SEED, found.vocabulary)
        loss = restored.loss
        more = {"accuracy": restored.accuracy, "mask": share, "mask_seed": _MASK_SEED}
    else:
        loss, more = evaluate(opened.model, ids, found.vocabulary), {}
    seconds = time.perf_counter() - started
    beside = {}
    if how:
        beside["with --dynamic"], more["dynamic"] = learning(opened, ids, how)

    def draw() -> None:
        if "accuracy" in more:
            click.echo(
                f"{more['accuracy']:.1%} of the hidden {what} are restored: {more['mask']:.0%} of "
                f"the text, chosen with the seed {_MASK_SEED}, each from all that is not hidden."
            )

    return _Measured(
        loss,
        loss.chars,
        seconds,
        {**more, "skipped": skipped},
        remark * bool(skipped),
        draw,
        beside,
    )


def _classes(opened: LoadedModels, sources: Sequence[Source], encoding: str | None) -> _Measured:
    """How often the class that is named is the right one."""
    found = opened.checkpoint
    model = TextClassifier(found.classifier, found.vocabulary)
    lines = read_labelled(sources, options_of(found, encoding))
    number = {name: n for n, name in enumerate(model.classes)}
    if strange := next((each.label for each in lines if each.label not in number), None):
        raise CorpusError(
            f"{opened} knows no class '{strange}', but {len(number)}: {', '.join(number)}."
        )
    texts = [model.encode(each.text) for each in lines]
    started = time.perf_counter()
    loss, confusion = evaluate_classifier(
        model.model, texts, np.array([number[e.label] for e in lines])
    )
    seconds = time.perf_counter() - started
    unknown = sum(model.unknown(ids) for ids in texts)
    remark = f"{unknown:,} {symbols_of(found.vocabulary)} were read as the unknown one"
    return _Measured(
        loss, sum(map(len, texts)), seconds, {"unknown": unknown, **_to_json(confusion)},
        remark * bool(unknown), lambda: print_confusion(confusion),
    )  # fmt: skip


def _to_json(confusion: ConfusionMatrix) -> dict[str, Any]:
    """Each class, and the table: row n are the texts of class n, by the names they were given."""
    rows = zip(confusion.classes, confusion.counts.sum(axis=1), confusion.f1, strict=True)
    classes = [{"class": c, "examples": int(n), "f1": finite(f1)} for c, n, f1 in rows]
    return {"classes": classes, "confusion": confusion.counts.tolist()}


def _checkpoint_and_texts(arguments: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """Which argument is which. The first of several is a checkpoint, unless it is a text."""
    first, *others = arguments
    if not others:
        if path_exists(Path(first)) and Path(first).is_dir():
            raise click.UsageError(f"{first} is a folder; name a text too.")
        return None, arguments
    is_text = first == "-" or catalogue.find(first) or path_exists(Path(first))
    if is_text and not is_checkpoint(first):
        return None, arguments
    return first, others
