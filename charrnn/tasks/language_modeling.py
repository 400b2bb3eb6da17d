"""The task of a language model: predict the next character."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from charrnn.config.fields import Range, changed, option
from charrnn.config.train_config import ALL_CELLS, TrainConfig
from charrnn.data.batches import Streams
from charrnn.data.corpus import Corpus
from charrnn.data.reading import Source
from charrnn.errors import CheckpointError
from charrnn.language.dynamic import DynamicConfig, dynamic_surprisal
from charrnn.language.evaluate import Loss, evaluate
from charrnn.language.sampling import SamplingConfig
from charrnn.language.text_model import TextModel
from charrnn.models import CharRNN, LanguageModel, NGram
from charrnn.nn.params import Ids
from charrnn.runs.loaded import LoadedModels
from charrnn.tasks.base import Measurement, Task, per_char
from charrnn.tasks.reading import encode_text

_SAMPLE_LENGTH = 160


@dataclass(frozen=True)
class LanguageModelConfig(TrainConfig):
    """The options of a language model, which predicts the next character."""

    task: ClassVar[str] = "lm"
    variant: ClassVar[str] = "--task lm"
    cells: ClassVar[tuple[str, ...]] = ALL_CELLS

    cell: str = changed(TrainConfig, "cell", "gru", choices=ALL_CELLS)
    order: int = option(
        6, "Length of the n-grams, 1 to 12, with --cell ngram.", range=Range(least=1, most=12),
        group="Network", networks=False, ngrams=True,
    )  # fmt: skip
    reset: float = option(
        0.01, "Probability that a stream starts again from the initial state before an update.",
        range=Range(least=0, most=1), group="Optimizer",
    )  # fmt: skip

    @property
    def model_name(self) -> str:
        """The cell and its size: `gru 2x192`, `ngram 6`."""
        return f"ngram {self.order}" if self.cell == NGram.kind else super().model_name


class LanguageModeling(Task):
    """Read contiguous streams of text, carrying the state between chunks (truncated BPTT)."""

    config_class: ClassVar[type[TrainConfig]] = LanguageModelConfig
    summary: ClassVar[str] = "predict the next character"
    dataset: Corpus
    config: LanguageModelConfig

    @property
    def model_name(self) -> str:
        return self.config.model_name

    def build_model(self, rng: np.random.Generator) -> CharRNN:
        shape = self.config.network_config(len(self.dataset.vocabulary))
        return CharRNN.initialized(shape, rng)

    @property
    def reset_probability(self) -> float:
        return self.config.reset

    def batches(self) -> Streams:
        return Streams.of(self.dataset.train, self.config.batch, self.config.seq)

    def evaluate(self, model: LanguageModel, part: str, limit: int | None = None) -> Loss:
        vocabulary = self.dataset.vocabulary
        ids = vocabulary.up_to(self.dataset.parts[part], limit)
        return evaluate(model, ids, vocabulary)

    def to_loss(self, nats: float, symbols: int) -> Loss:
        return per_char(self.dataset, nats, symbols)

    def sample(self, model: LanguageModel, step: int) -> str | None:
        writer = TextModel(model, self.dataset.vocabulary)
        seeds = [[3, self.config.seed, step]]
        pieces = writer.stream(writer.prompt_ids(""), _SAMPLE_LENGTH, seeds, SamplingConfig(0.8))
        return b"".join(piece for (piece,) in pieces).decode("utf-8", "replace")

    @classmethod
    def text_model(cls, models: LoadedModels) -> TextModel:
        return TextModel(models.language_model, models.vocabulary)

    @classmethod
    def measure(
        cls,
        models: LoadedModels,
        sources: Sequence[Source],
        encoding: str | None = None,
        *,
        skip_unknown: bool = False,
        dynamic: DynamicConfig | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Measurement:
        """Measure a trained model on a text; with `dynamic`, a second time while it learns from the
        text. `on_progress` is then called with the symbols read and their total.
        """
        (source,) = sources
        network = require_network(models) if dynamic else None
        ids, skipped, remarks = encode_text(models, source, encoding, skip_unknown)
        started = time.perf_counter()
        losses = {source.name: evaluate(models.language_model, ids, models.vocabulary)}
        seconds = time.perf_counter() - started
        details: dict[str, Any] = {}
        if dynamic and network:
            loss, details["dynamic"] = _dynamic_loss(network, models, ids, dynamic, on_progress)
            losses["with --dynamic"] = loss
        details["skipped"] = skipped
        return Measurement(losses, losses[source.name].chars, seconds, details, remarks=remarks)


def require_network(models: LoadedModels) -> CharRNN:
    """The network, for dynamic evaluation; a CheckpointError if the model is not one."""
    if isinstance(models.model, CharRNN):
        return models.model
    raise CheckpointError(
        f"{models} ({models.model.name}) is not a recurrent language model; only those can learn "
        "while they read. Leave out --dynamic."
    )


def _dynamic_loss(
    network: CharRNN,
    models: LoadedModels,
    ids: Ids,
    dynamic: DynamicConfig,
    on_progress: Callable[[int, int], None],
) -> tuple[Loss, dict[str, Any]]:
    """The loss of dynamic evaluation, and the same for JSON."""
    started, nats, done = time.perf_counter(), 0.0, 0
    on_progress(0, len(ids))
    for surprisals in dynamic_surprisal(network, ids, dynamic, np.random.default_rng(0)):
        nats += float(surprisals.sum())
        done += len(surprisals)
        on_progress(done, len(ids))
    loss = Loss.of(nats, ids, models.vocabulary)
    used = asdict(dynamic) | {"lr": dynamic.resolve_lr(network.params.flat.size)}
    return loss, {**loss.to_json(), **used, "seconds": time.perf_counter() - started}
