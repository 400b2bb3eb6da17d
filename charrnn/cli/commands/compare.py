"""`charrnn compare`: train several models on one text and rank them in a table."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import json_option
from charrnn.cli.numbers import Whole
from charrnn.cli.options import GroupedCommand, GroupedOption, record_options
from charrnn.cli.signals import signals
from charrnn.cli.texts import corpus_source, rereadable
from charrnn.cli.training_options import config_file_option, given_options
from charrnn.cli.views.comparison_progress import comparison_reporter
from charrnn.cli.views.comparison_table import learning, print_standings, to_json, write_csv
from charrnn.cli.views.display import echo_err, print_words, units
from charrnn.compare.comparison import Comparison
from charrnn.compare.plan import Plan
from charrnn.compare.pool import WorkerPool, kill, worker_pool
from charrnn.compare.results import ModelSummary, rank
from charrnn.compare.trained_runs import measure_runs
from charrnn.errors import ConfigError
from charrnn.language.evaluate import Loss
from charrnn.models import NGram
from charrnn.plots.picture import Picture
from charrnn.system.paths import path_exists
from charrnn.tasks import LanguageModelConfig, make_config
from charrnn.training.parallel.group import available_cores
from charrnn.training.train import located, named_text

_PARAMS = 130_000
_option = partial(click.option, cls=GroupedOption, group="Comparison")
_output = partial(click.option, cls=GroupedOption, group="Output")
_NOT_COMMON = ("cell", "order", "workers", "sample_every")
_FOR_TRAINED = {"arguments", "on", "encoding", "csv_file", "plot", "quiet", "as_json"}
"""Parameters allowed with --on, which trains nothing."""


@click.command(
    "compare",
    cls=GroupedCommand,
    help="Train several models on the same text (files, `-`, or names from `charrnn corpora`) "
    "with the same split, options and budget, with several seeds each. Then rank them by their "
    "loss on the test part, and test whether the differences are significant. Give at most one "
    "budget: --epochs, --steps or --minutes.\n\n"
    "The runs are saved in a folder and can be used like any other runs. After an interruption, "
    "the same command continues with the missing runs; more --cells or --seeds add runs.\n\n"
    "With --on, the arguments are trained runs, or folders of runs; they are only tested.",
    epilog="""\b
