"""The task of a classifier: predict the class of a text."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from charrnn.classification.text_classifier import (
    ClassificationLoss,
    ConfusionMatrix,
    TextClassifier,
    evaluate_classifier,
    log_probabilities,
)
from charrnn.config.fields import changed, option
from charrnn.config.train_config import TrainConfig
from charrnn.data.batches import Buckets
from charrnn.data.dataset import joint_name
from charrnn.data.examples import Examples
from charrnn.data.labelled import read_labelled
from charrnn.data.padding import PAD
from charrnn.data.reading import Source
from charrnn.data.split import Split
from charrnn.errors import CorpusError
from charrnn.language.evaluate import Loss
from charrnn.models import Classifier, ClassifierConfig, Model
from charrnn.nn.params import Ids
from charrnn.runs.loaded import LoadedModels
from charrnn.runs.reading import text_options
from charrnn.tasks.base import Measurement, Task

CLASS_WEIGHTS = {"none": 0.0, "root": 0.5, "balanced": 1.0}
"""The weight of a text is the frequency of its class to minus this power."""
_SHOWN = 3  # texts in a sample
_LISTED = 8  # at most so many classes are listed in a message


@dataclass(frozen=True)
class ClassifyConfig(TrainConfig):
    """The options of a classifier."""

    task: ClassVar[str] = "classify"
    variant: ClassVar[str] = "--task classify"
    task_defaults: ClassVar[Mapping[str, float]] = {"epochs": 15}

    hidden: int | None = changed(TrainConfig, "hidden", 128)
    layers: int | None = changed(TrainConfig, "layers", 1)
    bidirectional: bool = option(True, "Read the text in both directions.", group="Network")
    dropout: float | None = changed(TrainConfig, "dropout", 0.3)
    seq: int = changed(
        TrainConfig, "seq", 256, help="symbols of a text that are read, from its beginning."
    )
    weight_decay: float | None = changed(TrainConfig, "weight_decay", 0.0)
    class_weights: str = option(
        "none", "Weights of the classes in the loss: balanced gives every class the same weight, "
        "root is halfway.", choices=CLASS_WEIGHTS, group="Optimizer",
    )  # fmt: skip
    split: str = changed(
        TrainConfig, "split", "0.8,0.1,0.1", help="fractions of each class, chosen at random."
    )


class Classification(Task):
    """Read whole texts in batches of similar length, and predict the class of each."""

    config_class: ClassVar[type[TrainConfig]] = ClassifyConfig
    loss_class: ClassVar[type[Loss]] = ClassificationLoss
    summary: ClassVar[str] = "predict the class of a text"
    several_texts: ClassVar[bool] = True
    dataset: Examples
    config: ClassifyConfig

    @classmethod
    def read(
        cls, sources: Sequence[Source | str], config: TrainConfig, **parts: Source | str | None
    ) -> Examples:
        split, options = Split.parse(config.split), config.text_options
        return Examples.read(
            sources, seed=config.seed, longest=config.seq, split=split, options=options, **parts
        )

    @property
    def model_name(self) -> str:
        return Classifier.name_of(self._shape)

    @property
    def _shape(self) -> ClassifierConfig:
        c, examples = self.config, self.dataset
        return ClassifierConfig(
            **vars(c.network_config(len(examples.vocabulary))),
            classes=examples.classes, bidirectional=c.bidirectional, longest=examples.longest,
            weights=class_weights(examples, CLASS_WEIGHTS[c.class_weights]),
        )  # fmt: skip

    def build_model(self, rng: np.random.Generator) -> Classifier:
        return Classifier.initialized(self._shape, rng)

    def batches(self) -> Buckets:
        batch = min(self.config.batch, len(self.dataset.parts["train"]))
        return Buckets(self.dataset, batch, self.config.seed)

    def evaluate(
        self, model: Classifier, part: str, limit: int | None = None
    ) -> ClassificationLoss:
        numbers = self.dataset.parts[part]
        chars = int(self.dataset.lengths[numbers].sum())
        some = numbers[:: -(-chars // (limit or chars))]  # of all classes
        return evaluate_classifier(model, self.dataset.texts(some), self.dataset.labels[some])[0]

    def chars_read(self, inputs: Ids, targets: Ids) -> int:
        return int(np.count_nonzero(inputs != PAD))

    def chance_loss(self, model: Model) -> float:
        return math.log(len(self.dataset.classes))

    def sample(self, model: Classifier, step: int) -> str:
        """A few unseen texts with the predicted classes."""
        examples = self.dataset
        unseen = examples.parts["valid"]
        numbers = unseen if len(unseen) else examples.parts["train"]
        some = np.random.default_rng([3, self.config.seed, step]).choice(numbers, _SHOWN)
        texts = examples.texts(some)
        lines = []
        for text, true, log_p in zip(
            texts, examples.labels[some], log_probabilities(model, texts), strict=True
        ):
            predicted = int(log_p.argmax())
            but = "" if predicted == true else f", but is {examples.classes[true]}"
            p = f"{np.exp(log_p[predicted]):.0%}"
            shown = examples.vocabulary.decode(text)
            lines.append(f"{shown}: {examples.classes[predicted]} {p}{but}")
        return "\n".join(lines)

    def short_text_note(self, batch: int, seq: int) -> None:
        return None

    @classmethod
    def text_model(cls, models: LoadedModels) -> TextClassifier:
        return TextClassifier(models.checkpoint.classifier, models.vocabulary)

    @classmethod
    def measure(
        cls,
        models: LoadedModels,
        sources: Sequence[Source],
        encoding: str | None = None,
        *,
        skip_unknown: bool = False,
    ) -> Measurement:
        """Classify labelled texts. Symbols not in the vocabulary become the unknown symbol."""
        model = cls.text_model(models)
        options = [text_options(models.checkpoint, source, encoding) for source in sources]
        lines = read_labelled(list(zip(sources, options, strict=True)))
        number = {name: n for n, name in enumerate(model.classes)}
        if unknown := next((line.label for line in lines if line.label not in number), None):
            raise CorpusError(f"{_classes_of(models, number)}; the text has the class '{unknown}'.")
        texts = [model.encode(line.text) for line in lines]
        labels = np.array([number[line.label] for line in lines])
        started = time.perf_counter()
        loss, confusion = evaluate_classifier(model.model, texts, labels)
        seconds = time.perf_counter() - started
        count = sum(model.unknown(ids) for ids in texts)
        remark = f"Read {models.vocabulary.counted(count)} as the unknown symbol."
        return Measurement(
            {joint_name(sources): loss}, sum(map(len, texts)), seconds,
            {"unknown": count, **_to_json(confusion)},
            confusion=confusion, remarks=(remark,) * bool(count),
        )  # fmt: skip

    @classmethod
    def describe(cls, model: Classifier) -> dict[str, str]:
        return {"classes": ", ".join(model.config.classes)}


def _classes_of(models: LoadedModels, classes: Collection[str]) -> str:
    """The classes of a model, or if there are many, their number."""
    if len(classes) > _LISTED:
        return f"{models} has {len(classes)} classes"
    *others, last = classes
    return f"The classes of {models} are {', '.join(others)} and {last}"


def class_weights(examples: Examples, power: float) -> tuple[float, ...]:
    """The weight of a text of each class: 1 / n^power for a class with n training texts, scaled to
    a mean of 1 over these texts. Empty, that is all equal, for a power of 0.
    """
    if not power:
        return ()
    count = np.bincount(examples.labels[examples.parts["train"]], minlength=len(examples.classes))
    weights = count**-power
    return tuple((weights / np.average(weights, weights=count)).tolist())


def _to_json(confusion: ConfusionMatrix) -> dict[str, Any]:
    """F1 of each class, and the matrix: row n has the texts of class n, by predicted class."""
    rows = zip(confusion.classes, confusion.counts.sum(axis=1), confusion.f1, strict=True)
    classes = [
        {"class": c, "examples": int(n), "f1": float(f1) if math.isfinite(f1) else None}
        for c, n, f1 in rows
    ]
    return {"classes": classes, "confusion": confusion.counts.tolist()}
