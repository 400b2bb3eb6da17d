"""What runs came to, and how the models they are of rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from charrnn.compare.significance import Difference, Losses, difference, holm
from charrnn.errors import CheckpointError
from charrnn.language.evaluate import Loss
from charrnn.models import NGram
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, make_config


@dataclass(frozen=True)
class Point:
    """A point of a learning curve."""

    chars: float
    """Characters learned from so far."""
    seconds: float
    nats: float
    """The validation loss, or where nothing was validated that of training."""


@dataclass(frozen=True)
class Result:
    """What one run came to."""

    run: Run
    config: LanguageModelConfig
    sha256: str
    """Of the text it learned."""
    parameters: int
    chars: int
    """Characters of the test."""
    blocks: Losses
    """Nats per character of the test, scaled so that their mean is that of the text `(B,)`."""
    best_epoch: float | None
    chars_per_second: float | None
    """As learned."""
    seconds: float | None
    curve: tuple[Point, ...]

    @property
    def loss(self) -> Loss:
        """On the test."""
        return Loss(float(self.blocks.mean()), self.chars)

    @property
    def seed(self) -> int | None:
        """Its random seed; None where nothing is random."""
        return None if self.config.cell == NGram.kind else self.config.seed

    @classmethod
    def of(cls, run: Run, found: Checkpoint, sums: Sequence[float], chars: int) -> Result:
        """From a run's folder, its best model, and the nats of each block of a text of `chars`
        characters.
        """
        record = found.record
        if not (record.config and record.corpus and record.metrics):
            raise CheckpointError(f"{run.path} does not say how it was trained.")
        config, best_step = make_config(record.config, str(run.path)), record.metrics.best_step
        assert isinstance(config, LanguageModelConfig)
        learned, sha256 = record.corpus.counts["train"], record.corpus.sha256
        records = run.records()
        told = [r for r in records if r["event"] == "evaluated"]
        seconds = [r["seconds"] for r in records if "seconds" in r]
        speeds = [r["chars_per_second"] for r in told if r["chars_per_second"]]
        best = [r["epoch"] for r in told if r["step"] == best_step]
        curve = [Point(r["epoch"] * learned, r["seconds"], r["nats_per_char"]) for r in told]
        return cls(
            run, config, sha256, found.model.num_parameters, chars,
            np.array(sums) * (len(sums) / chars),
            best[-1] if best else None, float(np.mean(speeds)) if speeds else None,
            seconds[-1] if seconds else None, tuple(curve),
        )  # fmt: skip


@dataclass(frozen=True)
class ModelSummary:
    """A model among others: the mean and the spread over its runs."""

    title: str
    results: tuple[Result, ...]
    diverged: int = 0
    """Runs that came to nothing."""
    behind: Difference | None = None
    """How far it is behind the best; None for the best, and where that cannot be told."""

    @cached_property
    def losses(self) -> Losses:
        """Of each run in each block: `(S, B)`."""
        return np.array([r.blocks for r in self.results])

    @property
    def loss(self) -> Loss:
        """The mean over its runs, in nats; its perplexity is so the geometric mean of theirs."""
        return Loss(float(self.losses.mean()), self.results[0].chars)

    @property
    def spread(self) -> dict[str, float]:
        """The standard deviation over its runs of each of the three units; nothing for one run."""
        if len(self.results) < 2:
            return {}
        plain = [r.loss.to_json() for r in self.results]
        units = ("nats_per_char", "bits_per_char", "perplexity")
        return {u: float(np.std([p[u] for p in plain], ddof=1)) for u in units}

    @property
    def config(self) -> LanguageModelConfig:
        """That of its first run."""
        return self.results[0].config

    @property
    def alone(self) -> bool:
        """Whether there is one run where another seed would have given another."""
        return len(self.results) == 1 and self.results[0].seed is not None

    def mean(self, name: str) -> float | None:
        """The mean over its runs of a number that each may have."""
        known = [v for r in self.results if (v := getattr(r, name)) is not None]
        return float(np.mean(known)) if known else None


def rank(summaries: Sequence[ModelSummary]) -> list[ModelSummary]:
    """The lowest loss first, each with how far it is behind that and a p value that allows for how
    many are compared; last those of which every run diverged.
    """
    placed = sorted((s for s in summaries if s.results), key=lambda s: s.loss.nats_per_char)
    gaps = [difference(s.losses, placed[0].losses) for s in placed[1:]]
    ps = iter(holm([g.p for g in gaps if g]))
    behind = [replace(g, p=next(ps)) if g else None for g in gaps]
    others = (replace(s, behind=g) for s, g in zip(placed[1:], behind, strict=True))
    return [*placed[:1], *others, *(s for s in summaries if not s.results)]
