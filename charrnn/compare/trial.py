"""One run of a comparison, and the files by which it communicates.

A run may be done by another process, or by another machine that shares the disk. It therefore
communicates only by files: it writes its progress to `.progress` in its folder, and stops when
`.stop` appears in the parent folder.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from charrnn.compare.results import block_nats
from charrnn.data.corpus import Corpus
from charrnn.errors import CheckpointError, CorpusError, DivergedError, os_reason
from charrnn.models import NGram
from charrnn.runs import checkpoint
from charrnn.runs.run import Run
from charrnn.system.files import replacing
from charrnn.tasks import LanguageModelConfig, TextFiles, make_config, make_task
from charrnn.training.events import Evaluated, Event, Finished, Stepped
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.train import make_trainer
from charrnn.training.trainer import Trainer

_EVERY = 0.25  # seconds between updates of these files


@dataclass(frozen=True)
class TrialProgress:
    """How far a run has got."""

    share: float = 0.0
    """Fraction of the budget used, from 0 to 1."""
    epoch: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    """Lowest validation loss so far, in nats per character."""


@dataclass(frozen=True)
class Trial:
    """The description of a run, as sent to the process that does it."""

    text: TextFiles
    sha256: str
    """SHA-256 of the text, to detect a change."""
    config: LanguageModelConfig
    path: Path

    @property
    def run(self) -> Run:
        """The folder of the run."""
        return Run(self.path)

    @property
    def name(self) -> str:
        """The model and the seed, for people."""
        seed = "" if self.config.cell == NGram.kind else f", seed {self.config.seed}"
        return self.config.model_name + seed

    @property
    def ended(self) -> bool:
        """Whether the run was measured or has diverged, and was not trained further since."""
        records = self.run.records()
        return bool(records) and records[-1]["event"] in ("measured", "diverged")

    @property
    def stop_file(self) -> Path:
        """A file that asks all runs of the comparison to save and stop."""
        return self.path.parent / ".stop"

    def read_progress(self) -> TrialProgress | None:
        """The progress of the run; None while it is not running."""
        try:
            return TrialProgress(**json.loads(self._progress.read_text("utf-8")))
        except (OSError, ValueError):
            return None

    def write_progress(self, progress: TrialProgress | None) -> None:
        """Publish the progress of the run; None if it is no longer running."""
        with suppress(OSError):  # saving a checkpoint reports a full disk
            if progress is None:
                self._progress.unlink(missing_ok=True)
                return
            with replacing(self._progress, durable=False) as stream:
                stream.write(json.dumps(asdict(progress)).encode())

    @property
    def _progress(self) -> Path:
        return self.path / ".progress"


def run_trial(trial: Trial) -> None:
    """Start or resume a run, train to the end of the budget, and test the best model.

    The result is logged in the folder of the run, and so is divergence; other errors are raised.
    Does nothing if the run is finished or `.stop` exists.
    """
    if trial.stop_file.exists():
        return
    try:
        trial.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"Cannot create {trial.path}: {os_reason(error)}.") from None
    with trial.run.locked():
        if trial.ended:
            return
        trial.write_progress(TrialProgress())
        try:
            corpus = _read(trial.text, trial.sha256)
            finished = _train(trial, _trainer(trial, corpus))
            if not finished.stopped:
                trial.run.log(_measure(trial, corpus) | {"step": finished.step})
        except DivergedError as error:
            trial.run.log({"event": "diverged", "message": str(error)})
        finally:
            trial.write_progress(None)


@lru_cache(maxsize=1)
def _read(text: TextFiles, sha256: str) -> Corpus:
    """Read the text. The cache lets a process read it once for all its runs."""
    corpus = text.read()
    assert isinstance(corpus, Corpus)
    if corpus.sha256 != sha256:
        raise CorpusError(f"The text {corpus.name} has changed since the comparison began.")
    return corpus


def _trainer(trial: Trial, corpus: Corpus) -> Trainer:
    """A trainer that starts the run or resumes it."""
    run = trial.run
    if not run.last.exists():
        run.log_file.unlink(missing_ok=True)
        return make_trainer(corpus, trial.config, run=run)
    before = make_config(checkpoint.read_meta(run.last)["config"], str(run.last))
    if before != trial.config:
        raise CheckpointError(
            f"{run.path} was trained further or with other options; remove it, or choose another "
            "folder with --out."
        )
    return NetworkTrainer.resume(run, make_task(corpus, trial.config))


def _train(trial: Trial, trainer: Trainer) -> Finished:
    """Train to the end of the budget, or until `.stop` appears."""
    due, progress = 0.0, TrialProgress()
    for event in trainer.events():
        if isinstance(event, Finished):
            return event
        progress = _advance(progress, event, trainer)
        if time.monotonic() >= due:
            due = time.monotonic() + _EVERY
            trial.write_progress(progress)
            if trial.stop_file.exists():
                trainer.stop()
    raise AssertionError("training ends with Finished")


def _advance(progress: TrialProgress, event: Event, trainer: Trainer) -> TrialProgress:
    """The progress after an event."""
    if isinstance(event, Stepped):
        return TrialProgress(event.share, event.epoch, event.seconds, trainer.best_loss)
    if isinstance(event, Evaluated):
        return TrialProgress(progress.share, event.epoch, event.seconds, trainer.best_loss)
    return progress


def _measure(trial: Trial, corpus: Corpus) -> dict[str, Any]:
    """Test the best model; returns the record for the log, with the sum of nats of each block."""
    vocabulary = corpus.vocabulary
    ids = vocabulary.up_to(corpus.test, trial.config.eval_chars or None)
    model = checkpoint.load(trial.run.best).language_model
    sums, chars = block_nats(model, vocabulary, ids)
    return {"event": "measured", "chars": chars, "block_nats": sums}
