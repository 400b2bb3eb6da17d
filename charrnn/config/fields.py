"""One option of a record of options: its default, its help, its kind and its range; and files that
hold options.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from charrnn.errors import ConfigError, os_reason


class ByTask:
    """A default that is not the same for every task; None is one that the text decides."""

    def __init__(self, usual: Any, **others: Any) -> None:
        self.usual, self.others = usual, others

    def of(self, task: str) -> Any:
        """The default for a task."""
        return self.others.get(task, self.usual)

    def __str__(self) -> str:
        others = (f", or {value} with --task {task}" for task, value in self.others.items())
        usual = "chosen by the text and the budget" if self.usual is None else self.usual
        return f"{usual}{''.join(others)}"


def option(default: Any, help: str, **more: Any) -> Any:  # noqa: A002
    """A field of a dataclass with what the command line says of it."""
    return field(default=default, metadata={"help": help, **more})


@cache
def kinds_of(record: type) -> dict[str, tuple[type, ...]]:
    """The types that each option may have."""
    hints = get_type_hints(record)
    found = {}
    for f in fields(record):
        hint = hints[f.name]
        plain = (str,) if get_origin(hint) is Literal else get_args(hint) or (hint,)
        found[f.name] = tuple(plain)
    return found


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def check_kind(name: str, value: object, kinds: tuple[type, ...]) -> None:
    """Exact types, but that a whole number will do for a number; and no infinity."""
    good = type(value) in kinds or (float in kinds and type(value) is int)
    if not good or (isinstance(value, float) and not math.isfinite(value)):
        allowed = next(_NAMES[k] for k in kinds if k in _NAMES)
        raise ConfigError(f"{name.replace('_', '-')} is {value!r}; it must be {allowed}.")


def check(name: str, value: object, good: bool, allowed: str) -> None:
    """A ConfigError that says what is allowed, if a value is not good."""
    if not good:
        raise ConfigError(f"{name.replace('_', '-')} is {value}; it must be {allowed}.")


def in_range(value: float, metadata: Mapping[str, Any]) -> bool:
    """Whether a value lies between `min` (excluded with `min_open`) and `max` of the metadata."""
    low, high = metadata.get("min", -math.inf), metadata.get("max", math.inf)
    return bool((low < value if metadata.get("min_open") else low <= value) and value <= high)


def check_ranges(record: Any) -> None:
    """A ConfigError for an option that is infinite, NaN or outside the range in its metadata.

    The default is always valid. A default outside the range switches the option off.
    """
    for f in fields(record):
        value = getattr(record, f.name)
        if value != f.default and not (math.isfinite(value) and in_range(value, f.metadata)):
            allowed = _range_in_words(f) if math.isfinite(value) else "finite"
            check(f.name, f"{value:g}", False, allowed)


def _range_in_words(option: Any) -> str:
    """The range of an option, and its default if that lies outside: `at least 1, or 0`."""
    words: list[str] = []
    metadata, default = option.metadata, option.default
    if "min" in metadata:
        words.append(f"{'above' if metadata.get('min_open') else 'at least'} {metadata['min']:g}")
    if "max" in metadata:
        words.append(f"at most {metadata['max']:g}")
    return " and ".join(words) + ("" if in_range(default, metadata) else f", or {default:g}")


def one_of(name: str, value: object, choices: Any) -> None:
    """A ConfigError that lists the choices, if a value is none of them."""
    if value not in choices:
        raise ConfigError(f"There is no {name} '{value}'; there are: {', '.join(choices)}.")


def read_toml(path: Path) -> dict[str, Any]:
    """The options in a TOML file. A ConfigError if it cannot be read, or is no TOML."""
    # Imported only here: it takes several milliseconds, and most commands read no TOML.
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        options: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {os_reason(error)}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None
    return options
