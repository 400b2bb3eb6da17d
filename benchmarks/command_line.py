"""The options that several benchmarks have in common."""

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
        """Read it; bad usage if it is something else."""
        if isinstance(value, Shape):
            return value
        try:
            return Shape.parse(value)
        except ValueError:
            self.fail(f"'{value}' is no row; write one such as 2x128,50,50.", param, ctx)


class Numbers(click.ParamType):
    """Positive numbers with commas between them."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read them; bad usage if it is something else."""
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
    """`--toy` puts these in the place of the defaults; options that are given still count."""

    def choose(ctx: click.Context, param: click.Parameter, toy: bool) -> None:
        if toy:
            ctx.default_map = defaults

    return click.option(
        "--toy",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=choose,
        help="Sizes so small that it takes seconds: to see that it runs, not how fast.",
    )


def json_option() -> Decorator:
    """Where the raw figures go."""
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--json", "json_file", type=path, help="Write the raw figures there.")


def rounds_option(default: int) -> Decorator:
    """How often everything is measured."""
    return click.option(
        "--rounds", type=click.IntRange(min=1), default=default, show_default=True, help="Rounds."
    )


def seconds_option(default: float = 3.0) -> Decorator:
    """How long every measurement takes."""
    return click.option(
        "--seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=default,
        show_default=True,
        help="Seconds of steps in each process, after warming up.",
    )


def threads_option() -> Decorator:
    """Which thread numbers every contestant may choose from."""
    return click.option(
        "--threads",
        type=Numbers(),
        default="1,2",
        show_default=True,
        help="Thread numbers to choose from; one alone is used as it is.",
    )


def workers_option() -> Decorator:
    """Which numbers of workers charrnn may choose from."""
    return click.option(
        "--workers",
        type=Numbers(),
        default="1,2",
        show_default=True,
        help="Numbers of workers for charrnn to choose from.",
    )


def trial_option() -> Decorator:
    """How long the choice of a setting takes."""
    return click.option(
        "--trial-seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        show_default=True,
        help="Seconds of steps in each of three trials of a setting.",
    )


def variants_option() -> Decorator:
    """Whether the way a contestant is written is up for choice too."""
    return click.option(
        "--variants/--no-variants",
        default=True,
        show_default=True,
        help="Try every way that a contestant is written in, or take the plain one.",
    )


def row_option() -> Decorator:
    """Which networks and chunks."""
    return click.option(
        "--row",
        "rows",
        type=ShapeType(),
        multiple=True,
        default=ROWS,
        show_default=True,
        help="LAYERSxHIDDEN,BATCH,SEQ; may be given several times.",
    )


def cell_option() -> Decorator:
    """Which cells."""
    return click.option(
        "--cell",
        "cells",
        type=click.Choice(CELL_NAMES),
        multiple=True,
        default=CELL_NAMES,
        show_default=True,
        help="May be given several times.",
    )
