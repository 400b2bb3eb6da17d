"""More than one core: the lanes of a batch shared out among threads, gradients summed once a step.

NumPy lets go of the interpreter in every product and every pass over an array, so threads work at
the same time; they share the parameters, and there is nothing to copy and nobody to leave behind.
The same number of workers gives the same bits; another number sums in another order and draws other
dropout masks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from charrnn.models import CharRNN
from charrnn.params import Ids, Params, State
from charrnn.workers import share
from charrnn.workers import workers as workers_for

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
        self.others = workers_for(model, workers - 1)

    def gradient(
        self, ids: Ids, targets: Ids, state: State, grads: Params, rngs: Rngs
    ) -> tuple[float, State]:
        """Like `CharRNN.gradient`, over all lanes of ids and targets `(T, B)`.

        `grads` is overwritten. `rngs(n)` is the random generator of worker n.
        """
        jobs = [
            (ids[..., s], targets[..., s], tuple(x[s] for x in state), part, rngs(n))
            for n, (s, part) in enumerate(zip(self.lanes, self.shares, strict=True))
        ]
        for worker, job in zip(self.others, jobs[1:], strict=True):
            worker.start(*job)
        done = [share(self.model, grads, *jobs[0]), *(w.result() for w in self.others)]
        with np.errstate(all="ignore"):
            for worker in self.others:
                grads.flat += worker.place.flat
        after = zip(*(new for _, new in done), strict=True)
        return sum(loss for loss, _ in done), tuple(np.concatenate(parts) for parts in after)
