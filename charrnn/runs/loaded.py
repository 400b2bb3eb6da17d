"""Trained models that are loaded for use, alone or as an ensemble, and texts encoded for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.data.reading import Source, TextOptions
from charrnn.data.token_buffer import TokenBuffer
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError, VocabularyError
from charrnn.models import Ensemble, LanguageModel, Model
from charrnn.nn.params import Ids
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
            _ = models.language_model
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
        """The one model, or the `Ensemble` of several.

        A CheckpointError names one that is not a language model, a VocabularyError one whose
        vocabulary differs from the first.
        """
        if len(self.checkpoints) == 1:
            return self.checkpoint.language_model
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
        return Ensemble(members)

    @property
    def num_parameters(self) -> int:
        """The number of parameters of all."""
        return sum(checkpoint.model.num_parameters for checkpoint in self.checkpoints)

    def names(self) -> dict[str, Any]:
        """The paths, for JSON."""
        first, *others = map(str, self.paths)
        return {"checkpoint": first, "ensemble": others}

    def __str__(self) -> str:
        return " and ".join(map(str, self.paths))


def text_options(checkpoint: Checkpoint, encoding: str | None = None) -> TextOptions:
    """How the training text was read; `encoding` replaces its encoding."""
    config = checkpoint.record.config
    return TextOptions(
        checkpoint.vocabulary.unit,
        encoding or config.get("encoding", "utf-8"),
        config.get("keep_newlines", False),
    )


def encode_source(
    checkpoint: Checkpoint,
    source: Source,
    encoding: str | None = None,
    *,
    skip_unknown: bool = False,
) -> tuple[Ids, int]:
    """Read a text as the training text was read. Returns its ids `(N,)`, and how many symbols were
    skipped because the model has never seen them. A VocabularyError if there are any and they are
    not to be skipped.
    """
    vocabulary, read, skipped = checkpoint.vocabulary, 0, 0
    with TokenBuffer() as buffer:
        for codes in code_blocks(checkpoint, source, encoding):
            if skip_unknown:
                skipped += int((~vocabulary.knows(codes)).sum())
            buffer.write(
                vocabulary.encode_code_points(codes, skip_unknown=skip_unknown, before=read)
            )
            read += len(codes)
        ids = buffer.whole(vocabulary.dtype)
    return ids, skipped


def read_codes(checkpoint: Checkpoint, source: Source, encoding: str | None = None) -> Ids:
    """The code points (or byte values) of a text, read as the training text was read."""
    blocks = code_blocks(checkpoint, source, encoding)
    return np.concatenate([np.zeros(0, np.uint32), *blocks]).astype(np.uint32)


def code_blocks(
    checkpoint: Checkpoint, source: Source, encoding: str | None = None
) -> Iterator[Ids]:
    """The same, a few megabytes at a time."""
    return (codes for _, codes in source.code_points(text_options(checkpoint, encoding)))


def _size(vocabulary: Vocabulary) -> str:
    return f"{len(vocabulary)} {vocabulary.unit}s"
