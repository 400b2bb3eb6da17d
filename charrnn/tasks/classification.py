"""The task of a classifier: name the class of a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from charrnn.classification.text_classifier import (
    ClassificationLoss,
    evaluate_classifier,
    log_probabilities,
    padded,
)
from charrnn.config.train_config import CLASS_WEIGHTS, TrainConfig
from charrnn.data.corpus import Split
from charrnn.data.examples import Examples
from charrnn.data.reading import Source
from charrnn.models import Classifier, ClassifierConfig, Model
from charrnn.models.classifier import PAD
from charrnn.nn.params import Ids
from charrnn.tasks.base import Task

_POOL = 16  # batches that are sorted by length together
_FORGOTTEN = 0.01  # share of the symbols that are read as the unknown one
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


@dataclass
class Buckets:
    """Batches of texts of like length, drawn anew for each epoch.

    Each text is read once an epoch, but for the few that fill up the last batch. Texts are
    shuffled, and sorted by length within pools of a few batches; the batches are shuffled again.
    A hundredth of the symbols is read as the unknown one, so that its meaning is learned.
    """

    examples: Examples
    batch: int
    seed: int
    _drawn: tuple[int, Ids] = field(default=(-1, np.zeros(0, np.intp)), repr=False)

    @property
    def chunks(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.examples.parts["train"]) // self.batch)

    @property
    def seq(self) -> int:
        """Symbols of the longest text."""
        return int(self.examples.lengths[self.examples.parts["train"]].max())

    def chunk(self, n: int, epoch: int = 0) -> tuple[Ids, Ids]:
        """Texts `(T, B)`, filled up with PAD, and their classes `(B,)`."""
        if self._drawn[0] != epoch:
            self._drawn = epoch, self.draw(epoch)
        numbers = self._drawn[1][n]
        texts = padded(self.examples.texts(numbers))
        rng = np.random.default_rng([6, self.seed, epoch, n])
        forgotten = (rng.random(texts.shape) < _FORGOTTEN) & (texts != PAD)
        return np.where(forgotten, self.examples.unknown, texts), self.examples.labels[numbers]

    def draw(self, epoch: int) -> Ids:
        """The texts of each batch of an epoch, `(chunks, batch)`."""
        rng = np.random.default_rng([5, self.seed, epoch])
        train = self.examples.parts["train"]
        missing = self.chunks * self.batch - len(train)
        order = np.concatenate([rng.permutation(train), rng.permutation(train)[:missing]])
        pool = np.arange(len(order)) // (_POOL * self.batch)
        order = order[np.lexsort((self.examples.lengths[order], pool))]
        return rng.permutation(order.reshape(self.chunks, self.batch))


def class_weights(examples: Examples, power: float) -> tuple[float, ...]:
    """What a text of each class counts: 1 / n^power where the class has n texts to train on, on
    average over these texts 1. Nothing, that is all the same, for a power of 0.
    """
    if not power:
        return ()
    count = np.bincount(examples.labels[examples.parts["train"]], minlength=len(examples.classes))
    weights = count**-power
    return tuple((weights / np.average(weights, weights=count)).tolist())
