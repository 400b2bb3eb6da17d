"""What a task is: which network is built, what it reads in training, and how good it is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from charrnn.config.train_config import TrainConfig
from charrnn.data.batches import Batches
from charrnn.data.corpus import Corpus
from charrnn.data.reading import Source
from charrnn.data.split import Split
from charrnn.data.vocabulary import Words
from charrnn.language.evaluate import Loss
from charrnn.models import Model, Trainable
from charrnn.nn.params import Ids


class Task(ABC):
    """Something to learn from a corpus."""

    name: ClassVar[str]
    """What `--task` calls it."""

    def __init__(self, corpus: Any, config: TrainConfig) -> None:
        self.corpus, self.config = corpus, config

    @classmethod
    def read(cls, sources: Sequence[Source], config: TrainConfig, **parts: Source | None) -> Any:
        """What there is to learn in these files; `parts` are files of their own, or None, for the
        parts `valid` and `test`.
        """
        return Corpus.read(
            sources, split=Split.parse(config.split), options=config.text_options, **parts
        )

    @abstractmethod
    def model(self, rng: np.random.Generator) -> Trainable:
        """A fresh network for it."""

    @abstractmethod
    def batches(self) -> Batches:
        """The training part, cut up."""

    @abstractmethod
    def evaluate(self, model: Any, part: str, limit: int | None = None) -> Loss:
        """The loss on a part that is not empty, or on about its first `limit` characters."""

    def running(self, nats: float, symbols: int) -> Loss:
        """The loss of some of the training part, from its nats per symbol."""
        return Loss(nats, symbols)

    def characters(self, inputs: Ids, targets: Ids) -> int:
        """How many characters are learned from a chunk."""
        return self.running(0.0, targets.size).chars

    def chance_loss(self, model: Model) -> float:
        """The loss of a guess among all answers, in nats."""
        return math.log(model.vocab_size)

    def sample(self, model: Any, step: int) -> str | None:
        """Something to look at while training goes on; random numbers depend on `step` alone."""
        return None


def per_char(corpus: Corpus, nats: float, symbols: int) -> Loss:
    """A loss per character of some of the training part, from its nats per symbol: words are taken
    to be as long as those of the whole part are on the average.
    """
    if not isinstance(corpus.vocabulary, Words):
        return Loss(nats, symbols)
    length = corpus.chars["train"] / len(corpus.train)
    return Loss(nats / length, round(symbols * length), symbols)
