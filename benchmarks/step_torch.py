"""The same training step in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from benchmarks.shapes import BETAS, CLIP, EPSILON, RATE, Setting, Shape, chunks_of

LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


class Network(torch.nn.Module):
    """Recurrent layers on one-hot symbols and a softmax, as in charrnn."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.recurrent = LAYERS[shape.cell](shape.symbols, shape.hidden, shape.layers)
        self.output = torch.nn.Linear(shape.hidden, shape.symbols)
        # Gathering rows of a unit matrix is the fastest way to make one-hot vectors.
        self.register_buffer("unit", torch.eye(shape.symbols))

    def forward(self, ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        """Logits `(T, B, V)` of ids `(T, B)`, and the new state."""
        y, state = self.recurrent(functional.embedding(ids, self.unit), state)
        return self.output(y), state


def build(shape: Shape, setting: Setting) -> Callable[[], float]:
    """One whole step."""
    torch.set_num_threads(setting.threads)
    torch.manual_seed(1)
    model = Network(shape)
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=BETAS, eps=EPSILON, fused=True)
    chunks = chunks_of(shape)
    state: Any = None

    def step() -> float:
        nonlocal state
        ids, targets = (torch.from_numpy(part) for part in next(chunks))
        optimizer.zero_grad(set_to_none=True)
        logits, after = model(ids, state)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        state = detached(after)
        return float(loss.detach())

    return step


def detached(state: Any) -> Any:
    """The initial state of the next chunk, detached from the graph."""
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
