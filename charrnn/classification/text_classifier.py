"""Classifying texts, and evaluating a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.data.padding import padded
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CorpusError
from charrnn.language.evaluate import Loss
from charrnn.models import Classifier
from charrnn.models.summary import summary
from charrnn.nn.params import Ids, IntArray


def log_probabilities(
    model: Classifier, texts: Sequence[Ids], *, symbols: int = 1 << 13
) -> NDArray[np.float64]:
    """Log P(class) of each text, `(N, classes)`. No text may be empty.

    Texts of similar length form batches of about `symbols` symbols.
    """
    log_p = np.empty((len(texts), len(model.config.classes)))
    order = sorted(range(len(texts)), key=lambda n: -len(texts[n]))
    while order:
        streams = max(1, symbols // len(texts[order[0]]))
        batch, order = order[:streams], order[streams:]
        log_p[batch] = model.classify(padded([texts[n] for n in batch]))
    return log_p


@dataclass(frozen=True)
class ClassificationLoss(Loss):
    """A mean loss per text, with the classification metrics.

    The inherited `nats_per_char` holds the mean nats per text, and `chars` the number of texts.
    """

    per: ClassVar[str] = "example"
    counted: ClassVar[str] = "texts"
    accuracy: float | None = None
    """The fraction of texts classified correctly; None if it was not measured."""
    macro_f1: float | None = None
    """The mean of F1 over the classes; see `ConfusionMatrix`."""

    @property
    def figures(self) -> dict[str, float | None]:
        """The figures to display, nats first."""
        return {"nats": self.nats_per_char, "macro F1": self.macro_f1, "accuracy": self.accuracy}

    def to_json(self) -> dict[str, Any]:
        """The figures and the number of texts under their documented keys."""
        return {
            "nats_per_example": self.nats_per_char,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "examples": self.chars,
        }


@dataclass(frozen=True)
class ConfusionMatrix:
    """How many texts of each class (rows) were predicted to be of each class (columns)."""

    classes: tuple[str, ...]
    counts: NDArray[np.intp]
    """`(classes, classes)`."""

    @classmethod
    def of(cls, classes: tuple[str, ...], true: IntArray, predicted: IntArray) -> ConfusionMatrix:
        """From the indices `(N,)` of the true and of the predicted classes."""
        counts = np.zeros((len(classes), len(classes)), np.intp)
        np.add.at(counts, (true, predicted), 1)
        return cls(classes, counts)

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each class, 2 correct / (texts of the class + predictions of the class): the
        harmonic mean of precision and recall. NaN for a class with neither.
        """
        total = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * np.diag(self.counts) / total)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over the classes that occur or were predicted."""
        return float(np.nanmean(self.f1))


def evaluate_classifier(
    model: Classifier, texts: Sequence[Ids], labels: IntArray
) -> tuple[ClassificationLoss, ConfusionMatrix]:
    """The loss and the confusion matrix of N >= 1 texts whose classes are `labels` `(N,)`.

    The loss is the mean of -log P(class), with the class weights of training.
    """
    log_p = log_probabilities(model, texts)
    confusion = ConfusionMatrix.of(model.config.classes, labels, log_p.argmax(axis=1))
    nats = np.average(-log_p[np.arange(len(labels)), labels], weights=model.weights(labels))
    loss = ClassificationLoss(
        float(nats), len(labels), accuracy=confusion.accuracy, macro_f1=confusion.macro_f1
    )
    return loss, confusion


class TextClassifier:
    """A classifier of strings."""

    def __init__(self, model: Classifier, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    def __repr__(self) -> str:
        classes = f"{len(self.classes)} classes"
        return f"TextClassifier({summary(self.model, self.vocabulary)}, {classes})"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.model.config.classes

    def encode(self, text: str) -> Ids:
        """The ids `(N,)` that the model reads: the beginning of the text, stripped of white space.

        A character that was not seen in training becomes the unknown symbol. A CorpusError if the
        text is empty.
        """
        ids = self.vocabulary.encode(text.strip())[: self.model.config.longest]
        if not len(ids):
            raise CorpusError("An empty text has no class.")
        return ids

    def unknown(self, ids: Ids) -> int:
        """The number of unknown symbols in a text."""
        return int((ids == self.vocabulary.unknown_id).sum())

    def classify(self, *texts: str) -> list[dict[str, float]]:
        """The probability of each class for each text, in descending order."""
        log_p = log_probabilities(self.model, [self.encode(text) for text in texts])
        return [
            {self.classes[k]: float(np.exp(row[k])) for k in np.argsort(-row, kind="stable")}
            for row in log_p
        ]
