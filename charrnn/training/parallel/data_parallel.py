"""Data parallelism: the streams of a batch are split among workers, and their gradients are summed.

A worker is a process or a thread (`workers.py`). Under MPI (`group.py`), each rank splits its part
of the streams among its own workers. The same number of ranks and workers gives the same bits.
Another number changes the order of summation and the dropout masks.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from charrnn.errors import ProcessGroupError
from charrnn.models import Trainable
from charrnn.nn.params import Ids, Params, State
from charrnn.training.parallel.group import ProcessGroup, pairwise_sum
from charrnn.training.parallel.workers import start_workers, worker_gradient

RngForWorker = Callable[[int], np.random.Generator]
"""Returns the random generator of a worker, by its number among those of all ranks."""
_MIN_WORK = 3200  # units x streams per worker; below this, a worker costs more time than it saves


def default_workers(batch: int, hidden: int, group: ProcessGroup) -> int:
    """Number of workers per rank: one per core, or fewer for a small batch or network.

    All ranks must call this together.
    """
    cores = min(group.gather(group.cores()))
    streams = batch // group.size
    return max(1, min(cores, streams, streams * hidden // _MIN_WORK))


class DataParallel:
    """Computes the gradient of a batch with several workers on each rank.

    Workers are numbered across all ranks. Worker n processes the n-th block of streams. The first
    worker of a rank is the calling process itself.
    """

    def __init__(
        self, model: Trainable, batch: int, workers: int, group: ProcessGroup | None = None
    ) -> None:
        """Start at most `workers` workers; fewer if the rank has fewer streams.

        Raises ProcessGroupError if there are more ranks than streams.
        """
        group = group or ProcessGroup()
        if batch < group.size:
            raise ProcessGroupError(
                f"{group.size} ranks cannot share {batch} stream{'s' * (batch > 1)} of text; use "
                f"a larger --batch, a longer text or a smaller mpiexec -n."
            )
        self.model = model
        self.workers = min(workers, batch // group.size)
        """Number of workers of this rank."""
        self.first_worker = group.rank * self.workers
        """Number of the rank's first worker among those of all ranks."""
        total = group.size * self.workers
        power_of_two = self.workers & (self.workers - 1) == 0
        same_as_one_rank = group.size == 1 or power_of_two  # see `group.py`
        self.reduction_order = [total, 0 if same_as_one_rank else self.workers]
        """Identifies the order of summation: equal values give equal bits."""
        edges = [n * batch // total for n in range(total + 1)]
        edges = edges[self.first_worker : self.first_worker + self.workers + 1]
        self.rank_streams = slice(edges[0], edges[-1])
        """The streams of this rank, as a slice of the batch."""
        self.worker_streams = [slice(a - edges[0], b - edges[0]) for a, b in pairwise(edges)]
        """The streams of each worker, as slices of `rank_streams`."""
        self.weights = [(s.stop - s.start) / batch for s in self.worker_streams]
        """The fraction of the batch that each worker processes."""
        self.extra_workers = start_workers(
            model, self.workers - 1, fork=None if group.size == 1 else False
        )
        """The workers besides the calling process."""

    def gradient(
        self, ids: Ids, targets: Ids, state: State, grads: Params, rng_for_worker: RngForWorker
    ) -> tuple[float, State]:
        """Compute this rank's contribution to the loss and the gradient of the batch.

        `ids` and `targets` hold the whole batch B in their last axis, such as `(T, B)`. `state` and
        the returned state hold the streams in `rank_streams`. The gradient is written to `grads`.
        `rng_for_worker(n)` returns the random generator of worker n.
        """
        ids, targets = ids[..., self.rank_streams], targets[..., self.rank_streams]
        jobs = [
            (
                ids[..., s], targets[..., s], tuple(x[s] for x in state), weight,
                rng_for_worker(self.first_worker + n),
            )
            for n, (s, weight) in enumerate(zip(self.worker_streams, self.weights, strict=True))
        ]  # fmt: skip
        for worker, job in zip(self.extra_workers, jobs[1:], strict=True):
            worker.start(*job)
        first = worker_gradient(self.model, grads, *jobs[0])
        results = [first, *(worker.result() for worker in self.extra_workers)]
        losses, states = zip(*results, strict=True)
        with np.errstate(all="ignore"):
            pairwise_sum([grads.flat, *(worker.grads.flat for worker in self.extra_workers)])
        layers = zip(*states, strict=True)
        return pairwise_sum(list(losses)), tuple(np.concatenate(parts) for parts in layers)
