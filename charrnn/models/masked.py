"""The network that fills gaps: layers that read both ways, and a softmax at each hidden symbol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from charrnn.errors import ConfigError
from charrnn.models.network import Network, NetworkConfig, recurrent_layers
from charrnn.nn.cells import CELLS
from charrnn.nn.functional import cross_entropy, log_softmax
from charrnn.nn.layers import Dense, Sequential
from charrnn.nn.layers.base import Backward
from charrnn.nn.params import Array, Ids, Params, Spec, State, prefixed


class MaskedLanguageModel(Network[NetworkConfig]):
    """Restores hidden symbols from all that stands before and after them.

    It reads V + 1 symbols, the last of which, number V, stands for a hidden one, through layers of
    two networks each, one reading forwards and one backwards (Schuster and Paliwal 1997); at every
    hidden place p = softmax(h V + c) over the V symbols that there are. Such a task, on words, is a
    cloze (Taylor 1953); BERT (Devlin et al. 2019) learns from it.

    Its config is that of a network; `hidden` is the width of each of the two directions.
    """

    kind: ClassVar[str] = "filler"
    task: ClassVar[str] = "fill"
    purpose: ClassVar[str] = "fills gaps"
    command: ClassVar[str] = "fill"

    def __init__(self, config: NetworkConfig, params: Params) -> None:
        super().__init__(config, params)
        self.stack = _stack(config)
        self.output = Dense(self.stack.width, config.vocab_size)

    @staticmethod
    def specs(config: NetworkConfig) -> Iterator[Spec]:
        """The parameters of such a network."""
        stack = _stack(config)
        yield from stack.specs()
        yield from prefixed("out", Dense(stack.width, config.vocab_size).specs())

    @property
    def mask_id(self) -> int:
        """The number that stands for a hidden symbol: V."""
        return self.config.vocab_size

    @staticmethod
    def name_of(config: NetworkConfig) -> str:
        return f"fill {config.cell} {config.layers}x{config.hidden}"

    def initial_state(self, batch: int) -> State:
        """Nothing: every text is read from its own two ends."""
        return ()

    def predict(self, ids: Ids) -> Array:
        """Log P(symbol) at every hidden place of ids `(T, B)`: `(M, V)`, stream by stream and
        within a stream step by step, each from all of its stream that is not hidden.
        """
        y, _, _ = self.stack.forward(self.params, ids, self._start(ids))
        logits, _ = self._logits(y[self._hidden(ids)])
        return log_softmax(logits)

    def gradient(
        self,
        inputs: Ids,
        targets: Ids,
        state: State,
        grads: Params,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, State]:
        """Add the gradient of the mean cross-entropy at the hidden places of inputs `(T, B)`.

        There are M of them in every stream; targets `(M, B)` are what stands there, step by step.
        Returns that loss, in nats per hidden symbol.
        """
        hidden = self._hidden(inputs)
        y, after, back_stack = self.stack.forward(self.params, inputs, self._start(inputs), rng)
        logits, back_output = self._logits(y[hidden])
        loss, dlogits = cross_entropy(logits, targets.T.ravel())
        dhidden, _ = back_output(grads.scope("out"), dlogits[None], ())
        assert dhidden is not None
        dy = np.zeros_like(y)
        dy[hidden] = dhidden[0]
        back_stack(grads, dy, tuple(np.zeros_like(s) for s in after))
        return loss, state

    def _hidden(self, ids: Ids) -> tuple[Ids, Ids]:
        """Steps and streams of what is hidden, stream by stream."""
        stream, step = np.nonzero((ids == self.mask_id).T)
        return step, stream

    def _logits(self, y: Array) -> tuple[Array, Backward]:
        """Logits of `(M, 2 H)`."""
        logits, _, backward = self.output.forward(self.params.scope("out"), y[None], ())
        return logits[0], backward

    def _start(self, ids: Ids) -> State:
        return self.stack.initial_state(ids.shape[1], self.params.flat.dtype)


def _stack(config: NetworkConfig) -> Sequential:
    """The layers: in each a network that reads forwards and one that reads backwards."""
    if config.cell not in CELLS:
        raise ConfigError(
            f"There is no cell '{config.cell}' that reads both ways; there are: {', '.join(CELLS)}."
        )
    cell, vocab_size = CELLS[config.cell], config.vocab_size + 1
    return Sequential(recurrent_layers(config, cell, config.layers, vocab_size, both_ways=True))
