"""The options of training, for every command that trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from charrnn.cli.options import GroupedOption
from charrnn.config.fields import read_toml
from charrnn.tasks import DEFAULT_TASK, TASKS
from charrnn.training.resume import override

config_file_option = click.option(
    "--config", "config_file", type=Path, metavar="TOML", cls=GroupedOption, group="Output",
    help="Read options from a file.",
)  # fmt: skip
task_option = click.option(
    "--task", type=click.Choice(list(TASKS)), default=DEFAULT_TASK, cls=GroupedOption, group="Text",
    help="What to learn: "
    f"{'; '.join(f'{name}, {task.summary}' for name, task in TASKS.items())}.  "
    f"[default: {DEFAULT_TASK}]",
)  # fmt: skip


def given_options(
    ctx: click.Context, options: dict[str, Any], config_file: Path | None
) -> dict[str, Any]:
    """The options given on the command line or, overridden by these, in the file."""
    given = {
        n: v for n, v in options.items() if ctx.get_parameter_source(n) != ParameterSource.DEFAULT
    }
    return override(read_toml(config_file), given) if config_file else given
