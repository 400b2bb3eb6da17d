"""What `charrnn gradflow` found, as tables, a plot in the terminal, and plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from charrnn.cli.views.display import finite, print_drawing, print_table, print_words
from charrnn.cli.views.log_plot import LETTERS, log_plot
from charrnn.diagnostics.gradient_norms import GradientNorms
from charrnn.models import NetworkConfig

_WHY = (
    "The norm is over the units of all layers, then the root mean square over the windows. Where "
    "it has vanished, training cannot teach a network to use what it read that long ago."
)


@dataclass(frozen=True)
class Curve:
    """One network, measured."""

    config: NetworkConfig
    flow: GradientNorms
    updates: int
    """Of its training; 0 for a fresh one."""
    run: str | None = None
    """The checkpoint it is from."""

    @property
    def shape(self) -> str:
        """The network, in words."""
        return f"{self.config.cell} {self.config.layers}x{self.config.hidden}"

    @property
    def label(self) -> str:
        """The network, how long it was trained, and where it is from."""
        trained = f", {self.updates:,} updates" if self.updates else ""
        return self.shape + trained + (f" ({Path(self.run).parent.name})" if self.run else "")


def print_curves(curves: Sequence[Curve], text: str, batch: int) -> None:
    """When each comes to a thousandth, the norms at round k, and the plot, to standard output."""
    seq = len(curves[0].flow.h)
    print_words(f"{text}: {batch} windows of {seq} characters.")
    letters = [LETTERS[n % len(LETTERS)] for n in range(len(curves))]
    rows = [(x, c.label, _reach(c.flow)) for x, c in zip(letters, curves, strict=True)]
    print_table(("", "network", "a thousandth is left"), rows)
    click.echo()
    console = Console()
    per_table = max(1, (console.width - 4) // 9) if console.is_terminal else len(curves)
    for first in range(0, len(curves), per_table):
        part = slice(first, first + per_table)
        columns = ("k", *letters[part])
        lines = [(str(k), *(f"{c.flow.h[k]:.1e}" for c in curves[part])) for k in _distances(seq)]
        print_table(columns, lines, right=columns)
        click.echo()
    title = "norm of dLoss(T)/dh(T-k)"
    print_drawing(log_plot([c.flow.h for c in curves], title, "k, steps back"))
    print_words(_WHY)


def _reach(flow: GradientNorms) -> str:
    """Where a curve comes to a thousandth, in words, or how much it has come to at its end."""
    if flow.exploded and not (flow.vanished and flow.vanished < flow.exploded):
        return f"never: 1000 times as much after {flow.exploded}, exploding"
    if flow.vanished:
        return f"after {flow.vanished}"
    last, left = len(flow.h) - 1, flow.h[-1] / flow.h[0]
    return f"not within {last}: {left:.2g} " + ("times as much, growing" if left > 1 else "is left")


def _distances(seq: int) -> list[int]:
    """0, 1, 2, 5, 10, 20, 50 ... and the last."""
    round_ones = [m * 10**e for e in range(len(str(seq))) for m in (1, 2, 5)]
    return [0, *(k for k in round_ones if k < seq - 1), seq - 1]


def plain(curve: Curve) -> dict[str, Any]:
    """Plain data for JSON."""
    c, flow = curve.config, curve.flow
    norms = {"norm": flow.h, "state_norm": flow.state, "typical_norm": flow.typical}
    return {
        "cell": c.cell,
        "hidden": c.hidden,
        "layers": c.layers,
        "updates": curve.updates,
        "checkpoint": curve.run,
        "vanished_after": flow.vanished,
        "exploded_after": flow.exploded,
        **{name: [finite(v) for v in values] for name, values in norms.items()},
    }
