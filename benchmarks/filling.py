"""Accuracy on masked characters: a masked language model against language models.

    python -m benchmarks.filling [--minutes 3] [--chars 20000]

All models are trained on the training part of one text and restore the same masked characters of
its test part. The networks are trained for the same processor time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks import command_line as options
from benchmarks.tables import keep, markdown, number, show
from charrnn.cli.texts import corpus_source
from charrnn.config.train_config import TrainConfig
from charrnn.data import masking
from charrnn.data.corpus import Corpus
from charrnn.filling.gaps import fill, fill_left_to_right, predict_gaps
from charrnn.tasks import TASKS, LanguageModelConfig, make_task
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.train import make_trainer

_TRIAL = 20  # updates that measure the time of one
Fillings = Iterator[tuple[int, int]]


def trained(corpus: Corpus, config: TrainConfig, seconds: float) -> Any:
    """A network trained for about `seconds` of processor time, or an n-gram model."""
    if config.cell != "ngram":
        training = NetworkTrainer(make_task(corpus, config)).training
        training.update(0.0)
        started = time.process_time()
        for _ in range(_TRIAL):
            training.update(0.0)
        took = (time.process_time() - started) / _TRIAL
        config = replace(config, steps=max(1, round(seconds / took)))
    session = make_trainer(corpus, config)
    click.echo(f"{session.model.name}: {config.steps or 1:,} updates", err=True)
    for event in session.events():
        best = getattr(event, "losses", {}).get("test")
        if best:
            click.echo(f"  test {best.nats_per_char:.4f} nats over {best.chars:,}", err=True)
    return session.model


def at_once(model: Any, holed: NDArray[Any]) -> Fillings:
    """Fill each gap with its most probable symbol while all other gaps are masked."""
    for places, _, log_p in predict_gaps(model, holed):
        yield from zip(places.tolist(), log_p.argmax(axis=1).tolist(), strict=True)


def one_by_one(way: Callable[..., Any], model: Any, holed: NDArray[Any]) -> Fillings:
    """Fill the gaps one at a time, as `charrnn fill` does."""
    for guess in way(model, holed):
        yield guess.at, guess.symbol


def ways(models: dict[str, Any]) -> Iterator[tuple[str, Any, Callable[..., Fillings]]]:
    """Each row of the table: its label, the model, and the function that fills."""
    yield "both sides, all gaps at once", models["fill"], at_once
    yield "both sides, the most certain gap first", models["fill"], partial(one_by_one, fill)
    for name in ("lm", "ngram"):
        for what, ahead in (("left context", 0), ("left context and 30 characters ahead", 30)):
            way = partial(one_by_one, partial(fill_left_to_right, ahead=ahead))
            yield what, models[name], way


def alone(places: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which masked characters are isolated: neither neighbour is masked."""
    beside = np.pad(places, 1)
    return ~(beside[:-2] | beside[2:])[places]


def table(results: list[dict[str, Any]]) -> str:
    """A row for each model and method."""
    head = ["Model", "Parameters", "Context", "All", "Isolated", "In longer gaps", "Gaps/s"]
    rows = []
    for r in results:
        shares = [f"{r[k]:.1%}" for k in ("accuracy", "alone", "beside")]
        speed = number(r["chars"] / max(r["seconds"], 1e-9))
        rows.append([r["model"], f"{r['parameters']:,}", r["way"], *shares, speed])
    return markdown(head, rows)


@click.command(help=__doc__)
@options.toy_option(text="elizabethan", minutes=0.004, chars=300, fill_shape="1x8", lm_shape="1x8")
@click.option("--text", default="tinyshakespeare", show_default=True, help="A file or a corpus.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=3.0,
              show_default=True, help="Processor time for each network.")  # fmt: skip
@click.option("--chars", type=click.IntRange(min=1), default=20000, show_default=True,
              help="Characters of the test part to read.")  # fmt: skip
@click.option("--mask", default=0.15, show_default=True, help="Fraction of them to mask.")
@click.option("--fill", "fill_shape", default="2x96", show_default=True, metavar="LAYERSxHIDDEN",
              help="Size of the bidirectional GRU.")  # fmt: skip
@click.option("--lm", "lm_shape", default="2x160", show_default=True, metavar="LAYERSxHIDDEN",
              help="Size of the GRU language model.")  # fmt: skip
@click.option("--seq", default=50, show_default=True, help="Characters in a chunk.")
@options.json_option()
def main(
    text: str,
    minutes: float,
    chars: int,
    mask: float,
    fill_shape: str,
    lm_shape: str,
    seq: int,
    json_file: Path | None,
) -> None:
    """Train, mask, fill, and print the table."""
    corpus = Corpus.read([corpus_source(text)])
    models: dict[str, Any] = {}
    for name, shape in (("fill", fill_shape), ("lm", lm_shape)):
        layers, hidden = (int(n) for n in shape.split("x"))
        config = TASKS[name].config_class(
            layers=layers, hidden=hidden, seq=seq, workers=1, sample_every=0
        )
        models[name] = trained(corpus, config, 60 * minutes)
    models["ngram"] = trained(corpus, LanguageModelConfig(cell="ngram", sample_every=0), 0)
    truth = corpus.test[:chars]
    places = masking.masked_in_text(len(truth), mask)
    holed, single = masking.mask(truth, places, len(corpus.vocabulary)), alone(places)
    results = []
    for what, model, way in ways(models):
        filled, started = holed.copy(), time.process_time()
        for at, symbol in way(model, holed):
            filled[at] = symbol
        seconds = time.process_time() - started
        right = (filled == truth)[places]
        results.append(
            {
                "model": model.name,
                "parameters": model.num_parameters,
                "way": what,
                "accuracy": float(right.mean()),
                "alone": float(right[single].mean()),
                "beside": float(right[~single].mean()),
                "chars": len(right),
                "seconds": seconds,
            }
        )
        keep(json_file, "filling", {"text": text, "minutes": minutes, "mask": mask}, results)
    notes = (
        f"{int(places.sum()):,} of the first {len(truth):,} characters of the test part are "
        f"masked; {int(single.sum()):,} of them are isolated. Processor time for each network: "
        f"{minutes:g} minutes."
    )
    show("Filling gaps", table(results), notes)


if __name__ == "__main__":
    main()
