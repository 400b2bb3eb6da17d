"""Comparisons: the same for all, whoever does the runs and however often they are interrupted."""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest

from charrnn.compare.comparison import Comparison
from charrnn.compare.experiment import Plan
from charrnn.compare.results import rank
from charrnn.compare.trial import TrialProgress, learn
from charrnn.data.reading import Source
from charrnn.errors import CheckpointError, CorpusError, WorkerError
from charrnn.language.evaluate import evaluate
from charrnn.language.text_model import load
from charrnn.runs import checkpoint
from charrnn.training.network_trainer import NetworkTrainer
from tests.comparing import CONFIG, PLAN, TEXT, Here, compared
from tests.conftest import VERSE


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Comparison:
    return compared(tmp_path_factory.mktemp("whole") / "experiment")


def bits(comparison):
    return {t.path.name: checkpoint.load(t.run.best).model.arrays() for t in comparison.trials}


def assert_same_bits(one, other):
    one, other = bits(one), bits(other)
    assert one.keys() == other.keys()
    for name, arrays in one.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(other[name][key], array, err_msg=f"{name} {key}")


def test_every_model_has_its_runs_in_folders_that_say_what_they_are(whole):
    assert [t.path.name for t in whole.trials] == [
        "ngram-1", "ngram-3", "rnn-1x8-seed1", "gru-1x8-seed1", "rnn-1x8-seed2", "gru-1x8-seed2"
    ]  # fmt: skip
    assert [s.title for s in whole.summaries()] == ["ngram 1", "ngram 3", "rnn 1x8", "gru 1x8"]
    assert [len(s.results) for s in whole.summaries()] == [1, 1, 2, 2]
    assert not whole.missing
    assert not list(whole.folder.rglob(".*"))
    text = "".join(load(whole.folder / "gru-1x8-seed2").generate("The ", length=5))
    assert len(text) == 5


def test_losses_are_those_of_the_best_model_on_the_test_part(whole):
    for trial, result in whole.results.items():
        best = checkpoint.load(trial.run.best)
        wanted = evaluate(best.language_model, whole.corpus.test)
        assert result.loss.nats_per_char == pytest.approx(wanted.nats_per_char, rel=1e-12)
        assert result.loss.chars == wanted.chars == len(whole.corpus.test) == 1000
        finished = next(r for r in trial.run.records() if r["event"] == "finished")
        told = finished["losses"]["test"]["nats_per_char"]
        assert result.loss.nats_per_char == pytest.approx(told, rel=1e-9)
        assert (result.parameters, result.seconds) == (finished["parameters"], finished["seconds"])
        per_epoch = 3500 // 4 // 16  # streams, chunks
        if result.seed:
            assert result.best_epoch == pytest.approx(finished["best_step"] / per_epoch, rel=0.02)
            assert [p.chars for p in result.curve] == pytest.approx([255, 510, 765], rel=0.03)
            assert [p.seconds for p in result.curve] == sorted(p.seconds for p in result.curve)


def test_who_does_the_runs_and_how_many_at_a_time_changes_no_bit(whole, tmp_path):
    comparison = Comparison(PLAN, TEXT, tmp_path / "three")
    with ThreadPoolExecutor(3) as pool:
        ended = [trial for trial in comparison.events(pool) if trial]
    assert set(ended) == set(comparison.trials)
    assert_same_bits(whole, comparison)


def test_an_interrupted_comparison_goes_on_and_ends_with_the_same_bits(
    whole, tmp_path, monkeypatch
):
    """Stopped in the midst of every run, again and again."""
    monkeypatch.setattr("charrnn.compare.trial._EVERY", 0.0)
    out, rounds, steps = tmp_path / "often", 0, []
    while True:
        comparison = Comparison(PLAN, TEXT, out)
        if not comparison.missing:
            break
        rounds += 1
        write, seen = type(comparison.trials[0]).write_progress, []

        def stop_soon(trial, progress, write=write, seen=seen, comparison=comparison):
            write(trial, progress)
            if progress and progress.share:
                seen.append(progress.share)
                if len(seen) == 13:
                    comparison.stop()

        with monkeypatch.context() as patch:
            patch.setattr("charrnn.compare.trial.Trial.write_progress", stop_soon)
            list(comparison.events(Here()))
        steps.append(len(comparison.results))
        assert not (out / ".stop").exists()
    assert rounds > 3
    assert steps == sorted(steps)
    assert_same_bits(whole, comparison)
    ours, theirs = (
        {t.path.name: r.loss for t, r in c.results.items()} for c in (whole, comparison)
    )
    assert ours == theirs


def test_a_stop_that_comes_before_it_begins_is_not_lost(tmp_path):
    comparison = Comparison(PLAN, TEXT, tmp_path / "x")
    comparison.stop()
    assert not [trial for trial in comparison.events(Here()) if trial]
    assert comparison.missing == comparison.trials
    assert not list(comparison.folder.rglob(".*"))


def test_a_run_that_was_trained_further_is_not_taken_for_the_old_one(tmp_path):
    plan = replace(PLAN, cells=("rnn",), seeds=1, orders=())
    (trial,) = compared(tmp_path / "x", plan).trials
    run = trial.run
    longer = replace(trial.config, steps=20)
    list(NetworkTrainer.resume(run, TEXT.read(), longer).events())
    assert not trial.ended
    with pytest.raises(CheckpointError, match="trained further"):
        compared(tmp_path / "x", plan)


