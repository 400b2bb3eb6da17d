"""Command-line options made from dataclasses whose fields are declared with `fields.option`.

The name of a field becomes the flag; its help text, choices, metavar and group are those of the
option. Ranges are checked by the dataclass.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Container
from dataclasses import Field, fields
from typing import Any

import click

from charrnn.cli.numbers import Number, Whole
from charrnn.config.fields import Options

OTHER = "Other options"
GROUPS = ("Comparison", "Text", "Network", "Budget", "Optimizer", "Evaluation", "Output", OTHER)
"""The headings of the help, in their order."""
Fields = dict[type[Options], "Field[Any]"]


class GroupedOption(click.Option):
    """An option that stands under the heading `group` in the help."""

    def __init__(self, *args: Any, group: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help lists each group of options under its heading."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups, see `GROUPS`."""
        records: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                records[getattr(parameter, "group", OTHER)].append(record)
        for group, lines in records.items():
            if lines:
                with formatter.section(group):
                    formatter.write_dl(lines)


def record_options(*records: type[Options], without: Container[str] = ()) -> Callable[[Any], Any]:
    """Add one option for every field of these dataclasses except those in `without`.

    A field that several have is one option. Its help says where the others differ from the first,
    and which have it if not all do. An option that is not given has the default of the first.
    """
    variants: dict[str, Fields] = {}
    for record in records:
        for f in fields(record):
            if f.name not in without:
                variants.setdefault(f.name, {})[record] = f

    def decorate(function: Any) -> Any:
        for name, by_record in reversed(variants.items()):
            function = _option(name, by_record, len(by_record) == len(records))(function)
        return function

    return decorate


def _option(name: str, by_record: Fields, shared: bool) -> Callable[[Any], Any]:
    record, f = next(iter(by_record.items()))
    hint = typing.get_type_hints(record)[name]
    kind = next(t for t in (*typing.get_args(hint), hint) if t is not type(None))
    metadata = f.metadata
    default = metadata.get("command_default", f.default)
    types = {int: Whole(max=None), float: Number()}
    flag, settings = name.replace("_", "-"), {"type": types.get(kind, kind)}
    if choices := metadata.get("choices"):
        settings["type"] = click.Choice(list(choices))
    if kind is bool:
        settings = {"is_flag": True}
        flag += f"/--no-{flag}" * default
    if "metavar" in metadata:
        settings["metavar"] = metadata["metavar"]
    text = metadata["help"]
    if not shared:
        text += f" Only with {' or '.join(r.variant for r in by_record)}."
    for r, other in by_record.items():
        if other.metadata["help"] != metadata["help"]:
            text += f" With {r.variant}: {other.metadata['help']}"
    if shown := _defaults({r.variant: r.default_text(other) for r, other in by_record.items()}):
        text += f"  [default: {shown}]"
    return click.option(
        f"--{flag}", name, default=default, cls=GroupedOption,
        group=metadata.get("group", OTHER),
        help=text, **settings,
    )  # fmt: skip


def _defaults(by_variant: dict[str, str]) -> str:
    """The default of the first variant, then those of variants that differ."""
    (_, first), *others = by_variant.items()
    grouped: dict[str, list[str]] = {}
    for variant, default in others:
        if default != first:
            grouped.setdefault(default, []).append(variant)
    texts = [f"{default} with {' or '.join(names)}" for default, names in grouped.items()]
    return "; ".join([first or "none", *texts] if texts else [first] if first else [])
