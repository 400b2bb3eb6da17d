"""The character-level recurrent language model: a stack of recurrent layers and a softmax."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from charrnn.errors import ConfigError
from charrnn.nn.cells import CELLS, Cell
from charrnn.nn.functional import cross_entropy, log_softmax
from charrnn.nn.layers import (
    OUTPUTS,
    Bidirectional,
    Dropout,
    Layer,
    Output,
    Recurrent,
    Residual,
    Sequential,
)
from charrnn.nn.params import Array, Ids, Params, Spec, State, prefixed

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing since Python 3.11

NETWORKS = (*CELLS, *OUTPUTS)
"""What a network can be made of, by the name that `--cell` takes."""
Backward = Callable[[Params, Array], None]


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network: all that is needed, besides its parameters, to build it."""

    vocab_size: int
    """Size of the vocabulary, V."""
    cell: str = "lstm"
    hidden: int = 128
    layers: int = 2
    dropout: float = 0.0
    """Share of entries dropped between layers and before the output, in training."""
    residual: bool = False
    """Whether each layer above the first adds to its input instead of replacing it."""
    weight_dropout: float = 0.0
    """Share of the recurrent weights dropped, in training."""


_KEYS = {"vocab_size": "symbols"}
"""Fields that checkpoints store under another key."""
Config = TypeVar("Config", bound=NetworkConfig)


class Network(ABC, Generic[Config]):
    """What every network is: the shape it was built by, and its parameters."""

    shape: ClassVar[type[NetworkConfig]] = NetworkConfig
    """What `config_json` describes."""

    def __init__(self, config: Config, params: Params) -> None:
        self.config = config
        self.params = params

    @staticmethod
    @abstractmethod
    def specs(config: Any) -> Iterator[Spec]:
        """The parameters of such a network."""

    @classmethod
    def initialised(
        cls, config: Config, rng: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> Self:
        """A network with fresh random parameters. A ConfigError if there is no such cell."""
        return cls(config, Params.initialised(cls.specs(config), rng, dtype))

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
        """The number of parameters."""
        return self.params.flat.size

    def config_json(self) -> dict[str, Any]:
        return {_KEYS.get(name, name): value for name, value in asdict(self.config).items()}

    def arrays(self) -> dict[str, Array]:
        return {name: self.params[name] for name in self.params}

    @classmethod
    def restore(cls, shape: dict[str, Any], arrays: Mapping[str, Array]) -> Self:
        names = {key: name for name, key in _KEYS.items()}
        config: Any = cls.shape(**{names.get(key, key): value for key, value in shape.items()})
        return cls(config, Params.from_arrays(cls.specs(config), arrays))


class CharRNN(Network[NetworkConfig]):
    """A stack of recurrent layers read by a softmax, p = softmax(h V + c).

    Its state is that of the layers followed by h `(B, H)`, what the output read last, so that
    `predict` needs nothing else. At the start h is zero and the prediction softmax(c).
    """

    kind: ClassVar[str] = "network"
    task: ClassVar[str] = "lm"
    purpose: ClassVar[str] = "predicts text"
    command: ClassVar[str] = "sample"

    def __init__(self, config: NetworkConfig, params: Params) -> None:
        super().__init__(config, params)
        self.stack = _stack(config)
        self.output = _output(config)

    @staticmethod
    def specs(config: NetworkConfig) -> Iterator[Spec]:
        """The parameters of such a network."""
        yield from _stack(config).specs()
        yield from prefixed("out", _output(config).specs())

    @staticmethod
    def name_of(config: NetworkConfig) -> str:
        return f"{config.cell} {config.layers}x{config.hidden}"

    def astype(self, dtype: DTypeLike) -> CharRNN:
        """The same network in another precision."""
        return CharRNN(self.config, self.params.astype(dtype))

    def initial_state(self, batch: int) -> State:
        dtype = self.params.flat.dtype
        return (*self.stack.initial_state(batch, dtype), *self.output.initial_state(batch, dtype))

    def predict(self, state: State) -> Array:
        return log_softmax(self.output.predict(self.params.scope("out"), state[-1:]))

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        logits, after, _ = self.forward(ids, state)
        return log_softmax(logits), after

    def forward(
        self, ids: Ids, state: State, rng: np.random.Generator | None = None
    ) -> tuple[Array, State, Backward]:
        """Read ids `(T, B)` from `state` on: the logits of what comes after each, `(T, B, V)`, the
        new state, and what adds to gradients `(grads, dlogits)`, to be called once at most.

        With `rng` it is training (dropout is on). Nothing flows back from the next chunk.
        """
        y, after, back_stack = self.stack.forward(self.params, ids, state[:-1], rng)
        out = self.params.scope("out")
        logits, newest, back_output = self.output.forward(out, y, state[-1:], rng, ids=ids)
        after += newest

        def backward(grads: Params, dlogits: Array) -> None:
            cut_here = tuple(np.zeros_like(s) for s in after)
            dy, _ = back_output(grads.scope("out"), dlogits, cut_here[-1:])
            if dy is not None:
                back_stack(grads, dy, cut_here[:-1])

        return logits, after, backward

    def gradient(
        self,
        inputs: Ids,
        targets: Ids,
        state: State,
        grads: Params,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, State]:
        """One chunk of truncated BPTT (Williams and Peng 1990).

        Reads inputs `(T, B)` from `state`, predicts targets `(T, B)`, and adds the gradient of the
        mean cross-entropy to `grads`. Returns that loss, in nats per symbol, and the new state.
        """
        logits, after, backward = self.forward(inputs, state, rng)
        loss, dlogits = cross_entropy(logits.reshape(-1, self.vocab_size), targets.ravel())
        backward(grads, dlogits.reshape(logits.shape))
        return loss, after


def parameters(shape: NetworkConfig) -> int:
    """How many parameters such a network has. None are made."""
    return sum(prod(spec.shape) for spec in CharRNN.specs(shape))


def _stack(config: NetworkConfig) -> Sequential:
    """The layers below the output: all of them, but where the output is a network of its own, which
    stands on Elman layers.
    """
    if config.cell not in CELLS and config.cell not in OUTPUTS:
        raise ConfigError(f"There is no cell '{config.cell}'; there are: {', '.join(NETWORKS)}.")
    own = config.cell in OUTPUTS
    cell = CELLS["rnn" if own else config.cell]
    return Sequential(recurrent_layers(config, cell, config.layers - own, config.vocab_size))


def recurrent_layers(
    config: NetworkConfig, cell: Cell, count: int, vocab_size: int, *, both_ways: bool = False
) -> dict[str, Layer]:
    """`count` layers of a cell, the lowest of which reads so many symbols, with dropout above each.

    With `both_ways` each is two layers of `hidden` units, one that reads backwards.
    """
    layers: dict[str, Layer] = {}
    width = vocab_size
    for n in range(count):
        own: dict[str, Any] = {"one_hot": n == 0, "dropped": config.weight_dropout}
        layer: Layer = Recurrent(cell, width, config.hidden, **own)
        if both_ways:
            back = Recurrent(cell, width, config.hidden, **own)
            layer = Bidirectional(layer, back)
        layers[str(n)] = Residual(layer) if n and config.residual else layer
        width = layer.width
        if config.dropout:
            layers[f"{n}drop"] = Dropout(width, config.dropout)
    return layers


def _output(config: NetworkConfig) -> Output:
    alone = config.cell in OUTPUTS and config.layers == 1
    inputs = config.vocab_size if alone else config.hidden
    kind = OUTPUTS.get(config.cell, Output)
    return kind(inputs, config.hidden, config.vocab_size, one_hot=alone)
