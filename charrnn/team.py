"""More than one core: the lanes of a batch shared out among threads, gradients summed once a step.

NumPy lets go of the interpreter in every product and every pass over an array, so threads work at
the same time; they share the parameters, and there is nothing to copy and nobody to leave behind.
The same number of workers gives the same bits; another number sums in another order and draws other
dropout masks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from charrnn.models import CharRNN
from charrnn.params import Ids, Params, State

Rngs = Callable[[int], np.random.Generator]
_LEAST_WORK = 3200  # units x lanes a worker needs, or waking it costs more than it does


def sensible_workers(batch: int, hidden: int) -> int:
    """As many workers as there are cores for this process, if the batch keeps them busy."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, batch, batch * hidden // _LEAST_WORK))


class Team:
    """`workers` threads that compute one gradient together."""

    def __init__(self, model: CharRNN, batch: int, workers: int) -> None:
        self.model = model
        workers = min(workers, batch)
        edges = [n * batch // workers for n in range(workers + 1)]
        self.lanes = [slice(a, b) for a, b in pairwise(edges)]
        self.shares = [(s.stop - s.start) / batch for s in self.lanes]
        self.others = [model.params.zeros() for _ in self.lanes[1:]]
        self.pool = ThreadPoolExecutor(workers - 1, "charrnn") if self.others else None

    def gradient(
        self, ids: Ids, targets: Ids, state: State, grads: Params, rngs: Rngs
    ) -> tuple[float, State]:
        """Like `CharRNN.gradient`, over all lanes of ids and targets `(T, B)`.

        `grads` is overwritten. `rngs(n)` is the random generator of worker n.
        """
        places = [grads, *self.others]

        def work(n: int) -> tuple[float, State]:
            lanes, place = self.lanes[n], places[n]
            place.flat[:] = 0
            with np.errstate(all="ignore"):  # a loss that explodes is seen by whoever asked
                own = tuple(s[lanes] for s in state)
                return self.model.gradient(ids[:, lanes], targets[:, lanes], own, place, rngs(n))

        if not self.pool:
            return work(0)
        waiting = [self.pool.submit(work, n) for n in range(1, len(self.lanes))]
        done = [work(0), *(w.result() for w in waiting)]
        with np.errstate(all="ignore"):
            for n, (place, share) in enumerate(zip(places, self.shares, strict=True)):
                place.flat *= share
                if n:
                    grads.flat += place.flat
        loss = sum(share * loss for share, (loss, _) in zip(self.shares, done, strict=True))
        after = zip(*(new for _, new in done), strict=True)
        return loss, tuple(np.concatenate(parts) for parts in after)
