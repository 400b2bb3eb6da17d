"""More than one core: the lanes of a batch shared out among threads, gradients summed once a step.

NumPy lets go of the interpreter in every product and every pass over an array, so threads work at
the same time; they share the parameters, and there is nothing to copy and nobody to leave behind.
Where the process is one of several ranks (`crew.py`), its team works on that rank's lanes.
The same number of ranks and workers gives the same bits; another number sums in another order and
draws other dropout masks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from charrnn.crew import Crew, add_up
from charrnn.errors import CrewError
from charrnn.models import CharRNN
from charrnn.params import Ids, Params, State

Rngs = Callable[[int], np.random.Generator]
_LEAST_WORK = 3200  # units x lanes a worker needs, or waking it costs more than it does


def sensible_workers(batch: int, hidden: int, crew: Crew) -> int:
    """As many workers as each rank has cores, if the batch keeps them busy. Called by all ranks."""
    cores = min(crew.gather(crew.cores()))
    lanes = batch // crew.size
    return max(1, min(cores, lanes, lanes * hidden // _LEAST_WORK))


class Team:
    """`workers` threads that compute one gradient together, those of all ranks over all lanes.

    Workers are counted through all ranks, and worker n of all of them has the n-th share of lanes.
    """

    def __init__(self, model: CharRNN, batch: int, workers: int, crew: Crew | None = None) -> None:
        crew = crew or Crew()
        if batch < crew.size:
            raise CrewError(
                f"{crew.size} ranks cannot share out {batch} lane{'s' * (batch > 1)} of text; give "
                f"a larger --batch, a longer text or a smaller mpiexec -n."
            )
        self.model = model
        self.workers = min(workers, batch // crew.size)
        self.first = crew.rank * self.workers
        total = crew.size * self.workers
        whole = crew.size == 1 or self.workers & (self.workers - 1) == 0  # see `crew.add_up`
        self.order = [total, 0 if whole else self.workers]
        """What decides the bits: teams whose `order` is the same sum in the same order."""
        edges = [n * batch // total for n in range(total + 1)]
        edges = edges[self.first : self.first + self.workers + 1]
        self.own = slice(edges[0], edges[-1])
        """The lanes of this rank."""
        self.lanes = [slice(a - edges[0], b - edges[0]) for a, b in pairwise(edges)]
        self.shares = [(s.stop - s.start) / batch for s in self.lanes]
        self.others = [model.params.zeros() for _ in self.lanes[1:]]
        self.pool = ThreadPoolExecutor(self.workers - 1, "charrnn") if self.others else None

    def gradient(
        self, ids: Ids, targets: Ids, state: State, grads: Params, rngs: Rngs
    ) -> tuple[float, State]:
        """What this rank adds to the loss and to the gradient of the whole batch.

        The last axis of `ids` and `targets` is the whole batch; `state`, and the new state that is
        returned, are those of the lanes in `own`. `grads` is overwritten. `rngs(n)` is the random
        generator of worker n.
        """
        places = [grads, *self.others]
        ids, targets = ids[..., self.own], targets[..., self.own]

        def work(n: int) -> tuple[float, State]:
            lanes, place, share = self.lanes[n], places[n], self.shares[n]
            place.flat[:] = 0
            rng, own = rngs(self.first + n), tuple(s[lanes] for s in state)
            with np.errstate(all="ignore"):  # a loss that explodes is seen by whoever asked
                loss, after = self.model.gradient(
                    ids[..., lanes], targets[..., lanes], own, place, rng
                )
                if share != 1:
                    place.flat *= share
            return share * loss, after

        waiting = [self.pool.submit(work, n) for n in range(1, self.workers)] if self.pool else []
        losses, states = zip(work(0), *(w.result() for w in waiting), strict=True)
        with np.errstate(all="ignore"):
            add_up([place.flat for place in places])
        return add_up(list(losses)), tuple(
            np.concatenate(parts) for parts in zip(*states, strict=True)
        )
