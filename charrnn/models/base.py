"""What a language model is. Sampling, evaluation and comparison ask for no more than this."""

from __future__ import annotations

from typing import Protocol

from charrnn.params import Array, Ids, State


class LanguageModel(Protocol):
    """A distribution over the next symbol, given all before it. Logarithms are natural."""

    @property
    def symbols(self) -> int:
        """How many distinct symbols it knows, V."""
        ...

    def start(self, batch: int) -> State:
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
