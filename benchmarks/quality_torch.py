"""A PyTorch twin of `charrnn train`: reads a job in JSON, prints a line of JSON per evaluation.

The same recipe with what PyTorch brings: `nn.GRU` and the like with their own first weights,
dropout between layers and before the output, fused Adam on a cosine by the clock, clipping, carried
state.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.shapes import EPSILON
from benchmarks.step_torch import LAYERS, detached
from charrnn.config.resolve import resolve_for_length
from charrnn.config.train_config import TrainConfig
from charrnn.data.batches import Streams
from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.tasks import LanguageModelConfig

BETAS = (0.9, 0.99)


class Network(torch.nn.Module):
    """Recurrent layers with dropout on one-hot symbols, and a softmax."""

    def __init__(self, symbols: int, c: TrainConfig) -> None:
        super().__init__()
        between = c.dropout if (c.layers or 1) > 1 else 0.0
        self.recurrent = LAYERS[c.cell](symbols, c.hidden, c.layers, dropout=between)
        self.dropout = torch.nn.Dropout(c.dropout)
        self.output = torch.nn.Linear(c.hidden, symbols)
        self.register_buffer("unit", torch.eye(symbols))

    def forward(self, ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        """Logits `(T, B, V)` of ids `(T, B)`, and the new state."""
        y, state = self.recurrent(functional.embedding(ids, self.unit), state)
        return self.output(self.dropout(y)), state


def main(job: dict[str, Any]) -> None:
    """Train for a fixed time, which does not include evaluation."""
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["config"]["seed"])
    corpus = Corpus.read([Path(job["text"])], split=Split.parse(job["config"]["split"]))
    c = resolve_for_length(
        LanguageModelConfig(**job["config"], minutes=job["minutes"]), len(corpus.train)
    )
    streams = Streams.of(corpus.train, c.batch, c.seq)
    model = Network(len(corpus.vocabulary), c)
    decay = c.weight_decay or 0.0
    optimizer = torch.optim.AdamW(model.parameters(), c.peak_lr, BETAS, EPSILON, decay, fused=True)
    spent, state, n, budget = 0.0, None, 0, 60 * job["minutes"]
    due = [budget * k / job["points"] for k in range(1, job["points"] + 1)]
    while due:
        started = time.perf_counter()
        if n % streams.chunks == 0:
            state = None
        ids, targets = (
            torch.from_numpy(p.astype(np.int64)) for p in streams.chunk(n % streams.chunks)
        )
        for group in optimizer.param_groups:
            group["lr"] = c.peak_lr * (1 + math.cos(math.pi * min(1.0, spent / budget))) / 2
        logits, after = model(ids, state)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), c.clip)
        optimizer.step()
        state, n = detached(after), n + 1
        spent += time.perf_counter() - started
        if spent >= due[0]:
            nats = evaluate(model, corpus.valid)
            sys.stdout.write(json.dumps({"seconds": spent, "nats": nats, "steps": n}) + "\n")
            sys.stdout.flush()
            due = [d for d in due if d > spent]


def evaluate(model: Network, ids: Any) -> float:
    """Nats per character of a text read from the start state, in one stream."""
    model.eval()
    text = torch.from_numpy(ids.astype(np.int64))[:, None]
    state, total = None, 0.0
    with torch.no_grad():
        for at in range(0, len(text) - 1, 4096):
            read, wanted = text[at : at + 4096], text[at + 1 : at + 4097, 0]
            logits, state = model(read, state)
            found = logits[: len(wanted), 0]
            total += float(functional.cross_entropy(found, wanted, reduction="sum"))
    model.train()
    return total / (len(text) - 1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
