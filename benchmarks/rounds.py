"""Fair timing: each measurement has its own process, and contestants run in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from math import exp, inf, log
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks.shapes import Setting, Shape

ROOT = Path(__file__).resolve().parent.parent
_THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
    "NPROC",  # the size of JAX's thread pool
)
_KERNEL_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "ONEDNN_MAX_CPU_ISA")
T = TypeVar("T")


class ChildError(Exception):
    """A child process that failed."""


class ChildTimeoutError(ChildError):
    """A child process that took too long."""


@dataclass(frozen=True)
class Spread:
    """The median, lowest and highest value over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Contestant:
    """A program to time: a module whose function `build(shape, setting)` returns one step."""

    name: str
    module: str
    variants: tuple[str, ...] = ("",)
    """The implementations that the module offers, the plain one first."""
    has_workers: bool = False

    def settings(
        self, threads: Sequence[int], workers: Sequence[int] = (1,), variants: bool = True
    ) -> list[Setting]:
        """The settings to try. Combinations with more threads in total than the largest number of
        threads or workers are left out, unless there are no others.
        """
        own = workers if self.has_workers else (1,)
        pairs = [(t, w) for w in own for t in threads]
        most = max(*threads, *own)
        pairs = [(t, w) for t, w in pairs if t * w <= most] or pairs
        return [
            Setting(t, w, v) for v in self.variants[: None if variants else 1] for t, w in pairs
        ]


def interleaved(jobs: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run the jobs in the order A B C A B C ..., so that a slow phase affects all of them."""
    results: dict[str, list[T]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            results[name].append(job())
    return results


def time_steps(
    contestant: Contestant,
    shape: Shape,
    setting: Setting,
    seconds: float,
    limit: float | None = None,
) -> dict[str, Any]:
    """Time one contestant in a new process. See `timed_child`."""
    job = {
        "module": f"benchmarks.{contestant.module}",
        "shape": shape.to_json(),
        "setting": asdict(setting),
        "seconds": seconds,
    }
    return run_child("benchmarks.timed_child", job, setting.threads, limit)


def run_child(
    module: str, job: Mapping[str, Any], threads: int = 1, limit: float | None = None
) -> dict[str, Any]:
    """Run a module of this package on a job. Returns the last line that it prints, parsed as JSON.

    A ChildError if it fails, a ChildTimeoutError if it is not done after `limit` seconds.
    """
    command = [sys.executable, "-m", module, json.dumps(job)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(threads),
            timeout=limit,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChildTimeoutError(f"{module} took longer than {limit:g} s at {dict(job)}") from None
    if done.returncode:
        raise ChildError(f"{module} failed at {dict(job)}:\n{done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def environment(threads: int) -> dict[str, str]:
    """The environment with the number of threads set in every variable that a library may read, and
    without variables that select kernels, so that each library chooses those for the processor.
    """
    changed = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
    for name in _KERNEL_VARIABLES:
        changed.pop(name, None)
    if threads == 1:
        flags = os.environ.get("XLA_FLAGS", "")
        changed["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    return changed


def best_setting(
    contestant: Contestant,
    shape: Shape,
    settings: Sequence[Setting],
    seconds: float,
    trials: int = 3,
) -> Setting:
    """The setting with the lowest median step time over a few short trials.

    The minimum would mislead: on a busy machine, threads are usually slow and sometimes fast.
    """
    if len(settings) == 1:
        return settings[0]
    # On a busy machine, threads that wait for each other can be a hundred times slower. Such a
    # trial is stopped.
    limit = 60 + 30 * seconds

    def trial(setting: Setting) -> Callable[[], float]:
        def run() -> float:
            try:
                return float(time_steps(contestant, shape, setting, seconds, limit)["median"])
            except ChildTimeoutError:
                return inf

        return run

    times = interleaved({str(n): trial(s) for n, s in enumerate(settings)}, trials)
    return min(zip(settings, times.values(), strict=True), key=lambda pair: median(pair[1]))[0]


def geometric_mean(ratios: Sequence[float]) -> float:
    """The geometric mean of at least one positive number."""
    return exp(sum(map(log, ratios)) / len(ratios))


def versions() -> dict[str, str]:
    """The versions of Python and of the packages compared, and the number of processors."""
    found = {"python": sys.version.split()[0], "processors": str(os.cpu_count())}
    for package in ("numpy", "torch", "jax", "charrnn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
