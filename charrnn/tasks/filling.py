"""The task of restoring what is hidden, from what stands before and after it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from charrnn.data.batches import Windows
from charrnn.data.masking import hidden_in_text, hide
from charrnn.filling.gaps import by_certainty, measure
from charrnn.language.evaluate import Loss
from charrnn.models import MaskedLanguageModel
from charrnn.tasks.base import Task, per_char

_SAMPLE_LENGTH = 72
_GAP = "_"


class Fill(Task):
    """Read windows of the text with some symbols hidden, and tell which those are."""

    name: ClassVar[str] = "fill"

    def model(self, rng: np.random.Generator) -> MaskedLanguageModel:
        shape = self.config.network(len(self.corpus.vocabulary))
        return MaskedLanguageModel.initialised(shape, rng)

    def batches(self) -> Windows:
        c, gap = self.config, len(self.corpus.vocabulary)
        return Windows.of(self.corpus.parts["train"], c.batch, c.seq, gap, c.mask, c.seed)

    def evaluate(self, model: MaskedLanguageModel, part: str, limit: int | None = None) -> Loss:
        vocabulary = self.corpus.vocabulary
        ids = vocabulary.up_to(self.corpus.parts[part], limit)
        return measure(model, ids, self.config.mask, vocabulary=vocabulary).loss

    def running(self, nats: float, symbols: int) -> Loss:
        return per_char(self.corpus, nats, symbols)

    def sample(self, model: MaskedLanguageModel, step: int) -> str | None:
        """A piece of the text with gaps, and beneath it the same, filled."""
        rng = np.random.default_rng([3, self.config.seed, step])
        parts, vocabulary = self.corpus.parts, self.corpus.vocabulary
        text = parts["valid"] if len(parts["valid"]) else parts["train"]
        at = rng.integers(max(1, len(text) - _SAMPLE_LENGTH))
        ids = vocabulary.up_to(text[at : at + _SAMPLE_LENGTH], _SAMPLE_LENGTH)
        places = hidden_in_text(len(ids), self.config.mask, step)
        filled = hide(ids, places, model.mask_id)
        for guess in by_certainty(model, filled, vocabulary.unwritten):
            filled[guess.at] = guess.symbol
        shown = [vocabulary.decode([n]) for n in ids]
        gaps = [" " * (len(s) > 1 and s[0] == " ") + _GAP for s in shown]
        holed = [g if hidden else s for g, s, hidden in zip(gaps, shown, places, strict=True)]
        lines = ("".join(holed), vocabulary.decode(filled))
        return "\n".join(line.replace("\n", " ") for line in lines)