Examples:
  charrnn compare elizabethan --params 20000 --seeds 2 --minutes 1
  charrnn compare elizabethan --cells gru,lstm --hidden 32 --seeds 1 --steps 60 --csv runs.csv
  charrnn compare checkpoints/compare-elizabethan --on corpora/elizabethan.txt
  charrnn compare quatrains --cells rnn --hidden 16 --layers 1 --steps 20 --ngram 1,4 --json""",
)
@click.argument("arguments", nargs=-1, required=True, metavar="CORPUS... | RUN...")
@_option("--cells", default="rnn,gru,lstm", show_default=True, metavar="NAMES",
         help="Cells, separated by commas.")  # fmt: skip
@_option(
    "--params",
    type=Whole(1),
    metavar="N",
    help="Approximate parameters of each network; determines its hidden size.  "
    f"[default: {_PARAMS}]",
)
@_option("--hidden", type=Whole(), help="Hidden size of all networks, instead of --params.")
@_option("--seeds", type=Whole(1, 1000), default=3, show_default=True,
         help="Runs per cell, with the seeds --seed, --seed + 1 and so on.")  # fmt: skip
@_option(
    "--ngram",
    default="1,3,5,7",
    show_default=True,
    metavar="ORDERS",
    help="Orders of n-gram models to include, or none. Order 1 knows only how often each "
    "character occurs (order-0 entropy).",
)
@record_options(LanguageModelConfig, without=("hidden", *_NOT_COMMON))
@config_file_option
@click.option(
    "--workers", type=Whole(1), cls=GroupedOption, group="Optimizer",
    help="Simultaneous runs, on one core each.  [default: one per core; 1 with --minutes]",
)  # fmt: skip
@_output(
    "--out", type=Path, help="Folder for the runs.  [default: checkpoints/compare-TEXT, -2, -3 ...]"
)
@_option("--on", metavar="TEXT", help="Test trained runs on this text.")
@_output("--csv", "csv_file", type=Path, metavar="FILE", help="Write a table with a line per run.")
@_output(
    "--plot",
    type=Path,
    metavar="FILE",
    help="Draw learning curves to a .png, .svg or .pdf file; needs the extra charrnn[plots].",
)
@_output("--quiet", is_flag=True, help="Show no progress.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    arguments: tuple[str, ...],
    on: str | None,
    csv_file: Path | None,
    plot: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    with worker_pool() as workers:
        if workers is None:
            return 0
        picture = Picture(plot) if plot else None
        for file in filter(None, (csv_file, plot)):
            if not file.parent.is_dir():
                raise ConfigError(f"There is no folder {file.parent} to write {file.name} to.")
        if on is not None:
            _refuse_training(ctx)
            given = ctx.get_parameter_source("encoding") != ParameterSource.DEFAULT
            encoding = options["encoding"] if given else None
            summaries, code = _trained(arguments, on, encoding, quiet), 0
            data = {"text": on}
        else:
            comparison = _comparison(ctx, arguments, options)
            summaries, code = _run(comparison, workers, options["workers"], quiet)
            data = {"text": comparison.corpus.name, "folder": str(comparison.folder)}
        if code:
            return code
        if as_json:
            click.echo(json_text(data | to_json(summaries)))
        else:
            print_standings(summaries)
            if on is None and not quiet:
                _suggest_next(summaries)
        if csv_file:
            write_csv(summaries, csv_file)
        if picture:
            picture.draw_learning(learning(summaries))
        return 0


def _trained(
    arguments: tuple[str, ...], on: str, encoding: str | None, quiet: bool
) -> list[ModelSummary]:
    """Trained runs, ranked by their loss on a text."""

    def show(path: Path, loss: Loss) -> None:
        if not quiet:
            echo_err(f"{path}: {units(loss)}")

    source = rereadable(corpus_source(on))
    measured = measure_runs(map(Path, arguments), source, encoding, show)
    if count := measured.trained_on_text:
        echo_err(f"{count} of these runs were trained on this very text, {source.name}.")
    if measured.unknown:
        counts = ", ".join(f"{path} {count:,}" for path, count in measured.unknown.items())
        echo_err(f"Symbols read as the unknown symbol, which makes the loss too low: {counts}.")
    if measured.repeated:
        echo_err(f"Skipped {_repetitions(measured.repeated)} another run's seed and options.")
    return measured.summaries


def _repetitions(count: int) -> str:
    return "1 run that repeats" if count == 1 else f"{count} runs that repeat"


def _comparison(
    ctx: click.Context, arguments: tuple[str, ...], options: dict[str, Any]
) -> Comparison:
    """The comparison that the command line describes."""
    if folder := next((a for a in arguments if path_exists(Path(a)) and Path(a).is_dir()), None):
        raise click.UsageError(f"{folder} is a folder; to compare trained runs, add --on TEXT.")
    compare_options = {"cells", "params", "seeds", "ngram", "workers", "out", "config_file"}
    training_options = {k: v for k, v in options.items() if k not in compare_options}
    given = given_options(ctx, training_options, options["config_file"])
    origin = str(options["config_file"] or "")
    if unused := sorted(set(given) & {"task", *_NOT_COMMON}):
        raise ConfigError(f"{origin}: compare does not take {', '.join(unused)} from a file.")
    if "hidden" in given and options["params"]:
        raise ConfigError("Give --params or --hidden, not both; one follows from the other.")
    params = None if "hidden" in given else options["params"] or _PARAMS
    config = make_config(given, origin)
    assert isinstance(config, LanguageModelConfig)
    cells = _names(options["cells"])
    if NGram.kind in cells:
        raise ConfigError(f"{NGram.kind} is not a recurrent cell; use --ngram ORDERS.")
    plan = Plan(
        located(config, corpus_source), cells, options["seeds"],
        _orders(options["ngram"]), params,
    )  # fmt: skip
    text = named_text(arguments, config, corpus_source)
    valid, test = (source and rereadable(source) for source in (text.valid, text.test))
    text = replace(text, sources=tuple(map(rereadable, text.sources)), valid=valid, test=test)
    return Comparison(plan, text, options["out"])


def _suggest_next(summaries: list[ModelSummary]) -> None:
    """Suggest commands that use the compared runs."""
    ranked = [s for s in summaries if s.results]
    networks = [s for s in ranked if s.config.cell != NGram.kind]
    if len(networks) > 1 and ranked[0] is not networks[0]:
        print_words("Add --ngram none to test only the networks; nothing is trained again.")
    if ranked:
        best = min(ranked[0].results, key=lambda r: r.loss.nats_per_char)
        echo_err(f"Sample from the best model: charrnn sample {shlex.quote(str(best.run.path))}")


def _names(value: str) -> tuple[str, ...]:
    return tuple(name for part in value.split(",") if (name := part.strip()))


def _orders(value: str) -> tuple[int, ...]:
    names = () if value == "none" else _names(value)
    if not all(name.isdecimal() for name in names):
        raise ConfigError(f"--ngram is '{value}'; it must be orders such as 1,3,5, or none.")
    return tuple(map(int, names))


def _run(
    comparison: Comparison, workers: WorkerPool, requested: int | None, quiet: bool
) -> tuple[list[ModelSummary], int]:
    """Do the pending runs; returns the ranked models and the exit code, nonzero after a signal."""
    timed = "minutes" in comparison.config.budgets
    count = workers.ranks or requested or (1 if timed else len(available_cores()))
    count = max(1, min(count, len(comparison.pending)))
    received: list[int] = []
    with comparison.locked(), comparison_reporter(comparison, count, quiet=quiet) as reporter:
        if comparison.pending:
            executor = workers.start(count)
            with signals(comparison.stop, received, kill):
                for finished in comparison.events(executor):
                    reporter.show(finished)
    if comparison.pending and received:
        done, total = len(comparison.results), len(comparison.trials)
        command_line = shlex.join(["charrnn", *sys.argv[1:]])
        echo_err(f"Stopped with {done} of {total} runs done; continue with: {command_line}")
        return [], 128 + received[0]
    return rank(comparison.summaries()), 0


def _refuse_training(ctx: click.Context) -> None:
    """Raise UsageError for training options, which have no meaning for trained runs."""
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if name not in _FOR_TRAINED and source != ParameterSource.DEFAULT:
            option = "config" if name == "config_file" else name.replace("_", "-")
            raise click.UsageError(f"--on trains nothing; leave out --{option}.")
