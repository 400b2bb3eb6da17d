"""Recurrent networks: what all of them share, and the character-level language model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from charrnn.errors import ConfigError
from charrnn.nn.cells import CELLS, Cell
from charrnn.nn.functional import cross_entropy, log_softmax
from charrnn.nn.layers import (
    INFERENCE,
    JORDAN,
    Backward,
    Bidirectional,
    Context,
    Dense,
    Dropout,
    Jordan,
    Layer,
    Recurrent,
    Residual,
    Sequential,
)
from charrnn.nn.layers.base import state_zeros_like
from charrnn.nn.params import Array, Ids, Params, Spec, State

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing since Python 3.11

LANGUAGE_MODEL_CELLS = (*CELLS, *JORDAN)
"""The networks that `--cell` takes for a language model: cells and Jordan networks."""


@dataclass(frozen=True)
class NetworkConfig:
    """The architecture of a network: everything that builds it, apart from its parameters."""

    vocab_size: int
    """Size of the vocabulary, V."""
    cell: str = "lstm"
    hidden: int = 128
    """Units per layer and direction, H."""
    layers: int = 2
    """Number of recurrent layers."""
    dropout: float = 0.0
    """Dropout rate between layers and before the output."""
    residual: bool = False
    """Whether every layer above the first has a residual (skip) connection."""
    weight_dropout: float = 0.0
    """Dropout rate of the recurrent weights."""

    def check(self, arrays: int) -> None:
        """A TypeError or ValueError if this cannot be the architecture of a network with so many
        parameter arrays. (That their shapes fit is checked when they are copied.)
        """
        for name in ("vocab_size", "hidden", "layers"):
            require(type(getattr(self, name)) is int and getattr(self, name) >= 1, name, self)
        require(self.layers <= arrays, "layers", self)
        require(type(self.cell) is str, "cell", self)
        require(type(self.residual) is bool, "residual", self)
        for name in ("dropout", "weight_dropout"):
            value = getattr(self, name)
            require(type(value) in (int, float) and 0 <= value < 1, name, self)


def require(good: bool, name: str, config: object) -> None:
    """A ValueError that names a field of a config if it is not good."""
    if not good:
        raise ValueError(f"{name} is {str(getattr(config, name))[:40]!r}")


_KEYS = {"vocab_size": "symbols"}
"""Fields that checkpoints store under another key."""
Config = TypeVar("Config", bound=NetworkConfig)


class Network(ABC, Generic[Config]):
    """A network: its config, its parameters and the layer that they belong to.

    It is itself a layer, from ids `(T, B)` to logits, that holds its parameters.
    """

    config_class: ClassVar[type[NetworkConfig]] = NetworkConfig

    def __init__(self, config: Config, params: Params) -> None:
        self.config = config
        self.params = params
        self.layers = self.build(config)

    @staticmethod
    @abstractmethod
    def build(config: Any) -> Layer:
        """All layers, from ids to logits, as one. A ConfigError if there is no such cell."""

    @classmethod
    def specs(cls, config: Config) -> Iterator[Spec]:
        """The parameters of a network with this config."""
        return cls.build(config).specs()

    @classmethod
    def initialized(
        cls, config: Config, rng: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> Self:
        """A network with random parameters. A ConfigError if there is no such cell."""
        return cls(config, Params.initialized(cls.specs(config), rng, dtype))

    @staticmethod
    @abstractmethod
    def name_of(config: Any) -> str:
        """The name of such a network."""

    @property
    def name(self) -> str:
        return self.name_of(self.config)

    @property
    def vocab_size(self) -> int:
        return self.config.vocab_size

    @property
    def num_parameters(self) -> int:
        return self.params.flat.size

    def initial_state(self, batch: int) -> State:
        return self.layers.initial_state(batch, self.params.flat.dtype)

    def forward(
        self, ids: Ids, state: State, context: Context = INFERENCE
    ) -> tuple[Array, State, Backward]:
        """The logits for ids `(T, B)`, the final state, and the backward pass.

        `backward(grads, dlogits, dstate)` is that of a layer: it adds to `grads` and returns None,
        for the ids, and the gradient of the initial state. Call it at most once.
        """
        context = Context(context.rng, context.lengths, ids)
        return self.layers.forward(self.params, ids, state, context)

    def loss(self, logits: Array, targets: Ids) -> tuple[float, Array]:
        """The mean cross-entropy, in nats per prediction, and dlogits, which overwrites logits."""
        loss, dlogits = cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.ravel())
        return loss, dlogits.reshape(logits.shape)

    def loss_and_gradient(
        self,
        inputs: Ids,
        targets: Ids,
        state: State,
        grads: Params,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, State]:
        """One chunk of truncated BPTT (Williams and Peng 1990): no gradient comes from later
        chunks.

        Reads inputs `(T, B)` from `state` on and adds the gradient of the loss to `grads`. Returns
        the loss, in nats per prediction, and the final state. With `rng` dropout is on.
        """
        logits, final, backward = self.forward(inputs, state, Context(rng))
        loss, dlogits = self.loss(logits, targets)
        backward(grads, dlogits, state_zeros_like(final))
        return loss, final

    def config_json(self) -> dict[str, Any]:
        return {_KEYS.get(name, name): value for name, value in asdict(self.config).items()}

    def arrays(self) -> dict[str, Array]:
        return {name: self.params[name] for name in self.params}

    @classmethod
    def restore(cls, shape: dict[str, Any], arrays: Mapping[str, Array]) -> Self:
        names = {key: name for name, key in _KEYS.items()}
        config: Any = cls.config_class(**{names.get(k, k): value for k, value in shape.items()})
        config.check(len(arrays))
        if any(array.dtype.kind != "f" for array in arrays.values()):
            raise TypeError("some of its weights are not floats")
        return cls(config, Params.from_arrays(cls.specs(config), arrays))


class CharRNN(Network[NetworkConfig]):
    """Recurrent layers and a softmax: p = softmax(h V + c), with h the output of the top layer.

    The state holds the states of the layers and, last, the newest h `(B, H)`, from which `predict`
    computes the next prediction. At the start h is zero and the prediction is softmax(c).
    """

    kind: ClassVar[str] = "network"
    task: ClassVar[str] = "lm"
    purpose: ClassVar[str] = "predicts text"
    command: ClassVar[str] = "sample"
    layers: Sequential

    def __init__(self, config: NetworkConfig, params: Params) -> None:
        super().__init__(config, params)
        output = self.layers.layers["out"]
        assert isinstance(output, (Dense, Jordan))
        self.output = output

    @staticmethod
    def build(config: NetworkConfig) -> Sequential:
        """`layers` recurrent layers and the output `out`. A Jordan layer is both the top recurrent
        layer and the output; the layers below it are Elman layers.
        """
        if config.cell not in CELLS and config.cell not in JORDAN:
            raise ConfigError(
                f"There is no cell '{config.cell}'; there are: {', '.join(LANGUAGE_MODEL_CELLS)}."
            )
        jordan = config.cell in JORDAN
        cell = CELLS["rnn" if jordan else config.cell]
        layers = recurrent_layers(config, cell, config.layers - jordan, config.vocab_size)
        return Sequential({**layers, "out": _output(config)})

    @staticmethod
    def name_of(config: NetworkConfig) -> str:
        return f"{config.cell} {config.layers}x{config.hidden}"

    def astype(self, dtype: DTypeLike) -> CharRNN:
        """The same network in another precision."""
        return CharRNN(self.config, self.params.astype(dtype))

    def predict(self, state: State) -> Array:
        return log_softmax(self.output.predict(self.params.scope("out"), state[-1:]))

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        logits, final, _ = self.forward(ids, state)
        return log_softmax(logits), final


def count_parameters(config: NetworkConfig) -> int:
    """The number of parameters of a language model with this config, without building it."""
    return sum(prod(spec.shape) for spec in CharRNN.specs(config))


def recurrent_layers(
    config: NetworkConfig,
    cell: Cell,
    count: int,
    vocab_size: int,
    *,
    bidirectional: bool = False,
) -> dict[str, Layer]:
    """`count` layers of a cell, the first of which reads `vocab_size` different symbols, with
    dropout after each. With `bidirectional` each has `hidden` units per direction.
    """
    layers: dict[str, Layer] = {}
    size = vocab_size
    for n in range(count):
        options: dict[str, Any] = {"one_hot": n == 0, "weight_dropout": config.weight_dropout}
        layer: Layer = Recurrent(cell, size, config.hidden, **options)
        if bidirectional:
            layer = Bidirectional(layer, Recurrent(cell, size, config.hidden, **options))
        layers[str(n)] = Residual(layer) if n and config.residual else layer
        size = layer.output_size
        if config.dropout:
            layers[f"{n}drop"] = Dropout(size, config.dropout)
    return layers


def _output(config: NetworkConfig) -> Dense | Jordan:
    """The layer that computes the logits."""
    hidden, vocab_size = config.hidden, config.vocab_size
    if config.cell not in JORDAN:
        return Dense(hidden, vocab_size, carry=True)
    alone = config.layers == 1  # without a layer below, it reads the symbols
    return JORDAN[config.cell](vocab_size if alone else hidden, hidden, vocab_size, one_hot=alone)
