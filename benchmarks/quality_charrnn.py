"""charrnn for `benchmarks.quality`: reads a job in JSON, prints a line of JSON per evaluation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from charrnn.system.allocator import keep_freed_memory
from charrnn.system.blas import limit_blas_threads

if __name__ == "__main__":
    limit_blas_threads()  # as `charrnn train` does, before NumPy is imported
    keep_freed_memory()

from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.language.evaluate import evaluate
from charrnn.models import CharRNN
from charrnn.tasks import LanguageModelConfig, make_task
from charrnn.training.training_step import TrainingStep


def main(job: dict[str, Any]) -> None:
    """Train for a fixed time, which does not include evaluation."""
    corpus = Corpus.read([Path(job["text"])], split=Split.parse(job["config"]["split"]))
    config = LanguageModelConfig(**job["config"], minutes=job["minutes"], workers=job["threads"])
    learner, budget = TrainingStep(make_task(corpus, config)), 60 * job["minutes"]
    assert isinstance(learner.model, CharRNN)
    due = [budget * k / job["points"] for k in range(1, job["points"] + 1)]
    while due:
        learner.update(learner.learning_rate)
        if learner.position.seconds >= due[0]:
            nats = evaluate(learner.model, corpus.valid).nats_per_char
            point = {
                "seconds": learner.position.seconds,
                "nats": nats,
                "steps": learner.position.step,
            }
            sys.stdout.write(json.dumps(point) + "\n")
            sys.stdout.flush()
            due = [d for d in due if d > learner.position.seconds]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
