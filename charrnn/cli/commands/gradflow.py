"""`charrnn gradflow`: how far back in the text the gradient of a prediction reaches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import encoding_option, json_option, open_models, unknown_option
from charrnn.cli.numbers import Whole
from charrnn.cli.texts import corpus_source, rereadable
from charrnn.cli.views.gradient_norms import Curve, print_curves, to_json
from charrnn.data.corpus import Corpus
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import Split
from charrnn.diagnostics.gradient_norms import gradient_flow, windows
from charrnn.errors import CheckpointError, ConfigError
from charrnn.models import LANGUAGE_MODEL_CELLS, CharRNN
from charrnn.plots.picture import Line, Picture
from charrnn.runs.reading import encode_source
from charrnn.tasks import LanguageModelConfig
from charrnn.training.events import Stepped
from charrnn.training.train import make_trainer

_DEFAULT_CELLS: list[str] = ["rnn", "relu", "lstm", "gru"]


@click.command(
    "gradflow",
    help="Show how far back in a text (a file, `-` or the name of a corpus) the gradient of a "
    "prediction reaches: the norm of dLoss(T)/dh(T-k) for every k, where Loss(T) is the "
    "cross-entropy of the last prediction alone. Networks are measured before training and, with "
    "--train or --runs, after it.\n\n"
    "h is the output of the recurrent layers. The gradient with respect to the whole state, which "
    "includes the c of an LSTM, is in the JSON. Norms are over all units and layers, then the root "
    "mean square over windows spread evenly over the text, each read from the start state, in "
    "float64.",
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
    help=f"Cells, separated by commas.  [default: {','.join(_DEFAULT_CELLS)}; none with --runs]",
)
@click.option(
    "--hidden",
    type=Whole(1),
    default=64,
    show_default=True,
    help="Hidden size of these cells.",
)
@click.option(
    "--layers", type=Whole(1, 100), default=1, show_default=True, help="Layers of these cells."
)
@click.option(
    "--train",
    "updates",
    type=Whole(0),
    default=0,
    metavar="STEPS",
    help="Train these cells for STEPS updates as charrnn train does, and measure them again.",
)
@click.option(
    "--runs",
    multiple=True,
    metavar="RUN",
    help="Measure a trained run and an untrained network of its shape; repeatable.",
)
@click.option(
    "--seq",
    type=Whole(2),
    default=100,
    show_default=True,
    help="Characters in a window: k goes from 0 to SEQ - 1.",
)
@click.option("--batch", type=Whole(1), default=100, show_default=True, help="Number of windows.")
@click.option("--seed", type=Whole(0, 2**63), default=1, show_default=True, help="Random seed.")
@encoding_option("the text", "utf-8, or that of the run for a file")
@unknown_option
@click.option(
    "--plot",
    type=Path,
    metavar="FILE",
    help="Also draw a .png, .svg or .pdf; needs the extra charrnn[plots].",
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
        raise click.UsageError(
            "--train does not apply to --runs; add --cells to train new networks."
        )
    source = rereadable(corpus_source(corpus))
    configs = [
        LanguageModelConfig(cell=name, hidden=hidden, layers=layers, steps=updates or 1, seed=seed,
                    eval_chars=2000, sample_every=0)
        for name in names
    ]  # fmt: skip
    curves: list[Curve] = []
    if configs:
        options = TextOptions(encoding=encoding or "utf-8")
        text = Corpus.read([source], split=Split(1, 0, 0), options=options)
        for config in configs:
            curves += _cell_curves(text, config, updates, seq, batch)
    for run in runs:
        curves += _run_curves(run, source, encoding, unknown, seq, batch, seed)
    if as_json:
        sizes = {"text": source.name, "seq": seq, "batch": batch, "seed": seed}
        data = {**sizes, "flows": [to_json(c) for c in curves]}
        click.echo(json_text(data))
    else:
        print_curves(curves, source.name, batch)
    if picture:
        picture.draw_norms([Line(c.label, c.shape, c.updates > 0, c.norms.h) for c in curves])


def _cells(names_option: str | None, with_runs: bool) -> list[str]:
    """The names in `--cells`, or its default."""
    if names_option is None:
        return [] if with_runs else _DEFAULT_CELLS
    names = list(dict.fromkeys(name.strip() for name in names_option.split(",")))
    for name in names:
        if name not in LANGUAGE_MODEL_CELLS:
            raise ConfigError(
                f"There is no cell '{name}'; there are: {', '.join(LANGUAGE_MODEL_CELLS)}."
            )
    return names


def _cell_curves(
    text: Corpus, config: LanguageModelConfig, updates: int, seq: int, batch: int
) -> Iterator[Curve]:
    """The curve of an untrained network and, with `updates`, of the same network after them."""
    ids_and_targets = windows(text.train, seq, batch)
    trainer = make_trainer(text, config)
    model = trainer.model
    assert isinstance(model, CharRNN)
    yield Curve(model.config, gradient_flow(model, *ids_and_targets), 0)
    if not updates:
        return
    name = f"Training {config.cell} {config.layers}x{config.hidden}"
    with click.progressbar(length=updates, label=name, width=0, file=sys.stderr) as bar:
        for event in trainer.events():
            if isinstance(event, Stepped):
                bar.update(1)
    yield Curve(model.config, gradient_flow(model, *ids_and_targets), updates)


def _run_curves(
    run: str, source: Source, encoding: str | None, unknown: str, seq: int, batch: int, seed: int
) -> Iterator[Curve]:
    """The curves of an untrained network of the shape of a run, and of the run."""
    models = open_models(run)
    model = models.model
    if not isinstance(model, CharRNN):
        raise CheckpointError(
            f"{models} is not a recurrent network that predicts the next character; gradflow needs "
            "one."
        )
    ids, _ = encode_source(models.checkpoint, source, encoding, skip_unknown=unknown == "skip")
    ids_and_targets = windows(ids, seq, batch)
    fresh = CharRNN.initialized(model.config, np.random.default_rng(seed))
    updates = models.checkpoint.record.step
    yield Curve(model.config, gradient_flow(fresh, *ids_and_targets), 0)
    yield Curve(model.config, gradient_flow(model, *ids_and_targets), updates, str(models))
