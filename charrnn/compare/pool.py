"""Who does the runs of a comparison: processes of this machine, or the ranks of an MPI job."""

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
from charrnn.training.parallel.group import init_group


@dataclass(frozen=True)
class WorkerPool:
    """Workers to be had."""

    ranks: int
    """The number there is, where mpiexec decides it; else 0."""
    start: Callable[[int], Executor]
    """So many workers, to whom work can be given until the `with` block of `worker_pool` ends."""


@contextmanager
def worker_pool() -> Iterator[WorkerPool | None]:
    """Where work is done: by the other ranks under `mpiexec`, else by processes.

    A rank other than 0 works inside this call until rank 0 leaves the block, and then gets None:
    there is nothing left to do. A ProcessGroupError if mpi4py is missing or of another MPI.
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
    """End all processes that this one has started, or all ranks, whatever they are doing."""
    for process in multiprocessing.active_children():
        process.kill()
    if mpi := sys.modules.get("charrnn.training.parallel.mpi"):
        mpi.abort(128 + signal.SIGINT)


def _processes(count: int) -> _Processes:
    """Fresh interpreters, not forks: there are threads here that a fork would break, and no system
    but Linux forks well. Each product of theirs takes one thread.
    """
    if count < 1:
        raise ConfigError(f"workers is {count}; it must be 1 or more.")
    limit_blas_threads()
    return _Processes(count, multiprocessing.get_context("spawn"), _settle)


class _Processes(ProcessPoolExecutor):
    """Workers that leave Ctrl-C, which a terminal sends to all, to the process that started them.

    They are started in `submit`, and a signal that is held back there stays so for them from their
    first moment on.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        mask = getattr(signal, "pthread_sigmask", None)  # not on Windows
        before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            if mask:
                mask(signal.SIG_SETMASK, before)


def _settle() -> None:
    """The first thing that a worker does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Nobody is left behind, not even by a SIGKILL. What is on disk is whole at any moment."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
