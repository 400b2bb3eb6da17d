"""Workers: processes and threads compute the same bits, and all processes end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import WorkerError
from charrnn.models import CharRNN, NetworkConfig
from charrnn.training.parallel.data_parallel import DataParallel
from charrnn.training.parallel.workers import ProcessWorker, start_workers

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")


def make_parallel(fork: bool, count: int = 3) -> DataParallel:
    shape = NetworkConfig(11, "lstm", 16, 2, 0.2)
    model = CharRNN.initialized(shape, np.random.default_rng(1))
    parallel = DataParallel(model, 7, 1)
    whole = DataParallel(model, 7, count)
    parallel.worker_streams, parallel.weights, parallel.extra_workers = (
        whole.worker_streams,
        whole.weights,
        start_workers(model, count - 1, fork=fork),
    )
    return parallel


def run(parallel: DataParallel, steps: int = 3) -> tuple[list[float], np.ndarray, list[np.ndarray]]:
    """Some steps of plain gradient descent."""
    rng = np.random.default_rng(2)
    state, grads, losses = parallel.model.initial_state(7), parallel.model.params.zeros_like(), []
    for _ in range(steps):
        ids = rng.integers(0, 11, (5, 7)).astype(np.uint8)
        loss, state = parallel.gradient(
            ids, ids, state, grads, lambda n: np.random.default_rng([9, n])
        )
        parallel.model.params.flat[:] -= grads.flat
        losses.append(loss)
    return losses, grads.flat, list(state)


@linux_only
def test_processes_and_threads_compute_the_same_bits() -> None:
    forked, threaded = run(make_parallel(fork=True)), run(make_parallel(fork=False))
    assert forked[0] == threaded[0]
    assert np.array_equal(forked[1], threaded[1])
    assert all(np.array_equal(a, b) for a, b in zip(forked[2], threaded[2], strict=True))


@linux_only
def test_a_killed_worker_is_an_error_that_says_so() -> None:
    parallel = make_parallel(fork=True)
    run(parallel, 1)
    (first, *_) = parallel.extra_workers
    assert isinstance(first, ProcessWorker)
    os.kill(first.process.pid or 0, signal.SIGKILL)
    with pytest.raises(WorkerError, match=r"signal 9.*--resume"):
        run(parallel, 1)


@linux_only
def test_an_error_in_a_worker_is_raised_in_the_parent() -> None:
    parallel = make_parallel(fork=True)
    ids = np.full((5, 7), 99)
    parallel.extra_workers[0].start(ids, ids, parallel.model.initial_state(7), 1.0, None)
    with pytest.raises(IndexError):
        parallel.extra_workers[0].result()
    assert len(run(parallel, 1)[0]) == 1


@linux_only
def test_worker_processes_end_with_their_pool() -> None:
    parallel = make_parallel(fork=True)
    pids = [w.process.pid for w in parallel.extra_workers if isinstance(w, ProcessWorker)]
    assert len(pids) == 2
    processes = [w.process for w in parallel.extra_workers if isinstance(w, ProcessWorker)]
    del parallel
    for process in processes:
        process.join(5)
        assert process.exitcode == 0


def start_training(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "charrnn", "train", "elizabethan", "--hidden", "16"]
    command += [
        "--workers",
        "3",
        "--epochs",
        "500",
        "--out",
        str(folder),
        "--json",
        "--eval-every",
        "20",
    ]
    environment = {**os.environ, "CHARRNN_TRACEBACK": ""}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@linux_only
@pytest.mark.parametrize(
    ("number", "whom", "code"),
    [(signal.SIGKILL, "worker", 1), (signal.SIGKILL, "parent", -9), (signal.SIGINT, "all", 130)],
)
def test_no_process_outlives_a_signal(tmp_path: Path, number: int, whom: str, code: int) -> None:
    with start_training(tmp_path) as training:
        wait_for(lambda: list(tmp_path.glob("*/last.npz")))
        others = children(training.pid)
        assert len(others) == 2
        targets = {"worker": others[:1], "parent": [training.pid], "all": [*others, training.pid]}
        for pid in targets[whom]:
            os.kill(pid, number)
        _, errors = training.communicate(timeout=30)
        assert training.returncode == code
        wait_for(lambda: all(map(is_gone, others)))
    if whom == "worker":
        assert errors.startswith("Error: A worker process has ended (signal 9);")
        assert errors.count("\n") == 1
    last = next(tmp_path.glob("*/last.npz"))
    with np.load(last, allow_pickle=False) as file:
        assert "meta" in file
