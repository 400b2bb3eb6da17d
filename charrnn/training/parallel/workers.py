"""Those who compute a share of a gradient: processes where the system can fork, else threads.

A worker takes a job and gives its answer when asked. Processes share the memory of the parameters
and of the gradient, and nothing else goes between them but a few kilobytes a step; they beat
threads, which wait for each other between any two calls of NumPy. Both compute the same bits.
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
    """Has a place of its own for its gradient."""

    place: Params

    def start(self, *job: Any) -> None:
        """Begin with `worker_gradient`, the arguments of which are the job."""
        ...

    def result(self) -> tuple[float, State]:
        """What `worker_gradient` returned; a WorkerError if the worker is no more."""
        ...


def worker_gradient(
    model: Trainable,
    place: Params,
    ids: Ids,
    targets: Ids,
    state: State,
    part: float,
    rng: np.random.Generator | None,
) -> tuple[float, State]:
    """The loss and, in `place`, the gradient of some streams, weighted as `part` of the batch."""
    place.flat[:] = 0
    with np.errstate(all="ignore"):  # a loss that explodes is seen by whoever asked
        loss, after = model.loss_and_gradient(ids, targets, state, place, rng)
        if part != 1:
            place.flat *= part
    return part * loss, after


def workers(model: Trainable, count: int, *, fork: bool | None = None) -> list[Worker]:
    """`count` workers for a model, whose parameters are moved to memory that they share.

    Processes only where a fork is safe: on Linux, and while this process has no second thread.
    """
    if fork is None:
        fork = sys.platform == "linux" and threading.active_count() == 1
    if count and fork:
        model.params = _shared(model.params)
        return [ProcessWorker(model) for _ in range(count)]
    return [ThreadWorker(model) for _ in range(count)]


def _shared(params: Params) -> Params:
    """A copy in memory that stays common to this process and those forked from it."""
    memory = mmap.mmap(-1, max(1, params.flat.nbytes))
    flat = np.frombuffer(memory, params.flat.dtype, params.flat.size)
    flat[:] = params.flat
    return Params(params.shapes, flat)


class ThreadWorker:
    """A worker that is a thread."""

    def __init__(self, model: Trainable) -> None:
        self.model = model
        self.place = model.params.zeros_like()
        self._pool = ThreadPoolExecutor(1, "charrnn")
        self._waiting: Future[tuple[float, State]] | None = None

    def start(self, *job: Any) -> None:
        """See `Worker`."""
        self._waiting = self._pool.submit(worker_gradient, self.model, self.place, *job)

    def result(self) -> tuple[float, State]:
        """See `Worker`."""
        assert self._waiting is not None
        return self._waiting.result()


_HERE: weakref.WeakSet[Connection] = weakref.WeakSet()
"""The ends of all pipes that this process holds: a child must not keep them open."""


def _hang_up() -> None:
    """Close every pipe, which ends the processes at the other ends."""
    for pipe in list(_HERE):
        pipe.close()


atexit.register(_hang_up)


class ProcessWorker:
    """A worker that is a process. It ends when its pipe is closed, for whatever reason."""

    def __init__(self, model: Trainable) -> None:
        self.place = _shared(model.params)
        context = multiprocessing.get_context("fork")
        self._pipe, there = context.Pipe()
        _HERE.add(self._pipe)
        self.process = context.Process(
            target=_serve, args=(there, model, self.place), name="charrnn", daemon=True
        )
        self.process.start()
        there.close()

    def start(self, *job: Any) -> None:
        """See `Worker`."""
        with suppress(OSError):  # `result` says so
            self._pipe.send(job)

    def result(self) -> tuple[float, State]:
        """See `Worker`."""
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self.process.join(1)
            code = self.process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            raise WorkerError(
                f"A worker process has ended ({how}); continue with --resume, and where memory is "
                f"short with --workers 1."
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        loss, state = answer
        return loss, state


def _serve(pipe: Connection, model: Trainable, place: Params) -> None:
    """A child's life. Signals are its parent's business, whose end it sees by the closed pipe."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _hang_up()
    with suppress(EOFError, OSError):
        while True:
            job = pipe.recv()
            try:
                answer: Any = worker_gradient(model, place, *job)
            except Exception as error:
                answer = error
            pipe.send(answer)
