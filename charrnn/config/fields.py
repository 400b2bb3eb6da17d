"""One field of a record of options: its default, help, type and range; and files of options."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from charrnn.errors import ConfigError, os_reason


@dataclass(frozen=True)
class Range:
    """The numbers that an option may take. `least` and `most` are included, `above` and `below`
    are not.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"between {self.least:g} and {self.most:g}"
        if self.least is not None and self.below is None:
            return f"{self.least:g} or more"
        low = f"above {self.above:g}" if self.least is None else f"at least {self.least:g}"
        if self.most is None and self.below is None:
            return low
        return f"{low} and " + (
            f"at most {self.most:g}" if self.most is not None else f"below {self.below:g}"
        )


POSITIVE, COUNT, NOT_NEGATIVE = Range(above=0), Range(least=1), Range(least=0)
LIMIT = 1e12
"""No number is meant to be larger, whatever its option; a seed may be."""
_MAX_SEED = 2**63


def option(default: Any, help: str, **metadata: Any) -> Any:  # noqa: A002
    """A dataclass field with its help text. `metadata` may hold

    - `range`: a `Range`; `choices`: the values allowed; `metavar`: what the help calls the value
    - `group`: the heading in the help under which the option stands
    - `open`: if the default is None, how a value is chosen
    - `command_default`: the default on the command line, if it differs from the one in Python
    - `networks`, `ngrams`: whether the option applies to networks (default) and n-grams (not)
    """
    return field(default=default, metadata={"help": help, **metadata})


def changed(record: Any, name: str, default: Any, **metadata: Any) -> Any:
    """The field `name` of a record, for a subclass: with another default or other metadata."""
    return field(
        default=default, metadata={**record.__dataclass_fields__[name].metadata, **metadata}
    )


class Options:
    """Base class of frozen dataclasses whose fields are made by `option`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    variant: ClassVar[str] = ""
    """What the help calls this record among others that share options: `--task fill`."""

    def __post_init__(self) -> None:
        """Check types, choices and ranges. A ConfigError names the field."""
        record: Any = type(self)
        types = types_of(record)
        for f in fields(self):
            value = getattr(self, f.name)
            _check_type(f.name, value, types[f.name])
            if value is None:
                continue
            if choices := f.metadata.get("choices"):
                check_choice(f.name.replace("_", " "), value, choices)
            most = _MAX_SEED if f.name == "seed" else LIMIT
            if isinstance(value, int | float) and abs(value) > most:
                raise ConfigError(
                    f"{f.name.replace('_', '-')} is {value:g}; no more than {most:g} makes sense."
                )
            allowed = f.metadata.get("range")
            if allowed and value not in allowed and value != f.default:  # a default may mean "off"
                raise ConfigError(f"{f.name.replace('_', '-')} is {value}; it must be {allowed}.")

    @classmethod
    def default_text(cls, f: Field[Any]) -> str:
        """What the help says of the default of a field; empty to say nothing."""
        default = f.metadata.get("command_default", f.default)
        if isinstance(default, bool):
            return f.name.replace("_", "-") if default else ""
        allowed = f.metadata.get("range")
        if default in (None, "") or (allowed and default not in allowed):
            return str(f.metadata.get("open", ""))
        return str(default)


@cache
def types_of(record: Any) -> dict[str, tuple[type, ...]]:
    """The types that each field may have."""
    hints = get_type_hints(record)
    types = {}
    for f in fields(record):
        hint = hints[f.name]
        union = (str,) if get_origin(hint) is Literal else get_args(hint) or (hint,)
        types[f.name] = tuple(union)
    return types


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _check_type(name: str, value: object, types: tuple[type, ...]) -> None:
    """Accept the types, an int for a float, no bool for a number, and no infinity."""
    good = isinstance(value, (*types, int) if float in types else types)
    if isinstance(value, bool) and bool not in types:
        good = False
    if not good or (isinstance(value, float) and not math.isfinite(value)):
        allowed = next(_TYPE_NAMES[t] for t in types if t in _TYPE_NAMES)
        raise ConfigError(f"{name.replace('_', '-')} is {value!r}; it must be {allowed}.")


def check_choice(name: str, value: object, choices: Iterable[Any]) -> None:
    """Raise a ConfigError that lists the choices if `value` is none of them."""
    if value not in choices:
        raise ConfigError(f"There is no {name} '{value}'; there are: {', '.join(choices)}.")


def flags(names: Iterable[str]) -> str:
    """Option names as they are typed: `--weight-decay, --lr`."""
    return ", ".join("--" + name.replace("_", "-") for name in sorted(names))


def underscored(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same options with `_` in place of `-` in their names."""
    return {name.replace("-", "_"): value for name, value in options.items()}


def read_toml(path: Path) -> dict[str, Any]:
    """The options in a TOML file. A ConfigError if it cannot be read or is not TOML."""
    # TOML takes several milliseconds to import, and most commands read none.
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        return underscored(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {os_reason(error)}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None
