"""Numbers on the command line: ASCII digits only, within reason."""

from __future__ import annotations

import re
from typing import Any

import click

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,300}\.?[0-9]{0,300}|\.[0-9]{1,300})([eE][+-]?[0-9]{1,4})?")


class Whole(click.ParamType):  # type: ignore[type-arg]
    """A whole number from `min` to `max`. (Python's int also accepts `1_0` and digits of other
    scripts.)
    """

    name = "integer"

    def __init__(self, min: int | None = None, max: int | None = 10**9) -> None:  # noqa: A002
        self.min, self.max = min, max

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a usage error if the value is none or out of range."""
        if isinstance(value, str) and not _WHOLE.fullmatch(value):
            self.fail(f"{value[:40]!r} is not a valid integer.", param, ctx)
        number = int(value)
        if self.min is not None and number < self.min:
            self.fail(f"{number} is not in the range x>={self.min}.", param, ctx)
        if self.max is not None and number > self.max:
            self.fail(f"{number} is not in the range x<={self.max}.", param, ctx)
        return number


class Number(click.ParamType):  # type: ignore[type-arg]
    """A finite number, whose range the option checks."""

    name = "float"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; a usage error if the value is none."""
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            self.fail(f"{value[:40]!r} is not a valid float.", param, ctx)
        return float(value)
