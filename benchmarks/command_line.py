"""Command-line options that several benchmarks share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.shapes import CELL_NAMES, Shape

ROWS = ("1x100,1,25", "2x128,50,50", "2x256,50,50", "2x512,50,50", "1x512,100,100")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class ShapeType(click.ParamType):
    """`LAYERSxHIDDEN,BATCH,SEQ`."""

    name = "row"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shape:
        """Parse a shape; bad usage if the value is not one."""
        if isinstance(value, Shape):
            return value
        try:
            return Shape.parse(value)
        except ValueError:
            self.fail(f"'{value}' is no row; write one such as 2x128,50,50.", param, ctx)


class Numbers(click.ParamType):
    """Positive numbers, separated by commas."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse the numbers; bad usage if the value is not such a list."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            found = ()
        if not found or min(found) < 1:
            self.fail(f"'{value}' is no list such as 1,2.", param, ctx)
        return found


def toy_option(**defaults: Any) -> Decorator:
    """`--toy`: use these values as defaults. Explicit options take precedence."""

    def choose(ctx: click.Context, param: click.Parameter, toy: bool) -> None:
        if toy:
            ctx.default_map = defaults

    return click.option(
        "--toy",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=choose,
        help="Use tiny sizes, to check in a few seconds that it runs.",
    )


def json_option() -> Decorator:
    """`--json`: the file for the raw measurements."""
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--json", "json_file", type=path, help="File for the raw measurements.")


def rounds_option(default: int) -> Decorator:
    """`--rounds`: how often everything is measured."""
    return click.option(
        "--rounds", type=click.IntRange(min=1), default=default, show_default=True, help="Rounds."
    )


def seconds_option(default: float = 3.0) -> Decorator:
    """`--seconds`: how long each measurement takes."""
    return click.option(
        "--seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=default,
        show_default=True,
        help="Seconds of measured steps in each process, after warm-up.",
    )


def threads_option() -> Decorator:
    """`--threads`: the numbers of threads to try."""
    return click.option(
        "--threads",
        type=Numbers(),
        default="1,2",
        show_default=True,
        help="Numbers of threads to try; a single one is used without trials.",
    )


def workers_option() -> Decorator:
    """`--workers`: the numbers of workers to try for charrnn."""
    return click.option(
        "--workers",
        type=Numbers(),
        default="1,2",
        show_default=True,
        help="Numbers of workers to try for charrnn.",
    )


def trial_option() -> Decorator:
    """`--trial-seconds`: how long each trial of a setting takes."""
    return click.option(
        "--trial-seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        show_default=True,
        help="Seconds of steps in each of the three trials of a setting.",
    )


def variants_option() -> Decorator:
    """`--variants`: whether to try all implementations of a contestant."""
    return click.option(
        "--variants/--no-variants",
        default=True,
        show_default=True,
        help="Try every implementation of a contestant, or only the plain one.",
    )


def row_option() -> Decorator:
    """`--row`: the networks and chunk sizes."""
    return click.option(
        "--row",
        "rows",
        type=ShapeType(),
        multiple=True,
        default=ROWS,
        show_default=True,
        help="LAYERSxHIDDEN,BATCH,SEQ. Repeatable.",
    )


def cell_option() -> Decorator:
    """`--cell`: the cells."""
    return click.option(
        "--cell",
        "cells",
        type=click.Choice(CELL_NAMES),
        multiple=True,
        default=CELL_NAMES,
        show_default=True,
        help="Cell. Repeatable.",
    )
