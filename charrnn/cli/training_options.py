"""The options of training, for every command that trains: those of `TrainConfig`."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from charrnn.cli.options import record_options
from charrnn.cli.texts import corpus_source
from charrnn.config.fields import read_toml
from charrnn.config.train_config import BUDGETS, TrainConfig
from charrnn.tasks import Text

config_file_option = click.option(
    "--config", "config_file", type=Path, metavar="TOML", help="Read options from a file."
)


def config_options(without: Container[str] = (), task: str | None = None) -> Callable[[Any], Any]:
    """One command-line option for every field of TrainConfig but these; with the defaults of all
    tasks, or of this one.
    """
    return record_options(TrainConfig, without, task)


def given_options(
    ctx: click.Context, options: dict[str, Any], config_file: Path | None
) -> dict[str, Any]:
    """The options that somebody gave, on the command line or, after that, in the file."""
    given = {
        n: v for n, v in options.items() if ctx.get_parameter_source(n) != ParameterSource.DEFAULT
    }
    if config_file:
        in_file = {k.replace("-", "_"): v for k, v in read_toml(config_file).items()}
        given = one_budget(in_file, given)
    return given


def one_budget(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """`upper` over `lower`; a budget in `upper` takes the place of any other in `lower`."""
    if any(upper.get(b) is not None for b in BUDGETS):
        lower = {k: v for k, v in lower.items() if k not in BUDGETS}
    return {**lower, **upper}


def text_of(corpus: tuple[str, ...], config: TrainConfig) -> Text:
    """The text that is meant by the names on the command line; what is not here is fetched."""
    extra = {n: corpus_source(v) if (v := getattr(config, n)) else None for n in ("valid", "test")}
    return Text(tuple(map(corpus_source, corpus)), config, **extra)


def at_their_places(config: TrainConfig) -> TrainConfig:
    """The same options, with texts named so that they are found from any folder."""
    found: dict[str, Any] = {
        n: corpus_source(v).location for n in ("valid", "test") if (v := getattr(config, n))
    }
    return replace(config, **found)
