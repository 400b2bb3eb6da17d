"""The task of a language model: predict the next character."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from charrnn.data.batches import Streams
from charrnn.language.evaluate import Loss, evaluate
from charrnn.language.sampling import SamplingConfig
from charrnn.language.text_model import TextModel
from charrnn.models import CharRNN, LanguageModel
from charrnn.tasks.base import Task, per_char

_SAMPLE_LENGTH = 160


class Predict(Task):
    """Read the text in contiguous streams, state carried from chunk to chunk (truncated BPTT)."""

    name: ClassVar[str] = "lm"

    def model(self, rng: np.random.Generator) -> CharRNN:
        shape = self.config.network(len(self.corpus.vocabulary))
        return CharRNN.initialised(shape, rng)

    def batches(self) -> Streams:
        return Streams.of(self.corpus.train, self.config.batch, self.config.seq)

    def evaluate(self, model: LanguageModel, part: str, limit: int | None = None) -> Loss:
        vocabulary = self.corpus.vocabulary
        ids = vocabulary.up_to(self.corpus.parts[part], limit)
        return evaluate(model, ids, vocabulary)

    def running(self, nats: float, symbols: int) -> Loss:
        return per_char(self.corpus, nats, symbols)

    def sample(self, model: LanguageModel, step: int) -> str | None:
        writer = TextModel(model, self.corpus.vocabulary)
        seeds = [[3, self.config.seed, step]]
        pieces = writer.stream(writer.beginning(""), _SAMPLE_LENGTH, seeds, SamplingConfig(0.8))
        return b"".join(piece for (piece,) in pieces).decode("utf-8", "replace")
