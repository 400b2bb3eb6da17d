"""Results as Markdown tables and JSON files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rounds import Spread, versions


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is left-aligned, the others right-aligned."""
    rule = [":--", *["--:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def spread(values: Spread) -> str:
    """A median and its range, such as `52,300 (51,900–53,000)`."""
    return f"{number(values.median)} ({number(values.low)}–{number(values.high)})"


def number(value: float) -> str:
    """Format with three significant digits, or with all digits before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def show(title: str, table: str, notes: str = "") -> None:
    """Print a table and the versions that it was measured with."""
    used = ", ".join(f"{name} {what}" for name, what in versions().items())
    sys.stdout.write(f"### {title}\n\n{table}\n{notes}{' ' * bool(notes)}Measured with {used}.\n\n")


def keep(path: Path | None, name: str, options: dict[str, Any], results: Any) -> None:
    """Write the raw measurements if there is a path. Call it after each row, so that an interrupted
    benchmark keeps its results.
    """
    if path is None:
        return
    record = {"benchmark": name, "versions": versions(), "options": options, "results": results}
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
