"""Worker pools for comparisons: processes on this machine, or the ranks of an MPI job."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from charrnn.errors import ConfigError
from charrnn.system.allocator import keep_freed_memory
from charrnn.system.blas import limit_blas_threads
from charrnn.training.parallel.launch import init_group


@dataclass(frozen=True)
class WorkerPool:
    """A source of workers."""

    ranks: int
    """Number of workers under mpiexec; otherwise 0, and `start` chooses the number."""
    start: Callable[[int], Executor]
    """Start a number of workers, which live until the `with` block of `worker_pool` ends."""


@contextmanager
def worker_pool() -> Iterator[WorkerPool | None]:
    """A pool of processes, or under `mpiexec` of the ranks other than 0.

    On those ranks, the call itself does the work; it yields None when rank 0 has left its block.
    Raises ProcessGroupError if mpi4py is missing or uses a different MPI.
    """
    group = init_group()
    if group.size == 1:
        with ExitStack() as stack:
            yield WorkerPool(0, lambda count: stack.enter_context(_processes(count)))
        return
    keep_freed_memory()
    with import_module("mpi4py.futures").MPICommExecutor() as executor:
        yield None if executor is None else WorkerPool(group.size - 1, lambda count: executor)


def kill() -> None:
    """Kill all child processes, or all ranks, immediately."""
    for process in multiprocessing.active_children():
        process.kill()
    if mpi := sys.modules.get("charrnn.training.parallel.mpi"):
        mpi.abort(128 + signal.SIGINT)


def _processes(count: int) -> _Processes:
    """Worker processes with single-threaded BLAS.

    They are spawned, since a fork is unsafe with the threads of this process and outside Linux.
    """
    if count < 1:
        raise ConfigError(f"workers is {count}; it must be 1 or more.")
    limit_blas_threads()
    return _Processes(count, multiprocessing.get_context("spawn"), _initialize_worker)


class _Processes(ProcessPoolExecutor):
    """Workers that ignore Ctrl-C, which a terminal sends to all processes.

    `submit` starts them with SIGINT blocked, since they cannot ignore it from their first moment.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        mask = getattr(signal, "pthread_sigmask", None)  # not on Windows
        before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            if mask:
                mask(signal.SIG_SETMASK, before)


def _initialize_worker() -> None:
    """Prepare a new worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Exit when the parent is gone, even by SIGKILL. Files on disk are complete at any moment."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
