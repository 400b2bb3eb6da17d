"""Process groups: several processes (ranks) that train one network together.

`ProcessGroup` is a group of one process; `mpi.MPIGroup` spans many, also across machines. Every
rank holds all parameters and makes every decision from the same numbers. The parameters therefore
stay equal on all ranks, and no rank waits for a call that another does not make.

`pairwise_sum` fixes the order of every sum, over the workers of a rank (`data_parallel.py`) and
then over the ranks: it adds neighbours, then neighbouring pairs, and so on. If T is a power of two,
R ranks of T workers therefore give the same bits as one rank of R x T workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CharRNNError, ProcessGroupError
from charrnn.nn.params import Array

T = TypeVar("T")


def pairwise_sum(parts: list[Any]) -> Any:
    """Sum numbers or arrays pair by pair. Overwrites `parts`; of arrays, the first is the sum."""
    step = 1
    while step < len(parts):
        for n in range(0, len(parts) - step, 2 * step):
            parts[n] += parts[n + step]
        step *= 2
    return parts[0]


class ProcessGroup:
    """A group of one process, and the base of larger groups.

    All methods but `stop` are collective: all ranks must call them, in the same order.
    """

    rank = 0
    size = 1

    def __init__(self) -> None:
        self._stop_requested = False

    def stop(self) -> None:
        """Ask all ranks to stop training. Any rank may call this at any time."""
        self._stop_requested = True

    @property
    def stopping(self) -> bool:
        """Whether any rank had called `stop` by the last `all_reduce`; equal on all ranks."""
        return self._stop_requested

    def cores(self) -> int:
        """Number of processor cores for this rank alone."""
        return len(available_cores())

    def all_reduce(self, array: Array, scalars: Sequence[float]) -> NDArray[np.float64]:
        """Sum `array` `(N,)` over all ranks, in place and in the order of `pairwise_sum`.

        Returns the scalars of every rank, `(size, len(scalars))`, not summed.
        """
        return np.array([scalars], np.float64)

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in rank order."""
        return [value]

    def broadcast(self, value: T) -> T:
        """The value of rank 0."""
        return value

    @contextmanager
    def raise_on_all(self) -> Iterator[None]:
        """Raise a CharRNNError of the block on all ranks; of several, that of the lowest rank."""
        local: CharRNNError | None = None
        try:
            yield
        except CharRNNError as raised:
            local = raised
        for error in self.gather(local):
            if error is not None:
                raise error

    def run_on_root(self, make: Callable[[], T]) -> T:
        """Call `make` on rank 0 and return its value on all ranks; all raise its CharRNNError."""
        value: Any = None
        with self.raise_on_all():
            if self.rank == 0:
                value = make()
        shared: T = self.broadcast(value)
        return shared

    def root_first(self, make: Callable[[], T]) -> T:
        """Call `make` on rank 0 first; the other ranks then reuse its cached files."""
        value: Any = None
        for my_turn in (self.rank == 0, self.rank > 0):
            with self.raise_on_all():
                if my_turn:
                    value = make()
        local: T = value
        return local

    def check_equal(self, value: object, problem: str) -> None:
        """Raise ProcessGroupError on all ranks if a rank's value differs from that of rank 0.

        `problem` completes the message "Rank 3 ...".
        """
        values = self.gather(value)
        for rank, rank_value in enumerate(values):
            if rank_value != values[0]:
                raise ProcessGroupError(f"Rank {rank} {problem}.")


def available_cores() -> set[int]:
    """Numbers of the processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return set(affinity(0)) if affinity else set(range(os.cpu_count() or 1))