def test_a_text_that_changes_in_between_is_told(tmp_path):
    file = tmp_path / "verse.txt"
    file.write_text(VERSE[:4000], "utf-8")
    comparison = Comparison(PLAN, replace(TEXT, sources=(Source.of(file),)), tmp_path / "out")
    file.write_text(VERSE[100:4100], "utf-8")
    with pytest.raises(CorpusError, match="has changed since"):
        list(comparison.events(Here()))
    assert not (comparison.folder / ".stop").exists()


def test_a_run_that_diverges_is_told_and_ends_nothing(tmp_path):
    wild = replace(PLAN.config, optimizer="sgd", lr=1e9, clip=0.0)
    comparison = compared(tmp_path / "wild", replace(PLAN, config=wild))
    summaries = rank(comparison.summaries())
    assert [s.title for s in summaries] == ["ngram 3", "ngram 1", "rnn 1x8", "gru 1x8"]
    assert [s.diverged for s in summaries] == [0, 0, 2, 2]
    again = Comparison(replace(PLAN, config=wild), TEXT, tmp_path / "wild")
    assert not again.missing


def test_models_rank_by_their_mean_and_know_how_far_behind_they_are(whole):
    summaries = rank(whole.summaries())
    losses = [s.loss.nats_per_char for s in summaries]
    assert losses == sorted(losses)
    assert summaries[0].behind is None
    for s in summaries[1:]:
        assert s.behind.nats == pytest.approx(s.loss.nats_per_char - losses[0])
        assert 0 <= s.behind.p <= 1
    gru = next(s for s in summaries if s.title == "gru 1x8")
    each = np.array([r.loss.nats_per_char for r in gru.results])
    assert gru.loss.nats_per_char == pytest.approx(each.mean())
    assert gru.spread["nats_per_char"] == pytest.approx(each.std(ddof=1))
    assert gru.spread["bits_per_char"] == pytest.approx((each / np.log(2)).std(ddof=1))
    assert gru.spread["perplexity"] == pytest.approx(np.exp(each).std(ddof=1))
    ngram = next(s for s in summaries if s.title == "ngram 3")
    assert (ngram.spread, ngram.alone) == ({}, False)


def test_time_left_is_that_of_the_runs_alike_shared_among_workers(whole):
    fresh = Comparison(PLAN, TEXT, whole.folder)
    seconds = {"rnn 1x8": 10.0, "gru 1x8": 30.0}
    for trial, result in list(fresh.results.items()):
        if trial.config.seed == 2:
            del fresh.results[trial]
        elif result.seed:
            fresh.results[trial] = replace(result, seconds=seconds[trial.config.model_name])
    assert fresh.time_left(1) == pytest.approx(40)
    assert fresh.time_left(2) == pytest.approx(30)  # no shorter than the longest run
    rnn = next(t for t in fresh.missing if t.config.cell == "rnn")
    fresh.running = {rnn: TrialProgress(share=0.5, seconds=10)}  # slower than the other
    assert fresh.time_left(1) == pytest.approx(10 + 30)
    fresh.results.clear()
    fresh.running.clear()
    assert fresh.time_left(1) is None


def test_a_worker_that_is_no_more_is_a_clear_error(tmp_path):
    class Broken(Here):
        def submit(self, fn, /, *args, **kwargs):
            done = Future()
            done.set_exception(BrokenProcessPool("killed"))
            return done

    with pytest.raises(WorkerError, match="--workers 1"):
        list(Comparison(PLAN, TEXT, tmp_path / "x").events(Broken()))


def test_a_run_says_how_far_it_is_and_can_be_asked_to_stop(tmp_path):
    plan = replace(PLAN, cells=("rnn",), seeds=1, orders=())
    (trial,) = Comparison(plan, TEXT, tmp_path / "x").trials
    assert trial.read_progress() is None
    trial.path.mkdir()
    trial.write_progress(TrialProgress(0.5, 1.5, 2.5, None))
    assert trial.read_progress() == TrialProgress(0.5, 1.5, 2.5, None)
    (trial.path / ".progress").write_text("{")
    assert trial.read_progress() is None
    trial.stop_file.touch()
    learn(trial)
    assert not trial.run.log_file.exists()


def test_the_state_that_was_best_in_validation_is_measured_not_the_last(tmp_path):
    wild = replace(CONFIG, lr=1.0, eval_every=1, schedule="constant", weight_decay=0.0)
    comparison = compared(tmp_path / "x", Plan(wild, ("rnn",), 1))
    ((trial, result),) = comparison.results.items()
    best, last = checkpoint.load(trial.run.best), checkpoint.load(trial.run.last)
    assert best.meta["metrics"]["best_step"] < last.meta["position"]["step"]
    wanted = evaluate(best.language_model, comparison.corpus.test)
    assert result.loss.nats_per_char == pytest.approx(wanted.nats_per_char, rel=1e-12)


def test_words_have_their_losses_per_character(tmp_path):
    """So that models of words and of characters can be compared on a text."""
    plan = Plan(replace(CONFIG, unit="word"), ("rnn",), 1, (2,))
    words = compared(tmp_path / "words", plan, replace(TEXT, config=plan.config))
    chars = compared(tmp_path / "chars", Plan(CONFIG, ("rnn",), 1, (2,)))
    for comparison in (words, chars):
        for trial, result in comparison.results.items():
            log = trial.run.records()
            told = next(r for r in log if r["event"] == "finished")["losses"]["test"]
            assert result.loss.nats_per_char == pytest.approx(told["nats_per_char"], rel=1e-9)
            assert result.loss.chars == told["chars"]
