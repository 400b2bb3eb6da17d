"""The results of `charrnn gradflow`: tables, a plot in the terminal, and JSON."""

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
    "Norms are over the units of all layers, then the root mean square over the windows. Where the "
    "norm has vanished, training cannot teach the network to use the text that far back."
)


@dataclass(frozen=True)
class Curve:
    """The gradient norms of one network."""

    config: NetworkConfig
    norms: GradientNorms
    updates: int
    """Updates it was trained for; 0 for a fresh network."""
    run: str | None = None
    """The checkpoint it was loaded from."""

    @property
    def shape(self) -> str:
        """The cell and size of the network: `gru 2x192`."""
        return f"{self.config.cell} {self.config.layers}x{self.config.hidden}"

    @property
    def label(self) -> str:
        """The network, its updates and its run."""
        trained = f", {self.updates:,} updates" if self.updates else ""
        return self.shape + trained + (f" ({Path(self.run).parent.name})" if self.run else "")


def print_curves(curves: Sequence[Curve], text: str, batch: int) -> None:
    """Print where each curve falls to a thousandth, the norms at selected k, and a plot."""
    seq = len(curves[0].norms.h)
    print_words(f"{text}: {batch} windows of {seq} characters.")
    letters = [LETTERS[n % len(LETTERS)] for n in range(len(curves))]
    rows = [(x, c.label, _reach(c.norms)) for x, c in zip(letters, curves, strict=True)]
    print_table(("", "network", "falls to 1/1000"), rows)
    click.echo()
    console = Console()
    per_table = max(1, (console.width - 4) // 9) if console.is_terminal else len(curves)
    for first in range(0, len(curves), per_table):
        part = slice(first, first + per_table)
        columns = ("k", *letters[part])
        lines = [(str(k), *(f"{c.norms.h[k]:.1e}" for c in curves[part])) for k in _distances(seq)]
        print_table(columns, lines, right=columns)
        click.echo()
    title = "norm of dLoss(T)/dh(T-k)"
    print_drawing(log_plot([c.norms.h for c in curves], title, "k, steps back"))
    print_words(_WHY)


def _reach(norms: GradientNorms) -> str:
    """The step at which a curve falls to a thousandth of its start, or what it does instead."""
    if norms.exploded and not (norms.vanished and norms.vanished < norms.exploded):
        return f"no: grows 1000-fold in {norms.exploded} steps"
    if norms.vanished:
        return f"in {norms.vanished} steps"
    last, ratio = len(norms.h) - 1, norms.h[-1] / norms.h[0]
    if ratio > 1:
        return f"no: grows {ratio:.2g}-fold in {last} steps"
    return f"no: {ratio:.2g} of it is left after {last} steps"


def _distances(seq: int) -> list[int]:
    """The k in the table: 0, 1, 2, 5, 10, 20, 50 ... and the last."""
    round_ones = [m * 10**e for e in range(len(str(seq))) for m in (1, 2, 5)]
    return [0, *(k for k in round_ones if k < seq - 1), seq - 1]


def to_json(curve: Curve) -> dict[str, Any]:
    """One curve under its documented keys."""
    c, norms = curve.config, curve.norms
    lists = {"norm": norms.h, "state_norm": norms.state, "typical_norm": norms.typical}
    return {
        "cell": c.cell,
        "hidden": c.hidden,
        "layers": c.layers,
        "updates": curve.updates,
        "checkpoint": curve.run,
        "vanished_after": norms.vanished,
        "exploded_after": norms.exploded,
        **{name: [finite(v) for v in values] for name, values in lists.items()},
    }
