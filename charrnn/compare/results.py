"""The results of runs, and the ranking of their models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from charrnn.compare.significance import Difference, Losses, block_sums, difference, holm
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError
from charrnn.language.evaluate import Loss, surprisal
from charrnn.models import LanguageModel, NGram
from charrnn.nn.params import Ids
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, make_config


@dataclass(frozen=True)
class Point:
    """A point of a learning curve."""

    chars: float
    """Characters trained on so far."""
    seconds: float
    nats: float
    """Validation loss per character; the training loss if there is no validation part."""


@dataclass(frozen=True)
class Result:
    """The result of one run."""

    run: Run
    config: LanguageModelConfig
    sha256: str
    """SHA-256 of the training text."""
    parameters: int
    chars: int
    """Number of characters in the test part."""
    block_losses: Losses
    """Test loss of each block `(B,)`, scaled so that the mean is the nats per character."""
    best_epoch: float | None
    chars_per_second: float | None
    """Training speed."""
    seconds: float | None
    curve: tuple[Point, ...]

    @property
    def loss(self) -> Loss:
        """The test loss."""
        return Loss(float(self.block_losses.mean()), self.chars)

    @property
    def seed(self) -> int | None:
        """The random seed; None for n-grams, which use no random numbers."""
        return None if self.config.cell == NGram.kind else self.config.seed

    @classmethod
    def of(cls, run: Run, best_checkpoint: Checkpoint, sums: Sequence[float], chars: int) -> Result:
        """Combine the log of a run, its best checkpoint, and its test loss.

        `sums` holds the nats of each block `(B,)` of a test text of `chars` characters. Raises
        CheckpointError if the checkpoint lacks training options or metrics.
        """
        record = best_checkpoint.record
        if not (record.config and record.corpus and record.metrics):
            raise CheckpointError(f"{run.path} does not say how it was trained.")
        config, best_step = make_config(record.config, str(run.path)), record.metrics.best_step
        assert isinstance(config, LanguageModelConfig)
        learned, sha256 = record.corpus.counts["train"], record.corpus.sha256
        records = run.records()
        evaluations = [r for r in records if r["event"] == "evaluated"]
        seconds = [r["seconds"] for r in records if "seconds" in r]
        speeds = [r["chars_per_second"] for r in evaluations if r["chars_per_second"]]
        best_epochs = [r["epoch"] for r in evaluations if r["step"] == best_step]
        curve = [Point(r["epoch"] * learned, r["seconds"], r["nats_per_char"]) for r in evaluations]
        return cls(
            run, config, sha256, best_checkpoint.model.num_parameters, chars,
            np.array(sums) * (len(sums) / chars),
            best_epochs[-1] if best_epochs else None, float(np.mean(speeds)) if speeds else None,
            seconds[-1] if seconds else None, tuple(curve),
        )  # fmt: skip


def block_nats(model: LanguageModel, vocabulary: Vocabulary, ids: Ids) -> tuple[list[float], int]:
    """Evaluate a model on a text `(N,)`: the nats of each block `(B,)`, and the number of
    characters.
    """
    ends = vocabulary.ends(ids)
    return block_sums(surprisal(model, ids), ends).tolist(), int(ends[-1])


@dataclass(frozen=True)
class ModelSummary:
    """A compared model: the mean and the standard deviation over its runs."""

    title: str
    results: tuple[Result, ...]
    diverged: int = 0
    """Number of runs that diverged."""
    difference_from_best: Difference | None = None
    """None for the best model, and if the text is too short."""

    @cached_property
    def losses(self) -> Losses:
        """Test loss of each run in each block `(S, B)`."""
        return np.array([r.block_losses for r in self.results])

    @property
    def loss(self) -> Loss:
        """Mean test loss over the runs; its perplexity is the geometric mean of theirs."""
        return Loss(float(self.losses.mean()), self.results[0].chars)

    @property
    def std(self) -> dict[str, float]:
        """Standard deviation over the runs, by unit; empty for a single run."""
        if len(self.results) < 2:
            return {}
        losses = [r.loss.to_json() for r in self.results]
        units = ("nats_per_char", "bits_per_char", "perplexity")
        return {u: float(np.std([loss[u] for loss in losses], ddof=1)) for u in units}

    @property
    def config(self) -> LanguageModelConfig:
        """The options of the first run."""
        return self.results[0].config

    @property
    def single_seed(self) -> bool:
        """Whether there is only one run although the result depends on the seed."""
        return len(self.results) == 1 and self.results[0].seed is not None

    def mean(self, name: str) -> float | None:
        """Mean of an attribute over the runs that have it; None if none has."""
        values = [v for r in self.results if (v := getattr(r, name)) is not None]
        return float(np.mean(values)) if values else None


def rank(summaries: Sequence[ModelSummary]) -> list[ModelSummary]:
    """Sort models by loss, lowest first, and test each against the best.

    The p values are corrected for the number of comparisons. Models of which every run diverged
    come last.
    """
    ranked = sorted((s for s in summaries if s.results), key=lambda s: s.loss.nats_per_char)
    tests = [difference(s.losses, ranked[0].losses) for s in ranked[1:]]
    corrected = iter(holm([test.p for test in tests if test]))
    differences = [replace(test, p=next(corrected)) if test else None for test in tests]
    others = (
        replace(s, difference_from_best=d) for s, d in zip(ranked[1:], differences, strict=True)
    )
    return [*ranked[:1], *others, *(s for s in summaries if not s.results)]
