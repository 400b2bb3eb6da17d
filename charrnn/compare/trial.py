"""One run of a comparison: how a process does it, and what goes to and fro meanwhile.

Who does it may be another process, or on another machine that shares the disk. So all there is
between the two is files: the folder of the run, in it `.progress` while it goes on, and beside it
`.stop` once somebody wants it to end.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from charrnn.compare.significance import block_sums
from charrnn.data.corpus import Corpus
from charrnn.errors import CheckpointError, CorpusError, DivergedError, os_reason
from charrnn.language.evaluate import surprisal
from charrnn.models import NGram
from charrnn.runs import checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, Text, make_config, make_task
from charrnn.training.events import Evaluated, Event, Finished, Stepped
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.train import make_trainer
from charrnn.training.trainer import Trainer

_EVERY = 0.25  # seconds between two looks at the files


@dataclass(frozen=True)
class TrialProgress:
    """How far a run is."""

    share: float = 0.0
    """Of the budget."""
    epoch: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    """Lowest validation loss so far, in nats per character."""


@dataclass(frozen=True)
class Trial:
    """A run that is to be done: all that a process needs to know."""

    text: Text
    sha256: str
    """Of the text, lest another be read in its place."""
    config: LanguageModelConfig
    path: Path

    @property
    def run(self) -> Run:
        """Its folder."""
        return Run(self.path)

    @property
    def name(self) -> str:
        """What it is, and which of several."""
        seed = "" if self.config.cell == NGram.kind else f", seed {self.config.seed}"
        return self.config.model_name + seed

    @property
    def ended(self) -> bool:
        """Whether it was measured, or diverged, and not trained further since."""
        records = self.run.records()
        return bool(records) and records[-1]["event"] in ("measured", "diverged")

    @property
    def stop_file(self) -> Path:
        """Asks it, and all beside it, to save and end."""
        return self.path.parent / ".stop"

    def look(self) -> TrialProgress | None:
        """How far it is; None where nobody is at work."""
        try:
            return TrialProgress(**json.loads(self._progress.read_text("utf-8")))
        except (OSError, ValueError):
            return None

    def tell(self, progress: TrialProgress | None) -> None:
        """Say how far it is; None: nobody is at work any more. A full disk is told elsewhere."""
        with suppress(OSError):
            if progress is None:
                self._progress.unlink(missing_ok=True)
                return
            new = self._progress.with_suffix(".part")
            new.write_text(json.dumps(asdict(progress)), "utf-8")
            new.replace(self._progress)

    @property
    def _progress(self) -> Path:
        return self.path / ".progress"


def learn(trial: Trial) -> None:
    """Do a run, from its beginning or from where it was left, and measure its best model on the
    test part. Its folder then says how it went.

    A run that diverges ends too; every other failure is raised. One that was asked to stop, or was
    done before, is left as it is.
    """
    if trial.stop_file.exists():
        return
    try:
        trial.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"Cannot make a run in {trial.path}: {os_reason(error)}.") from None
    with trial.run.locked():
        if trial.ended:
            return
        trial.tell(TrialProgress())
        try:
            corpus = _read(trial.text, trial.sha256)
            finished = _train(trial, _session(trial, corpus))
            if not finished.stopped:
                trial.run.log(_measure(trial, corpus) | {"step": finished.step})
        except DivergedError as error:
            trial.run.log({"event": "diverged", "message": str(error)})
        finally:
            trial.tell(None)


@lru_cache(maxsize=1)
def _read(text: Text, sha256: str) -> Corpus:
    """A process reads the text once for all its runs."""
    corpus = text.read()
    assert isinstance(corpus, Corpus)
    if corpus.sha256 != sha256:
        raise CorpusError(f"The text {corpus.name} has changed since the comparison began.")
    return corpus


def _session(trial: Trial, corpus: Corpus) -> Trainer:
    run = trial.run
    if not run.last.exists():
        run.log_file.unlink(missing_ok=True)
        return make_trainer(corpus, trial.config, run=run)
    before = make_config(checkpoint.read_meta(run.last)["config"], str(run.last))
    if before != trial.config:
        raise CheckpointError(
            f"{run.path} was trained further, or with other options; remove it, or compare "
            "somewhere else with --out."
        )
    return NetworkTrainer.resume(run, make_task(corpus, trial.config))


def _train(trial: Trial, session: Trainer) -> Finished:
    """Train to the end of the budget, or until asked to stop."""
    due, progress = 0.0, TrialProgress()
    for event in session.events():
        if isinstance(event, Finished):
            return event
        progress = _further(progress, event, session)
        if time.monotonic() >= due:
            due = time.monotonic() + _EVERY
            trial.tell(progress)
            if trial.stop_file.exists():
                session.stop()
    raise AssertionError("a session ends with Finished")


def _further(progress: TrialProgress, event: Event, session: Trainer) -> TrialProgress:
    if isinstance(event, Stepped):
        return TrialProgress(event.share, event.epoch, event.seconds, session.best)
    if isinstance(event, Evaluated):
        return TrialProgress(progress.share, event.epoch, event.seconds, session.best)
    return progress


def _measure(trial: Trial, corpus: Corpus) -> dict[str, Any]:
    """What the log keeps of the best model's losses on the test part: the sum of each block."""
    vocabulary = corpus.vocabulary
    ids = vocabulary.up_to(corpus.test, trial.config.eval_chars or None)
    nats, ends = (
        surprisal(checkpoint.load(trial.run.best).language_model, ids),
        vocabulary.ends(ids),
    )
    sums = block_sums(nats, ends).tolist()
    return {"event": "measured", "chars": int(ends[-1]), "block_nats": sums}
