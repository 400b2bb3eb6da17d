"""Comparing models: the same text, split, budget and options for all, measured alike.

    config = LanguageModelConfig(epochs=5)
    text = Text((Source.of("poems.txt"),), config)
    with worker_pool() as workers:
        comparison = Comparison(Plan(config, params=50_000), text)
        for ended in comparison.events(workers.start(2)):
            ...
    for summary in rank(comparison.summaries()):
        ...

Every run has one worker thread, so neither how many go on at a time nor who does them changes a
bit of it; only a budget of minutes buys fewer steps on a busy machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from charrnn.compare.experiment import Plan, experiment_folder
from charrnn.compare.results import ModelSummary, Result
from charrnn.compare.significance import block_sums
from charrnn.compare.trial import Trial, TrialProgress, learn
from charrnn.data.corpus import Corpus
from charrnn.errors import ConfigError, CorpusError, WorkerError
from charrnn.language.evaluate import surprisal
from charrnn.models import NGram
from charrnn.nn.params import Ids
from charrnn.runs import checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, Text

_TICK = 0.25  # seconds between two looks at what goes on


class Comparison:
    """The runs of a plan, in a folder that remembers them."""

    def __init__(self, plan: Plan, text: Text, out: Path | None = None) -> None:
        """Reads the text, and from the folder what was done before. See `experiment_folder`.

        A ConfigError if the split leaves nothing to test on.
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
        """The options of all runs."""
        self.folder = experiment_folder(corpus, self.config, out)
        self.models = plan.models(corpus)
        self.trials = plan.trials(text, corpus, self.folder)
        self.results: dict[Trial, Result | None] = {}
        """Of the runs that have ended; None for one that diverged."""
        self.running: dict[Trial, TrialProgress] = {}
        self._stopping = False
        for trial in self.trials:
            if trial.ended:
                self._take(trial)

    @property
    def missing(self) -> list[Trial]:
        """The runs that are still to be done."""
        return [trial for trial in self.trials if trial not in self.results]

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other process from this comparison."""
        return Run(self.folder).locked()

    def stop(self) -> None:
        """Ask the runs that go on to save and end, and the others not to begin; `events()` then
        ends.
        """
        self._stopping = True
        self._stop_file.touch()

    def events(self, executor: Executor) -> Iterator[Trial | None]:
        """Do the missing runs; yields each as it ends, and None a few times a second meanwhile.

        What fails in any of them ends all, and is raised; a WorkerError if a worker is no more.
        """
        self._stop_file.unlink(missing_ok=True)
        if self._stopping:  # asked since, or before this began
            self._stop_file.touch()
        for trial in self.missing:
            trial.tell(None)
        futures = {executor.submit(learn, trial): trial for trial in self.missing}
        try:
            while futures:
                for done in wait(futures, _TICK, FIRST_COMPLETED).done:
                    trial = futures.pop(done)
                    self._check(done)
                    if trial.ended:
                        self._take(trial)
                        yield trial
                looks = ((trial, trial.look()) for trial in futures.values())
                self.running = {trial: progress for trial, progress in looks if progress}
                yield None
        finally:
            if futures:
                self.stop()
                wait(futures)
            self._stop_file.unlink(missing_ok=True)

    def time_left(self, workers: int) -> float | None:
        """Seconds until all runs are done, as far as can be told; None where it cannot.

        What a run takes is taken from others of its model, or else of all, and from its own pace.
        """
        paces = {t: p.seconds / p.share for t, p in self.running.items() if p.share > 0.01}
        paces |= {t: r.seconds for t, r in list(self.results.items()) if r and r.seconds}
        known = {t: s for t, s in paces.items() if t.config.cell != NGram.kind}
        unit, amount = next(iter(self.config.budgets.items()))
        if not known and unit != "minutes":
            return None
        left = []
        for trial in self.missing:
            if trial.config.cell == NGram.kind:
                continue
            alike = [s for t, s in known.items() if t.config.model_name == trial.config.model_name]
            whole = _mean(alike or known.values()) if unit != "minutes" else 60 * amount
            progress = self.running.get(trial, TrialProgress())
            left.append(known.get(trial, whole) * max(0.0, 1 - progress.share))
        return max([sum(left) / workers, *left])

    def summaries(self) -> list[ModelSummary]:
        """Each model with the runs that have ended."""
        found = []
        for model in self.models:
            of = [t for t in self.trials if t.config.model_name == model.model_name]
            ended = [self.results[t] for t in of if t in self.results]
            results = tuple(r for r in ended if r)
            found.append(ModelSummary(model.model_name, results, len(ended) - len(results)))
        return found

    @property
    def _stop_file(self) -> Path:
        return self.trials[0].stop_file

    def _check(self, done: Future[None]) -> None:
        """Raise what was raised there."""
        try:
            done.result()
        except BrokenProcessPool:
            if self._stopping:
                return
            raise WorkerError(
                "A worker process has ended, perhaps for want of memory; the same command goes on "
                "from there, with --workers 1 in the least memory."
            ) from None

    def _take(self, trial: Trial) -> None:
        """Read what a run came to."""
        last = trial.run.records()[-1]
        sums = last.get("block_nats")
        result = None
        if sums:
            result = Result.of(trial.run, checkpoint.load(trial.run.best), sums, last["chars"])
        self.results[trial] = result


def measured(run: Run, found: checkpoint.Checkpoint, ids: Ids) -> Result:
    """What the model of a trained run comes to on the symbols `(N,)` of a text."""
    ends = found.vocabulary.ends(ids)
    sums = block_sums(surprisal(found.language_model, ids), ends)
    return Result.of(run, found, sums.tolist(), int(ends[-1]))


def by_model(results: Iterable[Result]) -> list[ModelSummary]:
    """Runs that differ in nothing but the seed are one model's; of several with the same seed,
    which tell nothing of other seeds, the first counts.

    A CorpusError where they were measured on texts of different lengths.
    """
    found: dict[tuple[LanguageModelConfig, str], dict[int | None, Result]] = {}
    for result in results:
        model = replace(result.config, seed=0, workers=0, sample_every=0)
        found.setdefault((model, result.sha256), {}).setdefault(result.seed, result)
    lengths = {r.chars for each in found.values() for r in each.values()}
    if len(lengths) > 1:
        raise CorpusError(
            "The runs do not read the text alike, as so many characters: "
            f"{', '.join(f'{n:,}' for n in sorted(lengths))}. Bytes and characters do not compare, "
            "nor do words of which some are unknown."
        )
    titles = [config.model_name for config, _ in found]
    groups = [tuple(each.values()) for each in found.values()]
    return [
        ModelSummary(t if titles.count(t) == 1 else f"{t} ({each[0].run.path})", each)
        for t, each in zip(titles, groups, strict=True)
    ]


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known)
