"""Whether `mpiexec` launched this process, without importing MPI."""

from __future__ import annotations

import os
from typing import NamedTuple


class Launch(NamedTuple):
    """The place of a process among those launched together."""

    rank: int
    size: int
    """How many were launched; 0 if only MPI can tell."""


_LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH, Intel MPI, Slurm
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),
    ("PMIX_RANK", ""),  # others, which do not set the size
)


def launched_as() -> Launch:
    """Rank and size from the variables that launchers set; without them, rank 0 of 1."""
    for rank, size in _LAUNCHERS:
        numbers = (os.environ.get(rank, ""), os.environ.get(size, "") if size else "0")
        if all(number.isdecimal() for number in numbers):
            return Launch(*map(int, numbers))
    return Launch(0, 1)
