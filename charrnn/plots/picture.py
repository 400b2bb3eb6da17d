"""Charts in image files, drawn with matplotlib (extra `charrnn[plots]`)."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from charrnn.errors import CharRNNError, ConfigError, os_reason
from charrnn.nn.params import Array


class Line(NamedTuple):
    """Gradient norms `(T,)`: dashed before training, solid after; one colour per group."""

    label: str
    group: str
    trained: bool
    norms: Array


class Learning(NamedTuple):
    """A learning curve; one colour per model."""

    model: str
    chars: Sequence[float]
    seconds: Sequence[float]
    nats: Sequence[float]
    """Validation loss, in nats per character, at each of these points."""
    counted: bool = False
    """Whether the model is an n-gram, trained in one step: drawn as a horizontal line."""


class Picture:
    """An image file.

    Create it before a long computation: it raises ConfigError at once if matplotlib is missing or
    the file extension is not supported.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._context: Any = importlib.import_module("matplotlib").rc_context
            figure: Any = importlib.import_module("matplotlib.figure").Figure
        except ImportError:
            raise ConfigError("Pictures need an extra: pip install 'charrnn[plots]'.") from None
        self.path = path
        self._figure = figure(figsize=(8, 4.5), layout="constrained")
        extensions = self._figure.canvas.get_supported_filetypes()
        if path.suffix[1:].lower() not in extensions:
            raise ConfigError(f"'{path}' has no supported extension; use .png, .svg or .pdf.")

    def draw_norms(self, lines: Sequence[Line]) -> None:
        """Plot norms against k = 0 .. T-1 on a logarithmic axis. Omits zeros and infinities."""
        axes = self._figure.add_subplot()
        groups = list(dict.fromkeys(line.group for line in lines))
        for line in lines:
            shown = np.where(np.isfinite(line.norms) & (line.norms > 0), line.norms, np.nan)
            axes.semilogy(
                shown, f"C{groups.index(line.group)}", label=line.label.replace("$", r"\$"),
                linestyle="solid" if line.trained else "dashed",
            )  # fmt: skip
        axes.set_xlabel("k, steps back from the last prediction")
        axes.set_ylabel("norm of dLoss(T)/dh(T-k)")
        axes.grid(alpha=0.3)
        axes.legend()
        self._save()

    def draw_learning(self, curves: Sequence[Learning]) -> None:
        """Plot validation losses against characters trained on, and against seconds."""
        models = list(dict.fromkeys(curve.model for curve in curves))
        panels = self._figure.subplots(1, 2, sharey=True)
        for axes, panel in zip(
            panels, ("thousand characters trained on", "seconds of training"), strict=True
        ):
            for n, model in enumerate(models):
                label = model.replace("$", r"\$")
                for curve in (c for c in curves if c.model == model):
                    if curve.counted:
                        axes.axhline(curve.nats[-1], color=f"C{n}", linestyle="dotted", label=label)
                    else:
                        x = np.divide(curve.chars, 1000) if axes is panels[0] else curve.seconds
                        axes.plot(x, curve.nats, f"C{n}.-", label=label, linewidth=1, markersize=3)
                    label = "_"  # one legend entry per model
            axes.set_xlabel(panel)
            axes.set_xlim(left=0)
            axes.grid(alpha=0.3)
        panels[0].set_ylabel("validation loss, nats per character")
        self._figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
        self._save()

    def _save(self) -> None:
        try:
            with warnings.catch_warnings(), self._context({"svg.fonttype": "none"}):
                warnings.simplefilter("ignore")  # characters missing in the font are drawn as boxes
                self._figure.savefig(self.path, dpi=150)
        except OSError as error:
            raise CharRNNError(f"Cannot write {self.path}: {os_reason(error)}.") from None
