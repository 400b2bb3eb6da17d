"""What a task is: everything that one kind of learning needs and others do not share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from charrnn.classification.text_classifier import ConfusionMatrix
from charrnn.config.resolve import Resolved
from charrnn.config.train_config import TrainConfig
from charrnn.data.batches import Batches
from charrnn.data.corpus import Corpus
from charrnn.data.dataset import Dataset
from charrnn.data.reading import Source
from charrnn.data.split import Split
from charrnn.data.vocabulary import Words
from charrnn.language.evaluate import Loss
from charrnn.models import Model, Trainable
from charrnn.nn.params import Ids
from charrnn.runs.loaded import LoadedModels


@dataclass(frozen=True)
class Measurement:
    """What `charrnn eval` reports."""

    losses: dict[str, Loss]
    """The loss of the text, and of the same text measured in other ways, by name."""
    chars: int
    """What `chars_per_second` counts: the characters predicted; for a classifier, the symbols read.
    """
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)
    """Further keys of the JSON output."""
    lines: Sequence[str] = ()
    """Further results, in words."""
    confusion: ConfusionMatrix | None = None
    remarks: Sequence[str] = ()
    """What was skipped or changed in reading the text."""


class Task(ABC):
    """One kind of learning, on a dataset, with resolved options.

    A task is an instance of a subclass, which is listed in `tasks.TASKS`. The subclass alone knows
    how its data is read, which network learns it, how it is measured and what is shown of it.
    """

    config_class: ClassVar[type[TrainConfig]]
    """The class of its options; its `task` is the name that `--task` takes."""
    loss_class: ClassVar[type[Loss]] = Loss
    """The class of its losses."""
    summary: ClassVar[str]
    """What is learned, for the help of `--task`."""
    several_texts: ClassVar[bool] = False
    """Whether `eval` takes several files."""

    def __init__(self, dataset: Any, resolved: Resolved[Any]) -> None:
        self.dataset = dataset
        self.config: Any = resolved.config
        self.chosen = resolved.chosen

    @classmethod
    def read(
        cls, sources: Sequence[Source | str], config: TrainConfig, **parts: Source | str | None
    ) -> Dataset:
        """Read these files; `parts` are separate files, or None, for `valid` and `test`."""
        return Corpus.read(
            sources, split=Split.parse(config.split), options=config.text_options, **parts
        )

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The name of its model, before it is built."""

    @abstractmethod
    def build_model(self, rng: np.random.Generator) -> Trainable:
        """A fresh network."""

    @abstractmethod
    def batches(self) -> Batches:
        """The training part in batches."""

    @abstractmethod
    def evaluate(self, model: Any, part: str, limit: int | None = None) -> Loss:
        """The loss on a part that is not empty, or on about its first `limit` characters."""

    @property
    def reset_probability(self) -> float:
        """The probability of resetting the state of a stream before a chunk."""
        return 0.0

    def to_loss(self, nats: float, symbols: int) -> Loss:
        """The loss of `symbols` symbols of the training part, from their mean in nats."""
        return self.loss_class(nats, symbols)

    def chars_read(self, inputs: Ids, targets: Ids) -> int:
        """The number of characters in a chunk, for the speed."""
        return self.to_loss(0.0, targets.size).chars

    def chance_loss(self, model: Model) -> float:
        """The loss of a uniform guess, in nats."""
        return math.log(model.vocab_size)

    def sample(self, model: Any, step: int) -> str | None:
        """An example of what the model does now. Its random numbers depend on `step` alone."""
        return None

    def short_text_note(self, batch: int, seq: int) -> str | None:
        """A sentence if the text is too short for the batch and sequence length asked for."""
        c = self.config
        if batch == c.batch and seq * 2 >= c.seq:
            return None
        return (
            f"The text is too short for {c.batch} streams of {c.seq} symbols; training on "
            f"{batch} stream{'s' * (batch > 1)} of {seq} instead."
        )

    @classmethod
    @abstractmethod
    def text_model(cls, models: LoadedModels) -> Any:
        """The trained model as an object that takes and returns strings."""

    @classmethod
    @abstractmethod
    def measure(
        cls,
        models: LoadedModels,
        sources: Sequence[Source],
        encoding: str | None = None,
        *,
        skip_unknown: bool = False,
    ) -> Measurement:
        """Measure a trained model on these files."""

    @classmethod
    def describe(cls, model: Any) -> dict[str, str]:
        """What `charrnn info` shows of a model besides its name and size."""
        return {}


def per_char(corpus: Corpus, nats: float, symbols: int) -> Loss:
    """The loss per character of `symbols` symbols, from their mean in nats. Words are taken to have
    the mean length of the words of the training part.
    """
    if not isinstance(corpus.vocabulary, Words):
        return Loss(nats, symbols)
    length = corpus.chars["train"] / len(corpus.train)
    return Loss(nats / length, round(symbols * length), symbols)
