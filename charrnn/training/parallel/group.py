"""Processes that train one network together: a group of ranks, and how they come to agree.

Workers share out the streams of a batch within a process (`team.py`), ranks among processes, which
may be on several machines. Every rank holds all parameters and takes each step and each decision
from the same numbers, so that they stay the same everywhere and nobody waits for ever; what differs
between one process and many is only who sums. `ProcessGroup` is one process alone, `mpi.MPIGroup`
are many.

`pairwise_sum` fixes the order of every sum, over the workers of a rank and then over the ranks:
first neighbours, then neighbouring pairs, and so on. R ranks of T workers so give the bits of one
rank of R x T workers, whenever T is a power of two (else two ranks' sums are no pairs of pairs).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CharRNNError, ProcessGroupError
from charrnn.nn.params import Array
from charrnn.system.launch import launched_as

T = TypeVar("T")


def pairwise_sum(parts: list[Any]) -> Any:
    """The sum of numbers, or of arrays, pair by pair; `parts` is used up, and its first array
    becomes the sum.
    """
    step = 1
    while step < len(parts):
        for n in range(0, len(parts) - step, 2 * step):
            parts[n] += parts[n + step]
        step *= 2
    return parts[0]


class ProcessGroup:
    """One process alone. Every call that names all ranks must be made by all of them."""

    rank = 0
    size = 1

    def __init__(self) -> None:
        self._asked = False

    def stop(self) -> None:
        """Ask all ranks to end training; may be called at any time, on any of them."""
        self._asked = True

    @property
    def stopping(self) -> bool:
        """Whether somebody asked, as all ranks know it since the newest `sum`."""
        return self._asked

    def cores(self) -> int:
        """How many processor cores this rank has for itself. Called by all ranks."""
        return len(available_cores())

    def all_reduce(self, array: Array, notes: Sequence[float]) -> NDArray[np.float64]:
        """Sum `array` `(N,)` over all ranks, in place and in the order of `pairwise_sum`.

        Returns the notes of every rank, `(size, len(notes))`.
        """
        return np.array([notes], np.float64)

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in their order."""
        return [value]

    def broadcast(self, value: T) -> T:
        """The value of rank 0."""
        return value

    @contextmanager
    def raise_on_all(self) -> Iterator[None]:
        """Raise on every rank the first CharRNNError that any of them meets inside."""
        met: CharRNNError | None = None
        try:
            yield
        except CharRNNError as error:
            met = error
        for found in self.gather(met):
            if found is not None:
                raise found

    def run_on_root(self, make: Callable[[], T]) -> T:
        """What rank 0 makes, for all ranks; if it meets an error, so do they."""
        made: Any = None
        with self.raise_on_all():
            if self.rank == 0:
                made = make()
        shared: T = self.broadcast(made)
        return shared

    def root_first(self, make: Callable[[], T]) -> T:
        """What every rank makes for itself, rank 0 before the others, which find what it left."""
        made: Any = None
        for turn in (self.rank == 0, self.rank > 0):
            with self.raise_on_all():
                if turn:
                    made = make()
        own: T = made
        return own

    def check_equal(self, value: object, problem: str) -> None:
        """A ProcessGroupError, on every rank, if one has another value than rank 0: "Rank 3
        `problem`.".
        """
        values = self.gather(value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise ProcessGroupError(f"Rank {rank} {problem}.")


def init_group() -> ProcessGroup:
    """The group that this process was started into: of many ranks under `mpiexec`, else alone.

    mpi4py is imported only under `mpiexec`. A ProcessGroupError if it is missing or finds no MPI.
    """
    if launched_as().size == 1:
        return ProcessGroup()
    try:
        mpi = import_module("charrnn.training.parallel.mpi")
    except ModuleNotFoundError:
        raise ProcessGroupError(
            "mpiexec started several processes; to work together they need an extra: "
            "pip install 'charrnn[mpi]'."
        ) from None
    except (ImportError, RuntimeError) as error:
        raise ProcessGroupError(f"mpi4py cannot load an MPI library: {error}.") from None
    group: ProcessGroup = mpi.init_group()
    return group


def available_cores() -> set[int]:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return set(affinity(0)) if affinity else set(range(os.cpu_count() or 1))
