"""Results as people and programs read them: Markdown tables and JSON files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rounds import Spread, versions


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for GitHub, its first column to the left, the others to the right."""
    rule = [":--", *["--:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def spread(values: Spread) -> str:
    """A median and its range, such as `52,300 (51,900–53,000)`."""
    return f"{number(values.median)} ({number(values.low)}–{number(values.high)})"


def number(value: float) -> str:
    """Three digits that count, or all those before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def show(title: str, table: str, notes: str = "") -> None:
    """Print a table with what it was measured on."""
    used = ", ".join(f"{name} {what}" for name, what in versions().items())
    sys.stdout.write(f"### {title}\n\n{table}\n{notes}{' ' * bool(notes)}Measured with {used}.\n\n")


def keep(path: Path | None, name: str, options: dict[str, Any], results: Any) -> None:
    """Write the raw figures, when a file is wanted; called after every row, so that a run that is
    stopped has not been for nothing.
    """
    if path is None:
        return
    record = {"benchmark": name, "versions": versions(), "options": options, "results": results}
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
