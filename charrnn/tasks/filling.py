"""The task of a masked language model: predict masked characters from both sides."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from charrnn.config.fields import Range, changed, option
from charrnn.config.train_config import TrainConfig
from charrnn.data.batches import Windows
from charrnn.data.corpus import Corpus
from charrnn.data.masking import mask, masked_in_text
from charrnn.data.reading import Source
from charrnn.filling.gaps import evaluate_masked, fill_by_confidence
from charrnn.filling.text_filler import TextFiller
from charrnn.language.evaluate import Loss
from charrnn.models import MaskedLanguageModel, NetworkConfig
from charrnn.runs.loaded import LoadedModels
from charrnn.tasks.base import Measurement, Task, per_char
from charrnn.tasks.reading import encode_text

_SAMPLE_LENGTH = 72
_GAP = "_"
_SEED = 0  # for the symbols that `eval` masks


@dataclass(frozen=True)
class FillConfig(TrainConfig):
    """The options of a masked language model, which fills gaps."""

    task: ClassVar[str] = "fill"
    variant: ClassVar[str] = "--task fill"
    task_defaults: ClassVar[Mapping[str, float]] = {"epochs": 20}

    hidden: int | None = changed(TrainConfig, "hidden", 192)
    layers: int | None = changed(TrainConfig, "layers", 2)
    dropout: float | None = changed(TrainConfig, "dropout", 0.1)
    weight_decay: float | None = changed(TrainConfig, "weight_decay", 0.0)
    mask: float = option(
        0.15, "Fraction of the characters to mask.", range=Range(above=0, most=1),
        group="Optimizer",
    )  # fmt: skip


class Filling(Task):
    """Read windows of the text with some symbols masked, and predict these."""

    config_class: ClassVar[type[TrainConfig]] = FillConfig
    summary: ClassVar[str] = "fill gaps"
    dataset: Corpus
    config: FillConfig

    @property
    def model_name(self) -> str:
        return MaskedLanguageModel.name_of(self._shape)

    def build_model(self, rng: np.random.Generator) -> MaskedLanguageModel:
        return MaskedLanguageModel.initialized(self._shape, rng)

    def batches(self) -> Windows:
        c, mask_id = self.config, len(self.dataset.vocabulary)
        return Windows.of(self.dataset.train, c.batch, c.seq, mask_id, c.mask, c.seed)

    def evaluate(self, model: MaskedLanguageModel, part: str, limit: int | None = None) -> Loss:
        vocabulary = self.dataset.vocabulary
        ids = vocabulary.up_to(self.dataset.parts[part], limit)
        return evaluate_masked(model, ids, self.config.mask, vocabulary=vocabulary).loss

    def to_loss(self, nats: float, symbols: int) -> Loss:
        return per_char(self.dataset, nats, symbols)

    def sample(self, model: MaskedLanguageModel, step: int) -> str | None:
        """A piece of the text with gaps, and below it the same piece, filled."""
        rng = np.random.default_rng([3, self.config.seed, step])
        parts, vocabulary = self.dataset.parts, self.dataset.vocabulary
        text = parts["valid"] if len(parts["valid"]) else parts["train"]
        at = rng.integers(max(1, len(text) - _SAMPLE_LENGTH))
        ids = vocabulary.up_to(text[at : at + _SAMPLE_LENGTH], _SAMPLE_LENGTH)
        places = masked_in_text(len(ids), self.config.mask, step)
        filled = mask(ids, places, model.mask_id)
        for guess in fill_by_confidence(model, filled, vocabulary.unwritten):
            filled[guess.at] = guess.symbol
        shown = [vocabulary.decode([n]) for n in ids]
        gaps = [" " * (len(s) > 1 and s[0] == " ") + _GAP for s in shown]
        masked = [g if is_gap else s for g, s, is_gap in zip(gaps, shown, places, strict=True)]
        lines = ("".join(masked), vocabulary.decode(filled))
        return "\n".join(line.replace("\n", " ") for line in lines)

    @classmethod
    def text_model(cls, models: LoadedModels) -> TextFiller:
        return TextFiller.of(models.checkpoint)

    @classmethod
    def measure(
        cls,
        models: LoadedModels,
        sources: Sequence[Source],
        encoding: str | None = None,
        *,
        skip_unknown: bool = False,
    ) -> Measurement:
        """Mask the same fraction of the text as in training, and measure the predictions."""
        (source,) = sources
        model, vocabulary = models.model, models.vocabulary
        assert isinstance(model, MaskedLanguageModel)
        ids, skipped, remarks = encode_text(models, source, encoding, skip_unknown)
        share = models.checkpoint.record.config.get("mask", FillConfig.mask)
        started = time.perf_counter()
        restored = evaluate_masked(model, ids, share, _SEED, vocabulary)
        seconds = time.perf_counter() - started
        details = {
            "accuracy": restored.accuracy, "mask": share, "mask_seed": _SEED, "skipped": skipped
        }  # fmt: skip
        line = (
            f"{restored.accuracy:.1%} of the masked {vocabulary.plural} are restored: "
            f"{share:.0%} of the text is masked, chosen with seed {_SEED}."
        )
        loss = restored.loss
        return Measurement(
            {source.name: loss}, loss.chars, seconds, details, (line,), remarks=remarks
        )

    @property
    def _shape(self) -> NetworkConfig:
        return self.config.network_config(len(self.dataset.vocabulary))
