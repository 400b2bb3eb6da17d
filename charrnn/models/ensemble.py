"""Several models that predict as one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from charrnn.models.base import LanguageModel
from charrnn.nn.params import Array, Ids, State


class Ensemble:
    """P(w | h) = (P_1(w | h) + ... + P_M(w | h)) / M

    The mean of the probabilities of M models of the same symbols, of whatever kinds. By Jensen's
    inequality its loss is at most the mean of theirs; where they err in different places it is
    below that of the best.

    Its state is those of its members, one after the other.
    """

    def __init__(self, members: Sequence[LanguageModel]) -> None:
        """One member at least. A ValueError if they do not know equally many vocab_size."""
        self.members = tuple(members)
        sizes = sorted({m.vocab_size for m in self.members})
        if len(sizes) != 1:
            raise ValueError(f"these models know {sizes} symbols, not all the same")
        ends = np.cumsum([len(m.initial_state(1)) for m in self.members])
        self._parts = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]

    @property
    def vocab_size(self) -> int:
        return self.members[0].vocab_size

    def initial_state(self, batch: int) -> State:
        return tuple(s for m in self.members for s in m.initial_state(batch))

    def predict(self, state: State) -> Array:
        pairs = zip(self.members, self._parts, strict=True)
        return _mean([m.predict(state[part]) for m, part in pairs])

    def read(self, ids: Ids, state: State) -> tuple[Array, State]:
        pairs = zip(self.members, self._parts, strict=True)
        found = [m.read(ids, state[part]) for m, part in pairs]
        return _mean([log_p for log_p, _ in found]), tuple(s for _, new in found for s in new)


def _mean(log_p: Sequence[Array]) -> Array:
    """log((p_1 + ... + p_M) / M)."""
    mean: Array = reduce(np.logaddexp, log_p)
    mean -= np.log(len(log_p))
    return mean
