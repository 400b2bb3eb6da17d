"""More than one core: the streams of a batch shared out among workers, gradients summed once a
step.

A worker is a process or a thread (`workers.py`). Where this process is one of several ranks
(`group.py`), its team works on that rank's streams. The same number of ranks and workers gives the
same bits; another number sums in another order and draws other dropout masks.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from charrnn.errors import ProcessGroupError
from charrnn.models import Trainable
from charrnn.nn.params import Ids, Params, State
from charrnn.training.parallel.group import ProcessGroup, pairwise_sum
from charrnn.training.parallel.workers import worker_gradient
from charrnn.training.parallel.workers import workers as start_workers

Rngs = Callable[[int], np.random.Generator]
_LEAST_WORK = 3200  # units x streams a worker needs, or waking it costs more than it does


def default_workers(batch: int, hidden: int, group: ProcessGroup) -> int:
    """As many workers as each rank has cores, if the batch keeps them busy. Called by all ranks."""
    cores = min(group.gather(group.cores()))
    streams = batch // group.size
    return max(1, min(cores, streams, streams * hidden // _LEAST_WORK))


class DataParallel:
    """`workers` that compute one gradient together, those of all ranks over all streams.

    Workers are counted through all ranks, and worker n of all of them has the n-th share of
    streams.
    """

    def __init__(
        self, model: Trainable, batch: int, workers: int, group: ProcessGroup | None = None
    ) -> None:
        group = group or ProcessGroup()
        if batch < group.size:
            raise ProcessGroupError(
                f"{group.size} ranks cannot share {batch} stream{'s' * (batch > 1)} of text; give "
                f"a larger --batch, a longer text or a smaller mpiexec -n."
            )
        self.model = model
        self.workers = min(workers, batch // group.size)
        self.first = group.rank * self.workers
        total = group.size * self.workers
        whole = (
            group.size == 1 or self.workers & (self.workers - 1) == 0
        )  # see `group.pairwise_sum`
        self.order = [total, 0 if whole else self.workers]
        """What decides the bits: teams whose `order` is the same sum in the same order."""
        edges = [n * batch // total for n in range(total + 1)]
        edges = edges[self.first : self.first + self.workers + 1]
        self.own = slice(edges[0], edges[-1])
        """The streams of this rank."""
        self.streams = [slice(a - edges[0], b - edges[0]) for a, b in pairwise(edges)]
        self.shares = [(s.stop - s.start) / batch for s in self.streams]
        self.others = start_workers(
            model, self.workers - 1, fork=None if group.size == 1 else False
        )

    def gradient(
        self, ids: Ids, targets: Ids, state: State, grads: Params, rngs: Rngs
    ) -> tuple[float, State]:
        """What this rank adds to the loss and to the gradient of the whole batch.

        The last axis of `ids` and `targets` is the whole batch; `state`, and the new state that is
        returned, are those of the streams in `own`. `grads` is overwritten. `rngs(n)` is the random
        generator of worker n.
        """
        ids, targets = ids[..., self.own], targets[..., self.own]
        jobs = [
            (ids[..., s], targets[..., s], tuple(x[s] for x in state), part, rngs(self.first + n))
            for n, (s, part) in enumerate(zip(self.streams, self.shares, strict=True))
        ]
        for worker, job in zip(self.others, jobs[1:], strict=True):
            worker.start(*job)
        done = [worker_gradient(self.model, grads, *jobs[0]), *(w.result() for w in self.others)]
        losses, states = zip(*done, strict=True)
        with np.errstate(all="ignore"):
            pairwise_sum([grads.flat, *(worker.place.flat for worker in self.others)])
        after = zip(*states, strict=True)
        return pairwise_sum(list(losses)), tuple(np.concatenate(parts) for parts in after)
