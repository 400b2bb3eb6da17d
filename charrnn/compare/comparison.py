"""Compare models on the same text with the same split, budget and options.

    config = LanguageModelConfig(epochs=5)
    text = TextFiles((Source.of("poems.txt"),), config)
    with worker_pool() as workers:
        comparison = Comparison(Plan(config, params=50_000), text)
        for finished in comparison.events(workers.start(2)):
            ...
    for summary in rank(comparison.summaries()):
        ...

Every run uses a single worker, so the number of simultaneous runs does not change a bit of the
results. With a budget of minutes, however, a busy machine trains for fewer steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from pathlib import Path

from charrnn.compare.experiment import experiment_folder
from charrnn.compare.plan import Plan
from charrnn.compare.results import ModelSummary, Result
from charrnn.compare.trial import Trial, TrialProgress, run_trial
from charrnn.data.corpus import Corpus
from charrnn.errors import ConfigError, WorkerError
from charrnn.models import NGram
from charrnn.runs import checkpoint
from charrnn.runs.folders import locked
from charrnn.tasks import TextFiles

_TICK = 0.25  # seconds between progress updates


class Comparison:
    """The runs of a plan, saved in a folder."""

    def __init__(self, plan: Plan, text: TextFiles, out: Path | None = None) -> None:
        """Read the text, and the finished runs in the folder (see `experiment_folder`).

        Raises ConfigError if the test part is empty.
        """
        self.plan = plan
        corpus = text.read()
        assert isinstance(corpus, Corpus)
        self.corpus = corpus
        if not len(corpus.test):
            raise ConfigError(
                f"The split {corpus.split} leaves nothing to test on; try 0.9,0.05,0.05."
            )
        self.config = plan.common(corpus)
        """The options that all runs share."""
        self.folder = experiment_folder(corpus, self.config, out)
        self.model_configs = plan.model_configs(corpus)
        self.trials = plan.trials(text, corpus, self.folder)
        self.results: dict[Trial, Result | None] = {}
        """Results of the finished runs; None for a run that diverged."""
        self.running: dict[Trial, TrialProgress] = {}
        self._stopping = False
        for trial in self.trials:
            if trial.ended:
                self._load_result(trial)

    @property
    def pending(self) -> list[Trial]:
        """The runs that are not finished."""
        return [trial for trial in self.trials if trial not in self.results]

    def locked(self) -> AbstractContextManager[None]:
        """Lock the folder against other processes."""
        return locked(self.folder)

    def stop(self) -> None:
        """Make running trials save and stop, and start no others; `events()` then ends."""
        self._stopping = True
        self._stop_file.touch()

    def events(self, executor: Executor) -> Iterator[Trial | None]:
        """Do the pending runs. Yields each run when it finishes, and None four times a second.

        A failed run stops all runs, and its exception is raised. Raises WorkerError if a worker
        process has died.
        """
        self._stop_file.unlink(missing_ok=True)
        if self._stopping:  # `stop` was called before the first run
            self._stop_file.touch()
        for trial in self.pending:
            trial.write_progress(None)
        futures = {executor.submit(run_trial, trial): trial for trial in self.pending}
        try:
            while futures:
                for future in wait(futures, _TICK, FIRST_COMPLETED).done:
                    trial = futures.pop(future)
                    self._raise_failure(future)
                    if trial.ended:
                        self._load_result(trial)
                        yield trial
                latest = ((trial, trial.read_progress()) for trial in futures.values())
                self.running = {trial: progress for trial, progress in latest if progress}
                yield None
        finally:
            if futures:
                self.stop()
                wait(futures)
            self._stop_file.unlink(missing_ok=True)

    def time_left(self, workers: int) -> float | None:
        """Estimate the seconds until all runs are finished; None if there is nothing to go by.

        The duration of a run is extrapolated from its own speed, or else is the mean over other
        runs of its model, or else over all runs. N-grams count as instant.
        """
        durations = {t: p.seconds / p.share for t, p in self.running.items() if p.share > 0.01}
        durations |= {t: r.seconds for t, r in list(self.results.items()) if r and r.seconds}
        durations = {t: s for t, s in durations.items() if t.config.cell != NGram.kind}
        unit, amount = next(iter(self.config.budgets.items()))
        if not durations and unit != "minutes":
            return None
        seconds_left = []
        for trial in self.pending:
            if trial.config.cell == NGram.kind:
                continue
            name = trial.config.model_name
            same_model = [s for t, s in durations.items() if t.config.model_name == name]
            typical = _mean(same_model or durations.values()) if unit != "minutes" else 60 * amount
            progress = self.running.get(trial, TrialProgress())
            seconds_left.append(durations.get(trial, typical) * max(0.0, 1 - progress.share))
        return max([sum(seconds_left) / workers, *seconds_left])

    def summaries(self) -> list[ModelSummary]:
        """One summary per model, of its finished runs."""
        summaries = []
        for model in self.model_configs:
            trials = [t for t in self.trials if t.config.model_name == model.model_name]
            finished = [self.results[t] for t in trials if t in self.results]
            results = tuple(r for r in finished if r)
            diverged = len(finished) - len(results)
            summaries.append(ModelSummary(model.model_name, results, diverged))
        return summaries

    @property
    def _stop_file(self) -> Path:
        return self.trials[0].stop_file

    def _raise_failure(self, future: Future[None]) -> None:
        """Raise the exception of a failed run."""
        try:
            future.result()
        except BrokenProcessPool:
            if self._stopping:
                return
            raise WorkerError(
                "A worker process has ended, perhaps because memory ran out. The same command "
                "continues from here; --workers 1 needs the least memory."
            ) from None

    def _load_result(self, trial: Trial) -> None:
        """Read the result of a finished run from its folder."""
        last_record = trial.run.records()[-1]
        sums = last_record.get("block_nats")
        result = None
        if sums:
            best_checkpoint = checkpoint.load(trial.run.best)
            result = Result.of(trial.run, best_checkpoint, sums, last_record["chars"])
        self.results[trial] = result


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
