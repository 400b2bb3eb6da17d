"""Trained models that are loaded for use, alone or as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, VocabularyError
from charrnn.models import Ensemble, LanguageModel, Model
from charrnn.runs.checkpoint import Checkpoint, load
from charrnn.runs.find import find_checkpoint


@dataclass(frozen=True)
class LoadedModels:
    """One or several checkpoints, of which the first decides how texts are read."""

    paths: Sequence[Path]
    checkpoints: Sequence[Checkpoint]

    @classmethod
    def open(
        cls, where: str | Path | None, *others: str | Path, tasks: Sequence[str] | None = None
    ) -> LoadedModels:
        """Load run directories or files; None means the newest run for one of `tasks`, see
        `find_checkpoint`. A CheckpointError or VocabularyError if several cannot predict together.
        """
        named = (Path(name) if name is not None else None for name in (where, *others))
        paths = [find_checkpoint(path, tasks=tasks) for path in named]
        models = cls(paths, [load(path) for path in paths])
        if others:
            models.check_members()
        return models

    @property
    def checkpoint(self) -> Checkpoint:
        """The first."""
        return self.checkpoints[0]

    @property
    def model(self) -> Model:
        """The first model."""
        return self.checkpoint.model

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of all."""
        return self.checkpoint.vocabulary

    @cached_property
    def language_model(self) -> LanguageModel:
        """The one model, or the `Ensemble` of several. Raises the errors of `check_members`."""
        if len(self.checkpoints) == 1:
            return self.checkpoint.language_model
        return Ensemble(self.check_members())

    def check_members(self) -> list[LanguageModel]:
        """Check that the models can predict together, and return them.

        A CheckpointError names one that is not a language model, a VocabularyError one whose
        vocabulary differs from the first.
        """
        members = []
        for path, checkpoint in zip(self.paths, self.checkpoints, strict=True):
            try:
                members.append(checkpoint.language_model)
            except CheckpointError as error:
                raise CheckpointError(f"{path}: {error}") from None
            if checkpoint.vocabulary != self.vocabulary:
                raise VocabularyError(
                    f"{path} has another vocabulary than {self.paths[0]} "
                    f"({_size(checkpoint.vocabulary)}, not {_size(self.vocabulary)}); only models "
                    "trained on the same symbols predict together."
                )
        return members

    @property
    def num_parameters(self) -> int:
        """The number of parameters of all."""
        return sum(checkpoint.model.num_parameters for checkpoint in self.checkpoints)

    def to_json(self) -> dict[str, Any]:
        """The paths, for JSON."""
        first, *others = map(str, self.paths)
        return {"checkpoint": first, "ensemble": others}

    def __str__(self) -> str:
        return " and ".join(map(str, self.paths))


def _size(vocabulary: Vocabulary) -> str:
    return f"{len(vocabulary)} {vocabulary.unit}s"
