"""One line that says what a model is."""

from __future__ import annotations

from charrnn.data.vocabulary import Vocabulary
from charrnn.models.base import LanguageModel, Model
from charrnn.models.ensemble import Ensemble


def summary(model: Model | LanguageModel, vocabulary: Vocabulary) -> str:
    """`gru 2x312, 1,074,441 parameters, 65 characters`: name, parameters, size of the vocabulary.

    The members of an ensemble are joined by `+`.
    """
    members = model.members if isinstance(model, Ensemble) else (model,)
    names = " + ".join(getattr(m, "name", type(m).__name__) for m in members)
    parameters = sum(getattr(m, "num_parameters", 0) for m in members)
    return f"{names}, {parameters:,} parameters, {len(vocabulary):,} {vocabulary.plural}"
