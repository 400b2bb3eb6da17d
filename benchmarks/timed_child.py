"""The child process of a round: build one contestant, warm it up and time its steps.

    python -m benchmarks.timed_child JOB

JOB is the JSON that `rounds.time_steps` writes. The last line of the output has the times, in JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import fmean, median
from typing import Any

from charrnn.system.allocator import keep_freed_memory
from charrnn.system.blas import limit_blas_threads

if __name__ == "__main__" and "charrnn" in json.loads(sys.argv[1])["module"]:
    limit_blas_threads()  # as `charrnn train` does, before NumPy is imported
    keep_freed_memory()

from benchmarks.shapes import Setting, Shape

_WARM_UP_STEPS = 2  # at least: the first compiles, the second settles the allocator
_STEPS = 3


def main(job: dict[str, Any]) -> None:
    """Do the job and print the measurements."""
    build = import_module(job["module"]).build
    step = build(Shape(**job["shape"]), Setting(**job["setting"]))
    timed(step, _WARM_UP_STEPS, job["seconds"] / 6)
    cpu, clock = time.process_time(), time.perf_counter()
    times = timed(step, _STEPS, job["seconds"])
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    figures = {
        "median": median(times),
        "mean": fmean(times),
        "low": min(times),
        "high": max(times),
        "steps": len(times),
        "cores_used": cpu / clock,
        "peak_mb": peak_mb(),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def timed(step: Callable[[], float], least: int, seconds: float) -> list[float]:
    """The time of each step, for `seconds` seconds and at least `least` steps."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return times


def peak_mb() -> float:
    """The peak memory of this process, in units of 10^6 bytes."""
    peak = status_mb("VmHWM")
    if peak is not None:  # on Linux, getrusage includes the memory of the parent process
        return peak
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def status_mb(name: str) -> float | None:
    """A memory field of /proc/self/status, in units of 10^6 bytes; None outside Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = status.read_text("ascii", "replace").splitlines()
    kib = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), None)
    return None if kib is None else int(kib) * 1024 / 1e6


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
