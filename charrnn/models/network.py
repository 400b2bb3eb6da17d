"""The character-level recurrent language model: a stack of recurrent layers and a softmax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from charrnn.cells import CELLS
from charrnn.errors import ConfigError
from charrnn.functional import cross_entropy, log_softmax
from charrnn.layers import Dense, Dropout, Layer, Recurrent, Stack
from charrnn.params import Array, Ids, Params, Spec, State, prefixed


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network: all that is needed, besides its parameters, to build it."""

    symbols: int
    """Size of the vocabulary, V."""
    cell: str = "lstm"
    hidden: int = 128
    layers: int = 2
    dropout: float = 0.0
    """Share of entries dropped between layers and before the output, in training."""


class CharRNN:
    """A stack of recurrent layers read by a softmax, p = softmax(h V + c).

    Its state is that of the layers followed by y `(B, H)`, the newest output of the top one, so
    that `predict` needs nothing else. At the start y is zero and the prediction softmax(c).
    """

    def __init__(self, config: NetworkConfig, params: Params) -> None:
        self.config = config
        self.params = params
        self.stack = _stack(config)
        self.output = Dense(config.hidden, config.symbols)

    @classmethod
    def initialised(
        cls, config: NetworkConfig, rng: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> CharRNN:
        """A network with fresh random parameters."""
        return cls(config, Params.initialised(_specs(config), rng, dtype))

    @classmethod
    def blank(cls, config: NetworkConfig, dtype: DTypeLike = np.float32) -> CharRNN:
        """A network whose parameters are all zero, to be filled from a checkpoint."""
        return cls(config, Params.blank(_specs(config), dtype))

    @property
    def symbols(self) -> int:
        return self.config.symbols

    @property
    def size(self) -> int:
        """The number of parameters."""
        return self.params.flat.size

    def astype(self, dtype: DTypeLike) -> CharRNN:
        """The same network in another precision."""
        return CharRNN(self.config, self.params.astype(dtype))

    def start(self, batch: int) -> State:
        dtype = self.params.flat.dtype
        return (*self.stack.start(batch, dtype), np.zeros((batch, self.config.hidden), dtype))

    def predict(self, state: State) -> Array:
        logits, _, _ = self.output.forward(self.params.part("out"), state[-1][None], ())
        return np.asarray(log_softmax(logits)[0])

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        y, after, _ = self.stack.forward(self.params, ids, state[:-1])
        logits, _, _ = self.output.forward(self.params.part("out"), y, ())
        return log_softmax(logits), (*after, y[-1].copy())

    def gradient(
        self,
        ids: Ids,
        targets: Ids,
        state: State,
        grads: Params,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, State]:
        """One chunk of truncated BPTT (Williams and Peng 1990).

        Reads ids `(T, B)` from `state`, predicts targets `(T, B)`, and adds the gradient of the
        mean cross-entropy to `grads`. Returns that loss, in nats per symbol, and the new state.
        """
        y, after, back_stack = self.stack.forward(self.params, ids, state[:-1], rng)
        logits, _, back_output = self.output.forward(self.params.part("out"), y, ())
        loss, dlogits = cross_entropy(logits.reshape(-1, self.symbols), targets.ravel())
        dy, _ = back_output(grads.part("out"), dlogits.reshape(logits.shape), ())
        assert dy is not None
        cut_here = tuple(np.zeros_like(s) for s in after)  # nothing flows back from the next chunk
        back_stack(grads, dy, cut_here)
        return loss, (*after, y[-1].copy())


def _stack(config: NetworkConfig) -> Stack:
    if config.cell not in CELLS:
        raise ConfigError(f"There is no cell '{config.cell}'; there are: {', '.join(CELLS)}.")
    layers: dict[str, Layer] = {}
    width = config.symbols
    for n in range(config.layers):
        layers[str(n)] = Recurrent(CELLS[config.cell], width, config.hidden, one_hot=n == 0)
        width = config.hidden
        if config.dropout:
            layers[f"{n}drop"] = Dropout(width, config.dropout)
    return Stack(layers)


def _specs(config: NetworkConfig) -> Iterator[Spec]:
    yield from _stack(config).specs()
    yield from prefixed("out", Dense(config.hidden, config.symbols).specs())
