"""Models that learn from text, and the registry of their kinds."""

from __future__ import annotations

from charrnn.models.base import LanguageModel, Model, Trainable
from charrnn.models.classifier import Classifier, ClassifierConfig
from charrnn.models.ensemble import Ensemble
from charrnn.models.masked import MaskedLanguageModel
from charrnn.models.network import LANGUAGE_MODEL_CELLS, CharRNN, NetworkConfig, count_parameters
from charrnn.models.ngram import NGram, NGramConfig

_KINDS: tuple[type[Model], ...] = (CharRNN, NGram, MaskedLanguageModel, Classifier)

MODELS: dict[str, type[Model]] = {model.kind: model for model in _KINDS}
"""All kinds of models, by their name in checkpoints."""

__all__ = [
    "LANGUAGE_MODEL_CELLS",
    "MODELS",
    "CharRNN",
    "Classifier",
    "ClassifierConfig",
    "Ensemble",
    "LanguageModel",
    "MaskedLanguageModel",
    "Model",
    "NGram",
    "NGramConfig",
    "NetworkConfig",
    "Trainable",
    "count_parameters",
]
