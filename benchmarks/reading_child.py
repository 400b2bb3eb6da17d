"""The child process of `benchmarks.memory`: read a file as a corpus and train a few steps.

    python -m benchmarks.reading_child JOB

JOB is `{"file": ..., "cache": ..., "shape": ..., "steps": ...}` in JSON. The output is JSON too.
With an empty cache it is a first start, otherwise a second one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from statistics import median
from typing import Any

from charrnn.system.allocator import keep_freed_memory
from charrnn.system.blas import limit_blas_threads

if __name__ == "__main__":
    limit_blas_threads()  # as `charrnn train` does, before NumPy is imported
    keep_freed_memory()

from benchmarks.shapes import RATE, Shape
from benchmarks.step_charrnn import config_of
from benchmarks.timed_child import peak_mb, status_mb, timed
from charrnn.data.corpus import Corpus
from charrnn.data.reading import Source, TextOptions
from charrnn.tasks import make_task
from charrnn.training.training_step import TrainingStep

_PAUSE = 0.002  # seconds between two readings of the memory


class AnonymousPeak(threading.Thread):
    """Records the peak of anonymous memory, which no file backs and the system cannot reclaim.

    The kernel does not record this peak.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mb = 0.0
        self.start()

    def run(self) -> None:
        """Read the memory at short intervals."""
        while True:
            self.look()
            time.sleep(_PAUSE)

    def look(self) -> float:
        """The peak so far; of all memory where the system reports no anonymous memory."""
        now = status_mb("RssAnon")
        self.mb = max(self.mb, peak_mb() if now is None else now)
        return self.mb


def main(job: dict[str, Any]) -> None:
    """Do the job and print the measurements, in the order of events, since peaks only rise."""
    os.environ["CHARRNN_CACHE"] = job["cache"]
    anonymous = AnonymousPeak()
    peaks = {"start": (anonymous.look(), peak_mb())}
    started = time.perf_counter()
    for _ in Source.of(job["file"]).code_points(TextOptions()):
        pass
    decode_seconds = time.perf_counter() - started
    started = time.perf_counter()
    corpus = Corpus.read([job["file"]])
    start_seconds = time.perf_counter() - started
    peaks["reading"] = anonymous.look(), peak_mb()
    learner = TrainingStep(make_task(corpus, config_of(Shape(**job["shape"]))))
    times = timed(lambda: learner.update(RATE)[0], job["steps"], 0)
    peaks["training"] = anonymous.look(), peak_mb()
    figures = {
        "decode_seconds": decode_seconds,
        "start_seconds": start_seconds,
        "symbols": len(corpus.vocabulary),
        "chars": sum(len(part) for part in corpus.parts.values()),
        "step_seconds": median(times),
        "peak_mb": {when: both[1] for when, both in peaks.items()},
        "anonymous_mb": {when: both[0] for when, both in peaks.items()},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
