"""Command-line options made from a dataclass whose fields are declared with `fields.option`.

The name of a field becomes the flag; its help text and its default are those of the option. Its
metadata may also hold `choices`, `metavar`, a range (`min`, `max`, `min_open`) and
`command_default`, a default for the command line that differs from the one in Python.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Container, Mapping
from dataclasses import Field, fields
from typing import Any

import click

from charrnn.config.fields import ByTask, in_range


def record_options(
    record: type, without: Container[str] = (), task: str | None = None
) -> Callable[[Any], Any]:
    """Add one option for every field of a dataclass except those in `without`.

    The help shows the defaults of `task`, or of all tasks. An option whose default lies outside its
    range has no default on the command line: its value is then None.
    """

    def decorate(function: Any) -> Any:
        hints = typing.get_type_hints(record)
        for f in reversed(fields(record)):
            if f.name not in without:
                function = _option(f, hints[f.name], task)(function)
        return function

    return decorate


def _option(f: Field[Any], hint: Any, task: str | None) -> Callable[[Any], Any]:
    kind = next(t for t in (*typing.get_args(hint), hint) if t is not type(None))
    settings: dict[str, Any] = {"type": _type(kind, f.metadata)}
    flag, text = f.name.replace("_", "-"), f.metadata["help"]
    default = f.metadata.get("command_default", f.default)
    if kind is bool:
        settings = {"is_flag": True}
        flag += f"/--no-{flag}" * default
    if isinstance(default, ByTask):
        shown = default if task is None else ByTask(default.of(task))
        text, default = f"{text}  [default: {shown}]", None
    elif _has_range(f.metadata) and not in_range(default, f.metadata):
        default = None
    if "metavar" in f.metadata:
        settings["metavar"] = f.metadata["metavar"]
    return click.option(
        f"--{flag}",
        f.name,
        default=default,
        show_default=default is not None and (kind is not bool or default),
        help=text,
        **settings,
    )


def _has_range(metadata: Mapping[str, Any]) -> bool:
    return "min" in metadata or "max" in metadata


def _type(kind: type, metadata: Mapping[str, Any]) -> Any:
    """The click type that parses and checks a value."""
    if choices := metadata.get("choices"):
        return click.Choice(list(choices))
    if not _has_range(metadata):
        return kind
    number_range = click.IntRange if kind is int else click.FloatRange
    low, high = metadata.get("min"), metadata.get("max")
    return number_range(low, high, min_open=metadata.get("min_open", False))
