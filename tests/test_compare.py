"""Comparisons: the same results for any number of workers and any interruption."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from charrnn.compare.comparison import Comparison
from charrnn.compare.plan import Plan
from charrnn.compare.results import rank
from charrnn.compare.trial import Trial, TrialProgress, run_trial
from charrnn.data.reading import Source
from charrnn.errors import CheckpointError, CorpusError, WorkerError
from charrnn.language.evaluate import evaluate
from charrnn.nn.params import Array
from charrnn.runs import checkpoint
from charrnn.tasks import load
from tests.conftest import VERSE, resume_network
from tests.small_comparison import CONFIG, PLAN, TEXT, InlineExecutor, compared, results

T = TypeVar("T")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compared(tmp_path_factory.mktemp("whole") / "experiment")


def bits(comparison: Comparison) -> dict[str, Mapping[str, Array]]:
    return {t.path.name: checkpoint.load(t.run.best).model.arrays() for t in comparison.trials}


def assert_same_bits(one: Comparison, other: Comparison) -> None:
    ours, theirs = bits(one), bits(other)
    assert ours.keys() == theirs.keys()
    for name, arrays in ours.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(theirs[name][key], array, err_msg=f"{name} {key}")


def test_run_folders_are_named_after_model_and_seed(whole: Comparison) -> None:
    assert [t.path.name for t in whole.trials] == [
        "ngram-1", "ngram-3", "rnn-1x8-seed1", "gru-1x8-seed1", "rnn-1x8-seed2", "gru-1x8-seed2"
    ]  # fmt: skip
    assert [s.title for s in whole.summaries()] == ["ngram 1", "ngram 3", "rnn 1x8", "gru 1x8"]
    assert [len(s.results) for s in whole.summaries()] == [1, 1, 2, 2]
    assert not whole.pending
    assert not list(whole.folder.rglob(".*"))
    text = "".join(load(whole.folder / "gru-1x8-seed2").generate("The ", length=5))
    assert len(text) == 5


def test_losses_are_of_the_best_model_on_the_test_split(whole: Comparison) -> None:
    for trial, result in results(whole).items():
        best = checkpoint.load(trial.run.best)
        expected = evaluate(best.language_model, whole.corpus.test)
        assert result.loss.nats_per_char == pytest.approx(expected.nats_per_char, rel=1e-12)
        assert result.loss.chars == expected.chars == len(whole.corpus.test) == 1000
        finished = next(r for r in trial.run.records() if r["event"] == "finished")
        reported = finished["losses"]["test"]["nats_per_char"]
        assert result.loss.nats_per_char == pytest.approx(reported, rel=1e-9)
        assert (result.parameters, result.seconds) == (finished["parameters"], finished["seconds"])
        per_epoch = 3500 // 4 // 16  # streams, chunks
        if result.seed:
            assert result.best_epoch == pytest.approx(finished["best_step"] / per_epoch, rel=0.02)
            assert [p.chars for p in result.curve] == pytest.approx([255, 510, 765], rel=0.03)
            assert [p.seconds for p in result.curve] == sorted(p.seconds for p in result.curve)


def test_parallel_runs_give_the_same_bits(whole: Comparison, tmp_path: Path) -> None:
    comparison = Comparison(PLAN, TEXT, tmp_path / "three")
    with ThreadPoolExecutor(3) as pool:
        ended = [trial for trial in comparison.events(pool) if trial]
    assert set(ended) == set(comparison.trials)
    assert_same_bits(whole, comparison)


def test_an_interrupted_comparison_resumes_with_the_same_bits(
    whole: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison is stopped repeatedly, in the middle of every run."""
    monkeypatch.setattr("charrnn.compare.trial._EVERY", 0.0)
    out, rounds, steps = tmp_path / "often", 0, []
    while True:
        comparison = Comparison(PLAN, TEXT, out)
        if not comparison.pending:
            break
        rounds += 1
        tell = type(comparison.trials[0]).write_progress
        seen: list[float] = []

        def stop_soon(
            trial: Trial,
            progress: TrialProgress | None,
            tell: Callable[[Trial, TrialProgress | None], None] = tell,
            seen: list[float] = seen,
            comparison: Comparison = comparison,
        ) -> None:
            tell(trial, progress)
            if progress and progress.share:
                seen.append(progress.share)
                if len(seen) == 13:
                    comparison.stop()

        with monkeypatch.context() as patch:
            patch.setattr("charrnn.compare.trial.Trial.write_progress", stop_soon)
            list(comparison.events(InlineExecutor()))
        steps.append(len(comparison.results))
        assert not (out / ".stop").exists()
    assert rounds > 3
    assert steps == sorted(steps)
    assert_same_bits(whole, comparison)
    ours, theirs = (
        {t.path.name: r.loss for t, r in results(c).items()} for c in (whole, comparison)
    )
    assert ours == theirs


def test_a_stop_before_the_first_run_is_honoured(tmp_path: Path) -> None:
    comparison = Comparison(PLAN, TEXT, tmp_path / "x")
    comparison.stop()
    assert not [trial for trial in comparison.events(InlineExecutor()) if trial]
    assert comparison.pending == comparison.trials
    assert not list(comparison.folder.rglob(".*"))


def test_a_run_that_was_trained_further_is_refused(tmp_path: Path) -> None:
    plan = replace(PLAN, cells=("rnn",), seeds=1, orders=())
    (trial,) = compared(tmp_path / "x", plan).trials
    run = trial.run
    longer = replace(trial.config, steps=20)
    list(resume_network(run, TEXT.read(), longer).events())
    assert not trial.ended
    with pytest.raises(CheckpointError, match="trained further"):
        compared(tmp_path / "x", plan)


