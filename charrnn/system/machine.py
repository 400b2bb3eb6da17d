"""Defaults of the machine that do not suit small networks: OpenBLAS's, and the allocator's; and
whether this process was started alone.

The command line sets them for its own process. Where the environment says anything, it wins.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from typing import NamedTuple

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as in malloc.h


def limit_blas_threads() -> None:
    """One thread a product. Before NumPy is imported.

    Streams are shared out among workers of our own (`team.py`). Threads inside such small products
    gain less, and wait for each other without end as soon as another program is busy.
    """
    for name in _THREADS:
        os.environ.setdefault(name, "1")


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next step instead of handing it back.

    Each training step asks for the same few megabytes; handed back, every page of them is fetched
    and cleared by the kernel again. glibc only; elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


class Launch(NamedTuple):
    """Which of how many processes that were started together."""

    rank: int
    size: int
    """0 where only MPI can tell."""


_LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH, Intel MPI, Slurm
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),
    ("PMIX_RANK", ""),  # others, which do not say how many
)


def launched_as() -> Launch:
    """What `mpiexec` has written into the environment; without it a process is the only one."""
    for rank, size in _LAUNCHERS:
        found = (os.environ.get(rank, ""), os.environ.get(size, "") if size else "0")
        if all(number.isdecimal() for number in found):
            return Launch(*map(int, found))
    return Launch(0, 1)
