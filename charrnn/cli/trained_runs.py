"""Runs that are trained already, measured on a text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from charrnn.cli.inputs import open_checkpoint
from charrnn.cli.texts import corpus_source, encode_source, kept
from charrnn.cli.views.display import echo_err, units
from charrnn.compare.comparison import by_model, measured
from charrnn.compare.experiment import runs_in
from charrnn.compare.results import ModelSummary, Result, rank
from charrnn.errors import CheckpointError, CorpusError, VocabularyError
from charrnn.runs.run import Run


def trained_runs(
    arguments: Sequence[str], on: str, encoding: str | None, quiet: bool
) -> list[ModelSummary]:
    """Trained runs as they rank on a text."""
    source = kept(corpus_source(on))
    digest = hashlib.sha256()
    for block in source.blocks():
        digest.update(block)
    found: dict[Path, Result] = {}
    unknown: list[str] = []
    for run in (run for argument in arguments for run in runs_in(Path(argument))):
        path, checkpoint = open_checkpoint(str(run))
        try:
            ids, _ = encode_source(checkpoint, source, encoding, "error")
            if not len(ids):
                raise CorpusError(f"{source.name} has no characters to compare on.")
            result = measured(Run(path.parent), checkpoint, ids)
        except (CheckpointError, VocabularyError) as error:
            raise type(error)(f"{path}: {error}") from None
        found[path.resolve()] = result
        if not quiet:
            echo_err(f"{path}: {units(result.loss)}")
        if folded := int(np.count_nonzero(ids == checkpoint.vocabulary.unknown_id)):
            unknown.append(f"{path} {folded:,}")
    if learned := sum(result.sha256 == digest.hexdigest() for result in found.values()):
        echo_err(f"{learned} of these runs learned from this very text, {source.name}.")
    if unknown:
        echo_err(
            f"Symbols read as the unknown one, whose letters cost nothing: {', '.join(unknown)}."
        )
    summaries = by_model(found.values())
    if repeated := len(found) - sum(len(s.results) for s in summaries):
        echo_err(f"{repeated} with the seed and the options of another are left out.")
    return rank(summaries)
