"""`charrnn gradcheck`: compare hand-written gradients with numerical ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from rich.text import Text

from charrnn.cli.foreign import json_text
from charrnn.cli.inputs import json_option
from charrnn.cli.numbers import Whole
from charrnn.cli.views.display import echo_err, finite, print_drawing, print_table, print_words
from charrnn.diagnostics import rtrl
from charrnn.diagnostics.gradcheck import (
    EPS,
    RTRL_TOLERANCE,
    TOLERANCE,
    NumericComparison,
    RtrlComparison,
    check_network,
    check_rtrl,
)
from charrnn.errors import GradientError
from charrnn.models import LANGUAGE_MODEL_CELLS, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.layers import JORDAN

_SYMBOLS = 6
_WHY = (
    "analytic: the derivative of L, a random weighting of all outputs and of the final state, "
    "along a direction d, from the backward pass.",
    f"numeric: central differences, (L(p + eps d) - L(p - eps d)) / (2 eps), eps = {EPS:.0e}; they "
    "need only the forward pass.",
    "Both are in float64, where rounding costs 1e-16 / eps = 1e-11. In float32 it would cost 1e-7 "
    "/ eps = 1e-2, enough to hide a wrong gradient.",
    "0.W is the W of layer 0, x the input, state the initial state.",
)
_WHY_RTRL = (
    "BPTT, RTRL: the norms of the gradient of a text's loss by backpropagation through time and by "
    "real-time recurrent learning, which carries the gradient forward with the state (Williams and "
    "Zipser 1989). error: the norm of their difference, which is rounding alone."
)


@dataclass(frozen=True)
class CellCheck:
    """The results for one cell."""

    cell: str
    layers: dict[str, NumericComparison]
    rtrl: dict[str, RtrlComparison]
    """Empty for a cell that RTRL is not implemented for."""

    @property
    def disagreeing(self) -> list[str]:
        """The gradients that disagree, with their values."""
        return [
            f"{self.cell} {n} ({a.analytic:.6g}, not {a.numeric:.6g})"
            for n, a in self.layers.items()
            if not a.agrees
        ] + [f"{self.cell} {n} (BPTT is not RTRL)" for n, m in self.rtrl.items() if not m.agrees]


@click.command(
    "gradcheck",
    help="Check the hand-written derivatives with respect to each parameter, the input and the "
    "initial state against central differences, in float64; for the Elman network (rnn) also "
    "against real-time recurrent learning. The exit code is 1 if any of them disagrees.",
    epilog="""\b
Examples:
  charrnn gradcheck --cell lstm
  charrnn gradcheck --cell rnn --layers 2 --hidden 5
  charrnn gradcheck --json""",
)
@click.option("--cell", type=click.Choice(list(LANGUAGE_MODEL_CELLS)),
              help="Cell.  [default: all of them]")  # fmt: skip
@click.option("--hidden", type=Whole(1, 256), default=8, show_default=True,
              help="Hidden size.")  # fmt: skip
@click.option("--layers", type=Whole(1, 100), default=1, show_default=True,
              help="Recurrent layers, stacked.")  # fmt: skip
@click.option("--seq", "--steps", type=Whole(1, 10_000), default=12, show_default=True,
              help="Time steps.")  # fmt: skip
@click.option("--batch", type=Whole(1, 10_000), default=3, show_default=True,
              help="Batch size: sequences processed in parallel.")  # fmt: skip
@click.option("--seed", type=Whole(0, 2**63), default=1, show_default=True,
              help="Random seed.")  # fmt: skip
@json_option
def command(
    cell: str | None, hidden: int, layers: int, seq: int, batch: int, seed: int, as_json: bool
) -> None:
    checks = []
    for name in [cell] if cell else (*CELLS, *JORDAN):
        checks.append(_check(NetworkConfig(_SYMBOLS, name, hidden, layers), seq, batch, seed))
        if not as_json:
            _print_cell(checks[-1], f"{name} {layers}x{hidden}, {batch} sequences of {seq} steps")
    wrong = [gradient for check in checks for gradient in check.disagreeing]
    if as_json:
        sizes = {"hidden": hidden, "layers": layers, "seq": seq, "batch": batch, "seed": seed}
        data = {**sizes, "agree": not wrong, "cells": [_to_json(c) for c in checks]}
        click.echo(json_text(data))
    else:
        print_words(*_WHY, *[_WHY_RTRL] * any(c.rtrl for c in checks))
        echo_err("")
    if wrong:
        count = f"{len(wrong)} gradient{'s' * (len(wrong) > 1)} disagree{'s' * (len(wrong) == 1)}"
        raise GradientError(f"{count}: {'; '.join(wrong[:8])}{' ...' * (len(wrong) > 8)}.")
    if not as_json:
        print_drawing(Text(_verdict(checks)))


def _check(config: NetworkConfig, seq: int, batch: int, seed: int) -> CellCheck:
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):  # a wrong gradient may be NaN, which does not agree
        comparisons = check_network(config, seq, batch, rng)
        rtrl_comparisons = check_rtrl(config, seq, batch, rng) if config.cell == rtrl.CELL else {}
    return CellCheck(config.cell, comparisons, rtrl_comparisons)


def _print_cell(check: CellCheck, title: str) -> None:
    click.echo(title)
    rows = [
        (n, f"{a.analytic:#.8g}", f"{a.numeric:#.8g}", f"{a.relative_error:.0e}")
        for n, a in check.layers.items()
    ]
    print_table(("", "analytic", "numeric", "error"), rows, right=("analytic", "numeric", "error"))
    click.echo()
    if check.rtrl:
        rows = [
            (n, f"{m.bptt:#.8g}", f"{m.rtrl:#.8g}", f"{m.relative_error:.0e}")
            for n, m in check.rtrl.items()
        ]
        print_table(("", "BPTT", "RTRL", "error"), rows, right=("BPTT", "RTRL", "error"))
        click.echo()


def _verdict(checks: list[CellCheck]) -> str:
    errors = [a.relative_error for c in checks for a in c.layers.values()]
    verdict = (
        f"All {len(errors)} gradients agree: relative errors up to {max(errors):.0e} "
        f"(allowed: {TOLERANCE:.0e})."
    )
    if rtrl_errors := [m.relative_error for c in checks for m in c.rtrl.values()]:
        verdict += f" RTRL too: up to {max(rtrl_errors):.0e} (allowed: {RTRL_TOLERANCE:.0e})."
    return verdict


def _to_json(check: CellCheck) -> dict[str, Any]:
    """The results for one cell under their documented keys."""
    layers = [
        {"of": n, "analytic": finite(a.analytic), "numeric": finite(a.numeric), **_outcome(a)}
        for n, a in check.layers.items()
    ]
    rtrl_comparisons = [
        {"of": n, "bptt": finite(m.bptt), "rtrl": finite(m.rtrl), **_outcome(m)}
        for n, m in check.rtrl.items()
    ]
    return {"cell": check.cell, "gradients": layers, "rtrl": rtrl_comparisons}


def _outcome(result: NumericComparison | RtrlComparison) -> dict[str, Any]:
    return {"relative_error": finite(result.relative_error), "agree": result.agrees}
