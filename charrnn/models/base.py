"""Interfaces: `Model` for checkpoints, `Trainable` for training, `LanguageModel` for prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from charrnn.nn.params import Array, Ids, Params, State


class Model(Protocol):
    """A model that checkpoints can store. `MODELS` lists the classes that implement it."""

    kind: ClassVar[str]
    """Its name in checkpoints. Never change it: existing files contain it."""
    task: ClassVar[str]
    """The task it was trained for, as `--task` calls it."""
    purpose: ClassVar[str]
    """What it does: `fills gaps`."""
    command: ClassVar[str]
    """The command that uses it."""

    @property
    def vocab_size(self) -> int:
        """Number of distinct symbols, V."""
        ...

    @property
    def num_parameters(self) -> int:
        """Number of learned values."""
        ...

    @property
    def name(self) -> str:
        """A short description: `gru 2x192`."""
        ...

    def config_json(self) -> dict[str, Any]:
        """Its config as JSON data: together with the arrays, all that `restore` needs."""
        ...

    def arrays(self) -> Mapping[str, Array]:
        """The learned values, by name."""
        ...

    @classmethod
    def restore(cls, shape: dict[str, Any], arrays: Mapping[str, Array]) -> Model:
        """The model with this config and these arrays. A KeyError, TypeError or ValueError if they
        do not describe one.
        """
        ...


class Trainable(Model, Protocol):
    """A model that is trained by gradient descent."""

    params: Params

    def initial_state(self, batch: int) -> State:
        """The state of `batch` streams before their first chunk; `()` if no state is carried from
        chunk to chunk.
        """
        ...

    def loss_and_gradient(
        self,
        inputs: Ids,
        targets: Ids,
        state: State,
        grads: Params,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, State]:
        """Add the gradient of the mean loss of these streams to `grads`. Returns the loss, in nats,
        and the final state. With `rng` dropout is on.
        """
        ...


@runtime_checkable
class LanguageModel(Protocol):
    """A distribution over the next symbol, given all symbols before it. Logarithms are natural."""

    @property
    def vocab_size(self) -> int:
        """Number of distinct symbols, V."""
        ...

    def initial_state(self, batch: int) -> State:
        """The state of `batch` streams before their first symbol."""
        ...

    def predict(self, state: State) -> Array:
        """Log P(next symbol) in `state`: `(B, V)`."""
        ...

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Read ids `(T, B)`. Returns log P(next symbol) after each symbol `(T, B, V)` and the final
        state. The last step equals `predict` of the final state.
        """
        ...
