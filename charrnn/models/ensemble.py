"""Several language models that predict as one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from charrnn.models.base import LanguageModel
from charrnn.nn.params import Array, Ids, State


class Ensemble:
    """P(w | h) = (P_1(w | h) + ... + P_M(w | h)) / M

    The mean of the probabilities of M language models of any kind with the same vocabulary. By
    Jensen's inequality its loss is at most the mean of their losses; if their errors differ, it is
    often below the best of them.

    The state is the concatenation of the states of the members.
    """

    def __init__(self, members: Sequence[LanguageModel]) -> None:
        """Takes at least one member. A ValueError if their vocabularies differ in size."""
        self.members = tuple(members)
        sizes = sorted({m.vocab_size for m in self.members})
        if len(sizes) != 1:
            raise ValueError(f"the vocabularies of these models differ in size: {sizes}")
        ends = np.cumsum([len(m.initial_state(1)) for m in self.members])
        self._slices = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]

    @property
    def vocab_size(self) -> int:
        return self.members[0].vocab_size

    def initial_state(self, batch: int) -> State:
        return tuple(s for m in self.members for s in m.initial_state(batch))

    def predict(self, state: State) -> Array:
        members = zip(self.members, self._slices, strict=True)
        return _mean([m.predict(state[part]) for m, part in members])

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        members = zip(self.members, self._slices, strict=True)
        log_p, states = zip(*(m.read(ids, state[part]) for m, part in members), strict=True)
        return _mean(log_p), tuple(array for state in states for array in state)


def _mean(log_p: Sequence[Array]) -> Array:
    """log((p_1 + ... + p_M) / M)."""
    mean: Array = reduce(np.logaddexp, log_p)
    mean -= np.log(len(log_p))
    return mean
