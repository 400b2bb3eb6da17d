"""Naming the class of texts, and how often the name is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.data.padding import padded
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CorpusError
from charrnn.language.evaluate import Loss
from charrnn.models import Classifier
from charrnn.nn.params import Ids
from charrnn.runs import checkpoint
from charrnn.runs.run import find_checkpoint


def log_probabilities(
    model: Classifier, texts: Sequence[Ids], *, symbols: int = 1 << 13
) -> NDArray[np.float64]:
    """Log P(class) of each text, `(N, classes)`. None is empty.

    Texts of like length are read side by side, about `symbols` symbols at a time.
    """
    found = np.empty((len(texts), len(model.config.classes)))
    order = sorted(range(len(texts)), key=lambda n: -len(texts[n]))
    while order:
        streams = max(1, symbols // len(texts[order[0]]))
        batch, order = order[:streams], order[streams:]
        found[batch] = model.classify(padded([texts[n] for n in batch]))
    return found


@dataclass(frozen=True)
class ClassificationLoss(Loss):
    """A loss per text, and how often the likeliest class is the right one."""

    per: ClassVar[str] = "example"
    accuracy: float | None = None
    """The share of texts whose class is named; None where nobody counted."""
    macro_f1: float | None = None
    """The mean of F1 over the classes; see `ConfusionMatrix`."""

    @property
    def figures(self) -> dict[str, float | None]:
        """What a person is shown of it, nats first."""
        return {"nats": self.nats_per_char, "macro F1": self.macro_f1, "accuracy": self.accuracy}

    def to_json(self) -> dict[str, Any]:
        """Under the documented keys."""
        return {
            "nats_per_example": self.nats_per_char,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "examples": self.chars,
        }


@dataclass(frozen=True)
class ConfusionMatrix:
    """How many texts of each class (a row) were given each name (a column)."""

    classes: tuple[str, ...]
    counts: NDArray[np.intp]

    @classmethod
    def of(cls, classes: tuple[str, ...], true: Ids, named: Ids) -> ConfusionMatrix:
        """From the numbers of the classes `(N,)` that texts have and that they were given."""
        counts = np.zeros((len(classes), len(classes)), np.intp)
        np.add.at(counts, (true, named), 1)
        return cls(classes, counts)

    @property
    def accuracy(self) -> float:
        """The share of names that are right."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def f1(self) -> NDArray[np.float64]:
        """For each class 2 right / (texts of the class + texts named so), the harmonic mean of
        precision and recall; NaN for a class that no text has and none is given.
        """
        both = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * np.diag(self.counts) / both)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over the classes that a text has or was given."""
        return float(np.nanmean(self.f1))


def evaluate_classifier(
    model: Classifier, texts: Sequence[Ids], labels: Ids
) -> tuple[ClassificationLoss, ConfusionMatrix]:
    """How well a model names the classes `labels` `(N,)` of N >= 1 texts.

    The loss is the mean of -log P(class), weighted as in training.
    """
    log_p = log_probabilities(model, texts)
    confusion = ConfusionMatrix.of(model.config.classes, labels, log_p.argmax(axis=1))
    nats = np.average(-log_p[np.arange(len(labels)), labels], weights=model.weights(labels))
    found = ClassificationLoss(
        float(nats), len(labels), accuracy=confusion.accuracy, macro_f1=confusion.macro_f1
    )
    return found, confusion


class TextClassifier:
    """A classifier that takes strings."""

    def __init__(self, model: Classifier, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    @property
    def classes(self) -> tuple[str, ...]:
        """The names it can give."""
        return self.model.config.classes

    def encode(self, text: str) -> Ids:
        """What is read of a text: its first symbols, without space around it. A symbol that was
        not met in training is the unknown one. A CorpusError if nothing is left.
        """
        ids = self.vocabulary.encode(text.strip())[: self.model.config.longest]
        if not len(ids):
            raise CorpusError("An empty text has no class.")
        return ids

    def unknown(self, ids: Ids) -> int:
        """How many symbols of a text are the unknown one."""
        return int((ids == self.vocabulary.unknown_id).sum())

    def classify(self, *texts: str) -> list[dict[str, float]]:
        """For each text the classes with their probabilities, the likeliest first."""
        log_p = log_probabilities(self.model, [self.encode(text) for text in texts])
        return [
            {self.classes[k]: float(np.exp(each[k])) for k in np.argsort(-each, kind="stable")}
            for each in log_p
        ]


def load_classifier(where: str | Path | None = None) -> TextClassifier:
    """Load a run directory or checkpoint file; without one, the newest run under ./checkpoints
    that holds a classifier. A CheckpointError says what is wrong.
    """
    path = find_checkpoint(Path(where) if where is not None else None, tasks=(Classifier.task,))
    found = checkpoint.load(path)
    return TextClassifier(found.classifier, found.vocabulary)