def test_a_text_that_changes_during_a_comparison_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "verse.txt"
    file.write_text(VERSE[:4000], "utf-8")
    comparison = Comparison(PLAN, replace(TEXT, sources=(Source.of(file),)), tmp_path / "out")
    file.write_text(VERSE[100:4100], "utf-8")
    with pytest.raises(CorpusError, match="has changed since"):
        list(comparison.events(InlineExecutor()))
    assert not (comparison.folder / ".stop").exists()


def test_a_diverged_run_is_reported_and_the_comparison_continues(tmp_path: Path) -> None:
    wild = replace(PLAN.config, optimizer="sgd", lr=1e9, clip=0.0)
    comparison = compared(tmp_path / "wild", replace(PLAN, config=wild))
    summaries = rank(comparison.summaries())
    assert [s.title for s in summaries] == ["ngram 3", "ngram 1", "rnn 1x8", "gru 1x8"]
    assert [s.diverged for s in summaries] == [0, 0, 2, 2]
    again = Comparison(replace(PLAN, config=wild), TEXT, tmp_path / "wild")
    assert not again.pending


def test_models_are_ranked_by_mean_loss_with_their_distance_to_the_best(whole: Comparison) -> None:
    summaries = rank(whole.summaries())
    losses = [s.loss.nats_per_char for s in summaries]
    assert losses == sorted(losses)
    assert summaries[0].difference_from_best is None
    for s in summaries[1:]:
        assert s.difference_from_best
        assert s.difference_from_best.nats == pytest.approx(s.loss.nats_per_char - losses[0])
        assert 0 <= s.difference_from_best.p <= 1
    gru = next(s for s in summaries if s.title == "gru 1x8")
    nats = np.array([r.loss.nats_per_char for r in gru.results])
    assert gru.loss.nats_per_char == pytest.approx(nats.mean())
    assert gru.std["nats_per_char"] == pytest.approx(nats.std(ddof=1))
    assert gru.std["bits_per_char"] == pytest.approx((nats / np.log(2)).std(ddof=1))
    assert gru.std["perplexity"] == pytest.approx(np.exp(nats).std(ddof=1))
    ngram = next(s for s in summaries if s.title == "ngram 3")
    assert (ngram.std, ngram.single_seed) == ({}, False)


def test_time_left_is_estimated_from_finished_runs_of_the_same_model(whole: Comparison) -> None:
    fresh = Comparison(PLAN, TEXT, whole.folder)
    seconds = {"rnn 1x8": 10.0, "gru 1x8": 30.0}
    for trial, result in results(fresh).items():
        if trial.config.seed == 2:
            del fresh.results[trial]
        elif result.seed:
            fresh.results[trial] = replace(result, seconds=seconds[trial.config.model_name])
    assert fresh.time_left(1) == pytest.approx(40)
    assert fresh.time_left(2) == pytest.approx(30)  # not less than the longest run
    rnn = next(t for t in fresh.pending if t.config.cell == "rnn")
    fresh.running = {rnn: TrialProgress(share=0.5, seconds=10)}  # slower than the finished run
    assert fresh.time_left(1) == pytest.approx(10 + 30)
    fresh.results.clear()
    fresh.running.clear()
    assert fresh.time_left(1) is None


def test_a_dead_worker_is_a_clear_error(tmp_path: Path) -> None:
    class Broken(InlineExecutor):
        def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
            done: Future[T] = Future()
            done.set_exception(BrokenProcessPool("killed"))
            return done

    with pytest.raises(WorkerError, match="--workers 1"):
        list(Comparison(PLAN, TEXT, tmp_path / "x").events(Broken()))


def test_a_run_reports_progress_and_can_be_stopped(tmp_path: Path) -> None:
    plan = replace(PLAN, cells=("rnn",), seeds=1, orders=())
    (trial,) = Comparison(plan, TEXT, tmp_path / "x").trials
    assert trial.read_progress() is None
    trial.path.mkdir()
    trial.write_progress(TrialProgress(0.5, 1.5, 2.5, None))
    assert trial.read_progress() == TrialProgress(0.5, 1.5, 2.5, None)
    (trial.path / ".progress").write_text("{")
    assert trial.read_progress() is None
    trial.stop_file.touch()
    run_trial(trial)
    assert not trial.run.log_file.exists()


def test_the_best_validation_checkpoint_is_evaluated_not_the_last(tmp_path: Path) -> None:
    wild = replace(CONFIG, lr=1.0, eval_every=1, schedule="constant", weight_decay=0.0)
    comparison = compared(tmp_path / "x", Plan(wild, ("rnn",), 1))
    ((trial, result),) = results(comparison).items()
    best, last = checkpoint.load(trial.run.best), checkpoint.load(trial.run.last)
    assert best.record.metrics
    assert best.record.metrics.best_step < last.record.step
    wanted = evaluate(best.language_model, comparison.corpus.test)
    assert result.loss.nats_per_char == pytest.approx(wanted.nats_per_char, rel=1e-12)


def test_losses_of_word_models_are_per_character(tmp_path: Path) -> None:
    """Models of words and of characters can then be compared on a text."""
    plan = Plan(replace(CONFIG, unit="word"), ("rnn",), 1, (2,))
    words = compared(tmp_path / "words", plan, replace(TEXT, config=plan.config))
    chars = compared(tmp_path / "chars", Plan(CONFIG, ("rnn",), 1, (2,)))
    for comparison in (words, chars):
        for trial, result in results(comparison).items():
            log = trial.run.records()
            reported = next(r for r in log if r["event"] == "finished")["losses"]["test"]
            assert result.loss.nats_per_char == pytest.approx(reported["nats_per_char"], rel=1e-9)
            assert result.loss.chars == reported["chars"]
