"""The text classifier: recurrent layers and a softmax over the classes after the last symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.data.padding import PAD
from charrnn.errors import ConfigError
from charrnn.models.network import Network, NetworkConfig, recurrent_layers, require
from charrnn.nn.cells import CELLS
from charrnn.nn.functional import cross_entropy, log_softmax
from charrnn.nn.layers import (
    INFERENCE,
    Backward,
    Context,
    Dense,
    LastStep,
    Layer,
    Sequential,
    Stateless,
)
from charrnn.nn.params import Array, Ids, IntArray, State


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(NetworkConfig):
    """The architecture of a classifier."""

    classes: tuple[str, ...]
    """The names of the classes."""
    bidirectional: bool = False
    """Whether the layers read the text in both directions."""
    longest: int = 256
    """Longer texts are cut to this many symbols."""
    weights: tuple[float, ...] = ()
    """Weight of each class in the loss; empty if all weigh the same."""

    def check(self, arrays: int) -> None:
        super().check(arrays)
        names = self.classes
        require(all(type(name) is str for name in names), "classes", self)
        require(len(names) == len(set(names)) > 0, "classes", self)
        require(type(self.bidirectional) is bool, "bidirectional", self)
        require(type(self.longest) is int and self.longest >= 1, "longest", self)
        require(len(self.weights) in (0, len(names)), "weights", self)
        require(all(type(w) in (int, float) and w > 0 for w in self.weights), "weights", self)

    def __post_init__(self) -> None:
        for name in ("classes", "weights"):  # lists if they come from a checkpoint
            object.__setattr__(self, name, tuple(getattr(self, name)))


class Classifier(Network[ClassifierConfig]):
    """Recurrent layers and a softmax over the classes, p = softmax(h V + c), once per text.

    h is the output of the top layer at the last symbol of the text, and that of a backward layer at
    the first symbol. The texts of a batch `(T, B)` are padded at the end with PAD, which does not
    change any result. Every text is read from its own start, so the state is `()`.
    """

    kind: ClassVar[str] = "classifier"
    task: ClassVar[str] = "classify"
    purpose: ClassVar[str] = "classifies texts"
    command: ClassVar[str] = "classify"
    config_class: ClassVar[type[NetworkConfig]] = ClassifierConfig

    @staticmethod
    def build(config: ClassifierConfig) -> Layer:
        """Recurrent layers, the last step of each text, and the output `out`."""
        if config.cell not in CELLS:
            raise ConfigError(
                f"A classifier has no cell '{config.cell}'; there are: {', '.join(CELLS)}."
            )
        cell, bidirectional = CELLS[config.cell], config.bidirectional
        layers = recurrent_layers(
            config, cell, config.layers, config.vocab_size, bidirectional=bidirectional
        )
        size = config.hidden * (1 + bidirectional)
        layers["end"] = LastStep(size, config.hidden)
        layers["out"] = Dense(size, len(config.classes))
        return Stateless(Sequential(layers))

    @staticmethod
    def name_of(config: ClassifierConfig) -> str:
        c = config
        return f"{c.cell} {c.layers}x{c.hidden}{' both ways' * c.bidirectional}"

    def classify(self, texts: Ids) -> Array:
        """Log P(class) of texts `(T, B)`: `(B, classes)`. Every text has at least one symbol."""
        logits, _, _ = self.forward(texts, ())
        return log_softmax(logits[0])

    def forward(
        self, ids: Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        """The logits `(1, B, classes)` for ids `(T, B)`, padded with PAD."""
        real = ids != PAD
        context = Context(context.rng, real.sum(axis=0))
        ids = np.where(real, ids, 0)  # any valid symbol: the result does not depend on it
        return super().forward(ids, state, context)

    def loss(self, logits: Array, targets: Ids) -> tuple[float, Array]:
        """The weighted loss of logits `(1, B, classes)`, whose classes are targets `(B,)`: the sum
        of weight times cross-entropy, divided by B.
        """
        loss, dlogits = cross_entropy(logits[0], targets, self.weights(targets))
        return loss, dlogits[None]

    def weights(self, labels: IntArray) -> Array | None:
        """The weight of each text, by its class; None if all weigh the same."""
        weights = self.config.weights
        return np.array(weights, self.params.flat.dtype)[labels] if weights else None
