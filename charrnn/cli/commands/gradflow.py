"""`charrnn gradflow`: how far back the gradient reaches."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from charrnn.cli.inputs import json_option, open_checkpoint, unknown_option
from charrnn.cli.texts import corpus_source, encode_source, kept
from charrnn.cli.views.gradient_norms import Curve, plain, print_curves
from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import Split
from charrnn.diagnostics.gradient_norms import gradient_flow, windows
from charrnn.errors import CheckpointError, ConfigError
from charrnn.models import NETWORKS, CharRNN
from charrnn.plots.picture import Line, Picture
from charrnn.training.events import Stepped
from charrnn.training.network_trainer import NetworkTrainer

_USUAL: list[str] = ["rnn", "relu", "lstm", "gru"]


@click.command(
    "gradflow",
    help="Show how far back in a text (a file, `-`, or the name of a corpus) the gradient of a "
    "prediction reaches: the norm of dLoss(T)/dh(T-k), where Loss(T) is the cross-entropy of the "
    "last prediction alone, for every k; before training, and after it with --train or --runs.\n\n"
    "h is the output of the recurrent layers; the gradient by the whole state, with the c of an "
    "LSTM, is in the JSON. Norms are over all units and layers, then the root mean square over "
    "windows spread evenly over the text, each read from the start state, in float64.",
    epilog="""\b
Examples:
  charrnn gradflow elizabethan
  charrnn gradflow elizabethan --cells rnn,lstm --hidden 32 --train 20 --seq 50
  charrnn gradflow corpora/elizabethan.txt --runs checkpoints/small --json""",
)
@click.argument("corpus")
@click.option(
    "--cells",
    metavar="NAMES",
    help=f"Cells, with commas.  [default: {','.join(_USUAL)}; none with --runs]",
)
@click.option(
    "--hidden",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Hidden size of these cells.",
)
@click.option(
    "--layers", type=click.IntRange(1), default=1, show_default=True, help="Their layers."
)
@click.option(
    "--train",
    "updates",
    type=click.IntRange(0),
    default=0,
    metavar="STEPS",
    help="Train them as charrnn train would, and measure them again.",
)
@click.option(
    "--runs",
    multiple=True,
    metavar="RUN",
    help="Measure a trained run, and a fresh network like it; repeatable.",
)
@click.option(
    "--seq",
    type=click.IntRange(2),
    default=100,
    show_default=True,
    help="Steps: k goes from 0 to one less.",
)
@click.option(
    "--batch", type=click.IntRange(1), default=100, show_default=True, help="Windows of the text."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Random seed.")
@click.option("--encoding", help="Encoding of the text.  [default: utf-8, or that of the run]")
@unknown_option
@click.option(
    "--plot",
    type=Path,
    metavar="FILE",
    help="Draw a .png, .svg or .pdf too; needs the extra charrnn[plots].",
)
@json_option
def command(
    corpus: str,
    cells: str | None,
    hidden: int,
    layers: int,
    updates: int,
    runs: tuple[str, ...],
    seq: int,
    batch: int,
    seed: int,
    encoding: str | None,
    unknown: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    picture = Picture(plot) if plot else None
    names = _cells(cells, bool(runs))
    if updates and not names:
        raise click.UsageError("--train trains the cells of --cells; name some beside --runs.")
    source = kept(corpus_source(corpus))
    configs = [
        TrainConfig(cell=name, hidden=hidden, layers=layers, steps=updates or 1, seed=seed,
                    eval_chars=2000, sample_every=0)
        for name in names
    ]  # fmt: skip
    found: list[Curve] = []
    if configs:
        options = TextOptions(encoding=encoding or "utf-8")
        text = Corpus.read([source], split=Split(1, 0, 0), options=options)
        for config in configs:
            found += _of_cell(text, config, updates, seq, batch)
    for run in runs:
        found += _of_run(run, source, encoding, unknown, seq, batch, seed)
    if as_json:
        sizes = {"text": source.name, "seq": seq, "batch": batch, "seed": seed}
        data = {**sizes, "flows": [plain(c) for c in found]}
        click.echo(json.dumps(data, ensure_ascii=False))
    else:
        print_curves(found, source.name, batch)
    if picture:
        picture.draw_norms([Line(c.label, c.shape, c.updates > 0, c.flow.h) for c in found])


def _cells(given: str | None, with_runs: bool) -> list[str]:
    if given is None:
        return [] if with_runs else _USUAL
    names = list(dict.fromkeys(name.strip() for name in given.split(",")))
    for name in names:
        if name not in NETWORKS:
            raise ConfigError(f"There is no cell '{name}'; there are: {', '.join(NETWORKS)}.")
    return names


def _of_cell(
    text: Corpus, config: TrainConfig, updates: int, seq: int, batch: int
) -> Iterator[Curve]:
    """A fresh network, and the same after some training."""
    read = windows(text.train, seq, batch)
    trainer = NetworkTrainer(text, config)
    model = trainer.model
    assert isinstance(model, CharRNN)
    yield Curve(model.config, gradient_flow(model, *read), 0)
    if not updates:
        return
    name = f"Training {config.cell} {config.layers}x{config.hidden}"
    with click.progressbar(length=updates, label=name, width=0, file=sys.stderr) as bar:
        for event in trainer.events():
            if isinstance(event, Stepped):
                bar.update(1)
    yield Curve(model.config, gradient_flow(model, *read), updates)


def _of_run(
    run: str, source: Source, encoding: str | None, unknown: str, seq: int, batch: int, seed: int
) -> Iterator[Curve]:
    """A fresh network of the shape of a run's, and the run's."""
    path, found = open_checkpoint(run)
    model = found.model
    if not isinstance(model, CharRNN):
        raise CheckpointError(
            f"{path} holds no network that predicts text; gradflow looks into these alone."
        )
    ids, _ = encode_source(found, source, encoding, unknown)
    read = windows(ids, seq, batch)
    fresh = CharRNN.initialised(model.config, np.random.default_rng(seed))
    updates = found.meta.get("position", {}).get("step", 0)
    yield Curve(model.config, gradient_flow(fresh, *read), 0)
    yield Curve(model.config, gradient_flow(model, *read), updates, str(path))
