"""Sampling with PyTorch, one symbol at a time, with `torch.multinomial`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional

from benchmarks.shapes import Setting, Shape
from benchmarks.step_torch import Network


class CellByCell(torch.nn.Module):
    """The same network made of `LSTMCell`s, which have less overhead per step than `LSTM`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        if shape.cell != "lstm":
            raise ValueError("this loop is written for the LSTM")
        sizes = [shape.symbols, *[shape.hidden] * shape.layers]
        self.cells = torch.nn.ModuleList(torch.nn.LSTMCell(a, b) for a, b in pairwise(sizes))
        self.output = torch.nn.Linear(shape.hidden, shape.symbols)
        self.register_buffer("unit", torch.eye(shape.symbols))

    def forward(self, ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        """Logits `(1, B, V)` of ids `(1, B)`, and the new state."""
        y, after = functional.embedding(ids[0], self.unit), []
        for cell, before in zip(self.cells, state or [None] * len(self.cells), strict=True):
            after.append(cell(y, before))
            y = after[-1][0]
        return self.output(y)[None], after


VARIANTS: dict[str, Callable[[Shape], torch.nn.Module]] = {"": Network, "LSTMCell": CellByCell}
"""Implementations of the network."""


def build(shape: Shape, setting: Setting) -> Callable[[], float]:
    """Sample `shape.batch` streams of `shape.seq` symbols in parallel."""
    torch.set_num_threads(setting.threads)
    torch.manual_seed(1)
    model = VARIANTS[setting.variant](shape).eval()
    first = torch.zeros(shape.batch, dtype=torch.long)

    def step() -> float:
        return float(written(model, first, shape.seq)[-1][0])

    return step


@torch.inference_mode()
def written(model: torch.nn.Module, ids: torch.Tensor, length: int) -> list[Any]:
    """The symbols drawn after ids `(B,)`, as NumPy arrays (a conversion without a copy)."""
    state, drawn = None, []
    for _ in range(length):
        logits, state = model(ids[None], state)
        ids = torch.multinomial(torch.softmax(logits[0], dim=-1), 1)[:, 0]
        drawn.append(ids.numpy())
    return drawn
