"""What a model is: to a checkpoint (`Model`), and to sampling and evaluation (`LanguageModel`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from charrnn.nn.params import Array, Ids, Params, State


class Model(Protocol):
    """What can be stored and shown. A kind of model is a class of its own, listed in `MODELS`."""

    kind: ClassVar[str]
    """Its name in a checkpoint; never changed, since files bear it."""
    task: ClassVar[str]
    """The task it was trained for, as `--task` calls it."""
    purpose: ClassVar[str]
    """What it does: `fills gaps`."""
    command: ClassVar[str]
    """The command that uses it."""

    @property
    def vocab_size(self) -> int:
        """How many distinct symbols it knows, V."""
        ...

    @property
    def num_parameters(self) -> int:
        """How many numbers it has learned."""
        ...

    @property
    def name(self) -> str:
        """What it is, in a word or two: `gru 2x192`."""
        ...

    def config_json(self) -> dict[str, Any]:
        """Its shape as plain data: all that `restore` needs besides the arrays."""
        ...

    def arrays(self) -> Mapping[str, Array]:
        """What it has learned, by name."""
        ...

    @classmethod
    def restore(cls, shape: dict[str, Any], arrays: Mapping[str, Array]) -> Model:
        """The model that these describe. A KeyError, TypeError or ValueError if they are none."""
        ...


class Trainable(Model, Protocol):
    """A model that is trained by gradients."""

    params: Params

    def initial_state(self, batch: int) -> State:
        """What `batch` streams carry into their first chunk; nothing if chunks stand alone."""
        ...

    def gradient(
        self,
        inputs: Ids,
        targets: Ids,
        state: State,
        grads: Params,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, State]:
        """Add the gradient of the mean loss of these streams to `grads`. Returns that loss, in
        nats, and what the streams carry on. With `rng` dropout is on.
        """
        ...


@runtime_checkable
class LanguageModel(Protocol):
    """A distribution over the next symbol, given all before it. Logarithms are natural."""

    @property
    def vocab_size(self) -> int:
        """How many distinct symbols it knows, V."""
        ...

    def initial_state(self, batch: int) -> State:
        """The state of `batch` streams that have read nothing."""
        ...

    def predict(self, state: State) -> Array:
        """Log P(next symbol) in `state`: `(B, V)`."""
        ...

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Read ids `(T, B)`. Returns log P(next symbol) after each of them `(T, B, V)`, the last
        of which is what `predict` says of the new state, and the new state.
        """
        ...
