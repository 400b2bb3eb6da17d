"""The child process of a memory measurement: read a file as a corpus, then train a few steps on it.

    python -m benchmarks.reading_child JOB

JOB is `{"file": ..., "shape": ..., "steps": ...}` in JSON, as are the figures it prints.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median
from typing import Any

from benchmarks.shapes import RATE, Shape
from benchmarks.step_charrnn import config_of
from benchmarks.timed_child import peak_mb, timed
from charrnn.corpus import Corpus
from charrnn.learner import Learner


def main(job: dict[str, Any]) -> None:
    """Do the job and print its figures. Peaks only ever rise, so their order is that of events."""
    before = peak_mb()
    started = time.perf_counter()
    corpus = Corpus.read([job["file"]])
    seconds = time.perf_counter() - started
    after_reading = peak_mb()
    learner = Learner(corpus, config_of(Shape(**job["shape"])))
    times = timed(lambda: learner.step(RATE)[0], job["steps"], 0)
    figures = {
        "read_seconds": seconds,
        "symbols": len(corpus.vocabulary),
        "chars": sum(len(part) for part in corpus.parts.values()),
        "step_seconds": median(times),
        "peak_mb": {"start": before, "reading": after_reading, "training": peak_mb()},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
