"""The task of a classifier: name the class of a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from charrnn.classification.text_classifier import (
    ClassificationLoss,
    evaluate_classifier,
    log_probabilities,
)
from charrnn.config.train_config import CLASS_WEIGHTS, TrainConfig
from charrnn.data.batches import Buckets
from charrnn.data.examples import Examples
from charrnn.data.padding import PAD
from charrnn.data.reading import Source
from charrnn.data.split import Split
from charrnn.models import Classifier, ClassifierConfig, Model
from charrnn.nn.params import Ids
from charrnn.tasks.base import Task

_SHOWN = 3


class Classify(Task):
    """Read whole texts, those of like length side by side, and name the class of each."""

    name: ClassVar[str] = "classify"
    corpus: Examples

    @classmethod
    def read(
        cls, sources: Sequence[Source], config: TrainConfig, **parts: Source | None
    ) -> Examples:
        split, options = Split.parse(config.split), config.text_options
        return Examples.read(
            sources, seed=config.seed, longest=config.seq, split=split, options=options, **parts
        )

    def model(self, rng: np.random.Generator) -> Classifier:
        c, examples = self.config, self.corpus
        shape = ClassifierConfig(
            **vars(c.network(len(examples.vocabulary))),
            classes=examples.classes, bidirectional=c.bidirectional, longest=examples.longest,
            weights=class_weights(examples, CLASS_WEIGHTS[c.class_weights]),
        )  # fmt: skip
        return Classifier.initialised(shape, rng)

    def batches(self) -> Buckets:
        batch = min(self.config.batch, len(self.corpus.parts["train"]))
        return Buckets(self.corpus, batch, self.config.seed)

    def evaluate(
        self, model: Classifier, part: str, limit: int | None = None
    ) -> ClassificationLoss:
        numbers = self.corpus.parts[part]
        chars = int(self.corpus.lengths[numbers].sum())
        some = numbers[:: -(-chars // (limit or chars))]  # of all classes
        return evaluate_classifier(model, self.corpus.texts(some), self.corpus.labels[some])[0]

    def running(self, nats: float, symbols: int) -> ClassificationLoss:
        return ClassificationLoss(nats, symbols)

    def characters(self, inputs: Ids, targets: Ids) -> int:
        return int(np.count_nonzero(inputs != PAD))

    def chance_loss(self, model: Model) -> float:
        return math.log(len(self.corpus.classes))

    def sample(self, model: Classifier, step: int) -> str:
        """A few texts that it does not learn from, and what it takes them for."""
        examples = self.corpus
        unseen = examples.parts["valid"]
        numbers = unseen if len(unseen) else examples.parts["train"]
        some = np.random.default_rng([3, self.config.seed, step]).choice(numbers, _SHOWN)
        texts = examples.texts(some)
        found = zip(texts, examples.labels[some], log_probabilities(model, texts), strict=True)
        lines = []
        for text, right, log_p in found:
            named = int(log_p.argmax())
            but = "" if named == right else f", but is {examples.classes[right]}"
            p = f"{np.exp(log_p[named]):.0%}"
            lines.append(f"{examples.vocabulary.decode(text)}: {examples.classes[named]} {p}{but}")
        return "\n".join(lines)


def class_weights(examples: Examples, power: float) -> tuple[float, ...]:
    """What a text of each class counts: 1 / n^power where the class has n texts to train on, on
    average over these texts 1. Nothing, that is all the same, for a power of 0.
    """
    if not power:
        return ()
    count = np.bincount(examples.labels[examples.parts["train"]], minlength=len(examples.classes))
    weights = count**-power
    return tuple((weights / np.average(weights, weights=count)).tolist())
