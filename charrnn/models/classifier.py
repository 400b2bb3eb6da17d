"""The classifier: a recurrent network that reads a text to its end and names its class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.data.padding import PAD
from charrnn.errors import ConfigError
from charrnn.models.network import Network, NetworkConfig, recurrent_layers
from charrnn.nn.cells import CELLS
from charrnn.nn.functional import cross_entropy, log_softmax
from charrnn.nn.layers import Dense, LastStep, Sequential
from charrnn.nn.layers.base import Backward, Rng
from charrnn.nn.params import Array, Ids, Params, Spec, State


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(NetworkConfig):
    """The shape of a classifier: all that is needed, besides its parameters, to build it."""

    classes: tuple[str, ...]
    """Their names."""
    bidirectional: bool = False
    """Whether each layer reads the text backwards, too."""
    longest: int = 256
    """Symbols of a text that are read, from its beginning."""
    weights: tuple[float, ...] = ()
    """How much a text of each class counts in the loss; nothing where all count the same."""

    def __post_init__(self) -> None:
        for name in ("classes", "weights"):  # of a checkpoint, where they are lists
            object.__setattr__(self, name, tuple(getattr(self, name)))


class Classifier(Network[ClassifierConfig]):
    """Recurrent layers, and a softmax over the classes, p = softmax(h V + c), at the end alone.

    h is what the top layer says of a text's last symbol; a layer that reads backwards says it of
    the first, where it ends. Texts of a batch, `(T, B)`, are filled up with PAD to the longest;
    that changes nothing, since h is read where each text ends and what reads backwards begins
    there. Nothing is carried from one batch to the next: the state is `()`.
    """

    kind: ClassVar[str] = "classifier"
    task: ClassVar[str] = "classify"
    shape: ClassVar[type[NetworkConfig]] = ClassifierConfig

    def __init__(self, config: ClassifierConfig, params: Params) -> None:
        super().__init__(config, params)
        self.stack = _stack(config)

    @staticmethod
    def specs(config: ClassifierConfig) -> Iterator[Spec]:
        """The parameters of such a network."""
        return _stack(config).specs()

    @property
    def name(self) -> str:
        c = self.config
        return f"{c.cell} {c.layers}x{c.hidden}{' both ways' * c.bidirectional}"

    def initial_state(self, batch: int) -> State:
        return ()

    def classify(self, texts: Ids) -> Array:
        """Log P(class) of each text, `(B, classes)`. Every text has at least one symbol."""
        return log_softmax(self._logits(texts)[0])

    def gradient(
        self, inputs: Ids, targets: Ids, state: State, grads: Params, rng: Rng | None = None
    ) -> tuple[float, State]:
        """Read texts `(T, B)`, whose classes are targets `(B,)`, and add the gradient of the mean
        of -log P(class), each weighted as its class is, to `grads`. Returns that loss, in nats.
        """
        logits, after, backward = self._logits(inputs, rng)
        loss, dlogits = cross_entropy(logits, targets, self.weights(targets))
        backward(grads, dlogits[None], tuple(np.zeros_like(s) for s in after))
        return loss, ()

    def weights(self, labels: Ids) -> Array | None:
        """How much texts of these classes count; None where all count the same."""
        weights = self.config.weights
        return np.array(weights, self.params.flat.dtype)[labels] if weights else None

    def _logits(self, texts: Ids, rng: Rng | None = None) -> tuple[Array, State, Backward]:
        """Each text's h V + c `(B, classes)`, the final state of the layers, the way back."""
        true = texts != PAD
        start = self.stack.initial_state(texts.shape[1], self.params.flat.dtype)
        ids = np.where(true, texts, 0)  # padding is read as something; nothing reads it after
        y, after, backward = self.stack.forward(self.params, ids, start, rng, true.sum(axis=0))
        return y[0], after, backward


def _stack(config: ClassifierConfig) -> Sequential:
    if config.cell not in CELLS:
        raise ConfigError(
            f"A classifier cannot be made of '{config.cell}', but of: {', '.join(CELLS)}."
        )
    cell, both_ways = CELLS[config.cell], config.bidirectional
    layers = recurrent_layers(config, cell, config.layers, config.vocab_size, both_ways=both_ways)
    width = config.hidden * (1 + config.bidirectional)
    layers["end"] = LastStep(width, config.hidden)
    layers["out"] = Dense(width, len(config.classes))
    return Sequential(layers)
