"""Workers that compute the gradient of some streams: forked processes on Linux, else threads.

Processes share the memory of the parameters and gradients, and exchange a few kilobytes per step
through a pipe. They are faster than threads, which hold the interpreter lock between NumPy calls.
Both compute the same bits.
"""

from __future__ import annotations

import atexit
import mmap
import multiprocessing
import signal
import sys
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from charrnn.errors import WorkerError
from charrnn.models import Trainable
from charrnn.nn.params import Ids, Params, State


class Worker(Protocol):
    """A worker with a gradient buffer of its own."""

    grads: Params

    def start(self, *job: Any) -> None:
        """Start `worker_gradient`; `job` holds its arguments after `grads`."""
        ...

    def result(self) -> tuple[float, State]:
        """Wait for the job and return the result of `worker_gradient`.

        Raises WorkerError if the worker process has died, and whatever the job raised.
        """
        ...


def worker_gradient(
    model: Trainable,
    grads: Params,
    ids: Ids,
    targets: Ids,
    state: State,
    weight: float,
    rng: np.random.Generator | None,
) -> tuple[float, State]:
    """Compute the loss and, in `grads`, the gradient of some streams, both times `weight`.

    Also returns the new state of these streams.
    """
    grads.flat[:] = 0
    with np.errstate(all="ignore"):  # the trainer checks for an exploded loss
        loss, new_state = model.loss_and_gradient(ids, targets, state, grads, rng)
        if weight != 1:
            grads.flat *= weight
    return weight * loss, new_state


def start_workers(model: Trainable, count: int, *, fork: bool | None = None) -> list[Worker]:
    """Start `count` workers for a model. For processes, moves its parameters to shared memory.

    By default, workers are processes where a fork is safe: on Linux, while this process has only
    one thread.
    """
    if fork is None:
        fork = sys.platform == "linux" and threading.active_count() == 1
    if count and fork:
        model.params = _shared(model.params)
        return [ProcessWorker(model) for _ in range(count)]
    return [ThreadWorker(model) for _ in range(count)]


def _shared(params: Params) -> Params:
    """A copy in memory shared by this process and the processes forked from it."""
    memory = mmap.mmap(-1, max(1, params.flat.nbytes))
    flat = np.frombuffer(memory, params.flat.dtype, params.flat.size)
    flat[:] = params.flat
    return Params(params.shapes, flat)


class ThreadWorker:
    """A worker thread."""

    def __init__(self, model: Trainable) -> None:
        self.model = model
        self.grads = model.params.zeros_like()
        self._pool = ThreadPoolExecutor(1, "charrnn")
        self._future: Future[tuple[float, State]] | None = None

    def start(self, *job: Any) -> None:
        """See `Worker`."""
        self._future = self._pool.submit(worker_gradient, self.model, self.grads, *job)

    def result(self) -> tuple[float, State]:
        """See `Worker`."""
        assert self._future is not None
        return self._future.result()


_PIPES: weakref.WeakSet[Connection] = weakref.WeakSet()
"""This process's ends of its workers' pipes. A forked child must close its copies of them."""


def _close_pipes() -> None:
    """Close all pipes; the worker processes at the other ends then exit."""
    for pipe in list(_PIPES):
        pipe.close()


atexit.register(_close_pipes)


class ProcessWorker:
    """A worker process. It exits when its pipe is closed, for any reason."""

    def __init__(self, model: Trainable) -> None:
        self.grads = _shared(model.params)
        context = multiprocessing.get_context("fork")
        self._pipe, child_pipe = context.Pipe()
        _PIPES.add(self._pipe)
        self.process = context.Process(
            target=_serve, args=(child_pipe, model, self.grads), name="charrnn", daemon=True
        )
        self.process.start()
        child_pipe.close()

    def start(self, *job: Any) -> None:
        """See `Worker`."""
        with suppress(OSError):  # `result` reports a dead worker
            self._pipe.send(job)

    def result(self) -> tuple[float, State]:
        """See `Worker`."""
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self.process.join(1)
            code = self.process.exitcode
            cause = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            raise WorkerError(
                f"A worker process has ended ({cause}); continue with --resume, and with "
                f"--workers 1 if memory is short."
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        loss, state = answer
        return loss, state


def _serve(pipe: Connection, model: Trainable, grads: Params) -> None:
    """Worker loop: ignores signals; exits when the parent closes the pipe or dies."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _close_pipes()
    with suppress(EOFError, OSError):
        while True:
            job = pipe.recv()
            try:
                answer: Any = worker_gradient(model, grads, *job)
            except Exception as error:
                answer = error
            pipe.send(answer)
