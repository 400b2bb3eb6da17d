"""Measuring trained runs on a text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from charrnn.compare.experiment import runs_in
from charrnn.compare.results import ModelSummary, Result, block_nats, rank
from charrnn.data.reading import Source
from charrnn.errors import CheckpointError, CorpusError, VocabularyError
from charrnn.language.evaluate import Loss
from charrnn.nn.params import Ids
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.loaded import LoadedModels
from charrnn.runs.reading import encode_source
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig


@dataclass(frozen=True)
class TrainedRuns:
    """Trained runs that were measured on one text."""

    results: tuple[Result, ...]
    trained_on_text: int
    """How many of the runs were trained on this very text."""
    unknown: dict[Path, int]
    """How many symbols were read as the unknown one, whose letters cost nothing, if any."""

    @cached_property
    def summaries(self) -> list[ModelSummary]:
        """The models, ranked. A CorpusError if the runs read the text as different lengths."""
        return rank(group_by_model(self.results))

    @property
    def repeated(self) -> int:
        """How many runs are left out because another has the same options and seed."""
        return len(self.results) - sum(len(summary.results) for summary in self.summaries)


def measure_runs(
    folders: Iterable[Path],
    source: Source,
    encoding: str | None = None,
    on_result: Callable[[Path, Loss], object] = lambda path, loss: None,
) -> TrainedRuns:
    """Measure the runs in these folders on a text that can be read several times.

    A CheckpointError or VocabularyError names a run that cannot read it.
    """
    digest = hashlib.sha256()
    for block in source.blocks():
        digest.update(block)
    results: dict[Path, Result] = {}
    unknown: dict[Path, int] = {}
    for run in (run for folder in folders for run in runs_in(folder)):
        models = LoadedModels.open(run, tasks=("lm",))
        path, checkpoint = models.paths[0], models.checkpoint
        try:
            ids, _ = encode_source(checkpoint, source, encoding)
            if not len(ids):
                raise CorpusError(f"{source.name} has no characters to compare on.")
            result = measure_run(Run(path.parent), checkpoint, ids)
        except (CheckpointError, VocabularyError) as error:
            raise type(error)(f"{path}: {error}") from None
        results[path.resolve()] = result
        on_result(path, result.loss)
        if count := int(np.count_nonzero(ids == checkpoint.vocabulary.unknown_id)):
            unknown[path] = count
    same = sum(result.sha256 == digest.hexdigest() for result in results.values())
    return TrainedRuns(tuple(results.values()), same, unknown)


def measure_run(run: Run, trained: Checkpoint, ids: Ids) -> Result:
    """Evaluate the model of a trained run on the symbols `ids` `(N,)` of a text."""
    sums, chars = block_nats(trained.language_model, trained.vocabulary, ids)
    return Result.of(run, trained, sums, chars)


def group_by_model(results: Iterable[Result]) -> list[ModelSummary]:
    """Group results by model: runs of one model differ only in the seed.

    Of several runs with the same seed, only the first counts. Raises CorpusError if the results are
    over texts of different lengths.
    """
    models: dict[tuple[LanguageModelConfig, str], dict[int | None, Result]] = {}
    for result in results:
        model = replace(result.config, seed=0, workers=0, sample_every=0)
        models.setdefault((model, result.sha256), {}).setdefault(result.seed, result)
    lengths = {result.chars for by_seed in models.values() for result in by_seed.values()}
    if len(lengths) > 1:
        raise CorpusError(
            "The runs read the text as different numbers of characters: "
            f"{', '.join(f'{n:,}' for n in sorted(lengths))}. Bytes cannot be compared with "
            "characters, nor words if some of them are unknown."
        )
    names = [config.model_name for config, _ in models]
    groups = [tuple(by_seed.values()) for by_seed in models.values()]
    return [
        ModelSummary(name if names.count(name) == 1 else f"{name} ({runs[0].run.path})", runs)
        for name, runs in zip(names, groups, strict=True)
    ]
