"""One line that says what a model is."""

from __future__ import annotations

from charrnn.data.vocabulary import Vocabulary
from charrnn.models.base import LanguageModel, Model

_SYMBOLS = {"char": "characters", "byte": "bytes", "word": "words"}


def summary(model: Model | LanguageModel, vocabulary: Vocabulary) -> str:
    """`gru 2x312, 1,074,441 parameters, 65 characters`: name, parameters, size of the vocabulary.

    A model without a name of its own is called by the name of its class.
    """
    name = getattr(model, "name", type(model).__name__)
    parameters = getattr(model, "num_parameters", None)
    counts = [] if parameters is None else [f"{parameters:,} parameters"]
    return ", ".join([name, *counts, f"{len(vocabulary):,} {_SYMBOLS[vocabulary.unit]}"])
