"""The masked language model: bidirectional layers and a softmax at every masked symbol."""

from __future__ import annotations

from typing import ClassVar

from charrnn.errors import ConfigError
from charrnn.models.network import Network, NetworkConfig, recurrent_layers
from charrnn.nn.cells import CELLS
from charrnn.nn.functional import log_softmax
from charrnn.nn.layers import Dense, Layer, MaskedSteps, Sequential, Stateless
from charrnn.nn.params import Array, Ids


class MaskedLanguageModel(Network[NetworkConfig]):
    """Predicts masked symbols from all unmasked symbols before and after them.

    It reads V + 1 symbols; the last, number V, is the mask. Bidirectional recurrent layers
    (Schuster and Paliwal 1997) are followed by p = softmax(h V + c), over the V real symbols, at
    every masked position. On words, the task is known as cloze (Taylor 1953); BERT (Devlin et al.
    2019) is trained on it.

    Every text is read from its two ends, so the state is `()`. Its config is that of a network;
    `hidden` is the number of units per direction.
    """

    kind: ClassVar[str] = "filler"
    task: ClassVar[str] = "fill"
    purpose: ClassVar[str] = "fills gaps"
    command: ClassVar[str] = "fill"

    @staticmethod
    def build(config: NetworkConfig) -> Layer:
        """Bidirectional layers, the selection of the masked positions, and the output `out`."""
        if config.cell not in CELLS:
            raise ConfigError(
                f"There is no bidirectional cell '{config.cell}'; there are: {', '.join(CELLS)}."
            )
        cell, mask_id, size = CELLS[config.cell], config.vocab_size, 2 * config.hidden
        layers = recurrent_layers(config, cell, config.layers, mask_id + 1, bidirectional=True)
        layers["select"] = MaskedSteps(size, mask_id)
        layers["out"] = Dense(size, config.vocab_size)
        return Stateless(Sequential(layers))

    @property
    def mask_id(self) -> int:
        """The token id of the mask: V."""
        return self.config.vocab_size

    @staticmethod
    def name_of(config: NetworkConfig) -> str:
        return f"fill {config.cell} {config.layers}x{config.hidden}"

    def predict(self, ids: Ids) -> Array:
        """Log P(symbol) at the N masked positions of ids `(T, B)`: `(N, V)`, in the order of the
        streams and, within a stream, of time.
        """
        logits, _, _ = self.forward(ids, ())
        return log_softmax(logits[0])

    def loss(self, logits: Array, targets: Ids) -> tuple[float, Array]:
        """The loss of logits `(1, N, V)`. Every stream has M masked positions, N = M B; targets
        `(M, B)` are the symbols there.
        """
        return super().loss(logits, targets.T)
