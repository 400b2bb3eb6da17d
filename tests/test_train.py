"""Training: learning, determinism, resuming and recovery from divergence."""

import dataclasses
import math
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

import charrnn
from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.errors import CheckpointError, ConfigError, CorpusError, DivergedError
from charrnn.models import CharRNN, NetworkConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.params import Array
from charrnn.runs import checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import LanguageModelConfig, make_config
from charrnn.training.events import (
    Evaluated,
    Event,
    Finished,
    Recovered,
    Sampled,
    Saved,
    Started,
    Stepped,
    to_json,
)
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.parallel.data_parallel import DataParallel
from tests.conftest import last_event, network_trainer, resume_network

T = TypeVar("T")
SMALL = LanguageModelConfig(
    hidden=12, layers=2, batch=4, seq=16, steps=24, eval_every=8, dropout=0.2
)


def train(
    corpus: Corpus, run: Run | None = None, **changes: Any
) -> tuple[NetworkTrainer, list[Any]]:
    trainer = network_trainer(corpus, dataclasses.replace(SMALL, **changes), run)
    return trainer, list(trainer.events())


def collect(trainer: NetworkTrainer, into: list[Event]) -> None:
    for event in trainer.events():
        into.append(event)


def flat(trainer: NetworkTrainer) -> Array:
    return trainer.model.params.flat


def events_of(kind: type[T], events: Iterable[object]) -> list[T]:
    return [e for e in events if isinstance(e, kind)]


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_memorises_a_text(cell: str) -> None:
    corpus = Corpus.of_text("the quick brown fox jumps over the lazy dog. " * 20, Split(1, 0, 0))
    _, events = train(
        corpus, cell=cell, hidden=32, layers=1, dropout=0, weight_decay=0, steps=400, lr=0.01
    )
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.losses["train"].nats_per_char < 0.15


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam"])
@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "plateau"])
def test_every_optimizer_and_schedule_lowers_the_loss(
    optimizer: str, schedule: str, small_corpus: Corpus
) -> None:
    _, events = train(small_corpus, optimizer=optimizer, schedule=schedule, warmup=3, steps=60)
    first, last = events_of(Stepped, events)[0], events[-1]
    assert last.losses["train"].nats_per_char < first.train.nats_per_char - 0.3


def test_training_is_determined_by_the_seed(small_corpus: Corpus) -> None:
    a, b, c = (train(small_corpus, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(flat(a), flat(b))
    assert not np.array_equal(flat(a), flat(c))


def test_initial_weights_lie_within_the_requested_range(small_corpus: Corpus) -> None:
    usual, narrow = (
        network_trainer(
            small_corpus, dataclasses.replace(SMALL, cell="lstm", init=init)
        ).model.params
        for init in (0.0, 0.01)
    )
    for name in usual:
        if name.endswith("b") or name == "out.c":
            np.testing.assert_array_equal(usual[name], narrow[name])
        else:
            assert np.abs(usual[name]).max() > 0.1
            assert 0.009 < np.abs(narrow[name]).max() <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_evaluating_and_sampling_more_often_changes_no_parameter(
    cell: str, small_corpus: Corpus
) -> None:
    rare, _ = train(small_corpus, cell=cell, eval_every=24, sample_every=0)
    often, events = train(small_corpus, cell=cell, eval_every=1, sample_every=1)
    assert len(events_of(Sampled, events)) == 24
    np.testing.assert_array_equal(flat(rare), flat(often))


def test_events_come_in_order_and_are_plain_data(small_corpus: Corpus, tmp_path: Path) -> None:
    _, events = train(small_corpus, Run.create(tmp_path, "r"))
    assert isinstance(events[0], Started)
    assert [e.step for e in events_of(Stepped, events)] == list(range(1, 25))
    assert [e.step for e in events_of(Evaluated, events)] == [8, 16, 24]
    assert [e.step for e in events_of(Saved, events)] == [8, 16, 24]
    finished = events[-1]
    assert set(finished.losses) == {"train", "valid", "test"}
    for event in events:
        assert to_json(event)["event"] == type(event).__name__.lower()
    keys = {"nats_per_char", "bits_per_char", "perplexity", "chars", "chars_per_second", "seconds"}
    assert keys <= set(to_json(events_of(Evaluated, events)[0]))


def test_the_budget_can_be_epochs_steps_or_minutes(small_corpus: Corpus) -> None:
    budgets: list[tuple[dict[str, Any], int]] = [({"epochs": 0.5}, 38), ({"steps": 7}, 7)]
    for budget, steps in budgets:
        trainer, _ = train(small_corpus, **({"steps": None, **budget}))
        assert trainer.training.position.step == steps
    trainer, events = train(small_corpus, steps=None, minutes=0.01)
    assert trainer.training.position.seconds >= 0.6
    shares = [e.share for e in events_of(Stepped, events)]
    assert shares == sorted(shares)
    assert trainer.training.progress.share >= 1 > shares[-2]


@pytest.mark.parametrize("stop_at", [1, 5, 8, 13, 23])
def test_a_stopped_run_resumes_bit_for_bit(
    stop_at: int, small_corpus: Corpus, tmp_path: Path
) -> None:
    whole, _ = train(small_corpus, Run.create(tmp_path, "whole"), schedule="plateau", patience=1)
    run = Run.create(tmp_path, "parts")
    config = dataclasses.replace(SMALL, schedule="plateau", patience=1)
    trainer = network_trainer(small_corpus, config, run)
    for event in trainer.events():
        if isinstance(event, Stepped) and event.step == stop_at:
            trainer.stop()
    assert isinstance(event, Finished)
    assert event.stopped
    resumed = resume_network(run, small_corpus, config)
    list(resumed.events())
    np.testing.assert_array_equal(flat(resumed), flat(whole))
    np.testing.assert_array_equal(resumed.best_params, whole.best_params)
    a, b = (checkpoint.load(tmp_path / n / "last.npz") for n in ("whole", "parts"))
    for name, array in a.training.items():
        np.testing.assert_array_equal(b.training[name], array)
    logs = [[(r["event"], r["step"], r.get("nats_per_char")) for r in Run(tmp_path / n).records()]
            for n in ("whole", "parts")]  # fmt: skip
    assert logs[0] == logs[1]


def test_the_log_is_consistent_after_a_crash(small_corpus: Corpus, tmp_path: Path) -> None:
    """After a crash between two saves, the log is ahead of the checkpoint."""
    run = Run.create(tmp_path, "r")
    trainer = network_trainer(small_corpus, SMALL, run)
    for event in trainer.events():
        if isinstance(event, Saved) and event.step == 8:
            shutil.copy(run.last, tmp_path / "older.npz")
    whole = [(r["event"], r["step"]) for r in run.records()]
    shutil.copy(tmp_path / "older.npz", run.last)
    with run.log_file.open("a") as log:
        log.write('null\n{"event": "evalu')
    resumed = resume_network(run, small_corpus, SMALL)
    assert resumed.damaged_records == 1
    list(resumed.events())
    assert [(r["event"], r["step"]) for r in run.records()] == whole


def test_resuming_can_extend_the_budget(small_corpus: Corpus, tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    train(small_corpus, run, schedule="constant", steps=10)
    longer = dataclasses.replace(SMALL, schedule="constant", steps=24)
    resumed = resume_network(run, small_corpus, longer)
    list(resumed.events())
    whole, _ = train(small_corpus, schedule="constant")
    np.testing.assert_array_equal(flat(resumed), flat(whole))


def test_resuming_on_another_text_is_refused(small_corpus: Corpus, tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    train(small_corpus, run)
    with pytest.raises(CheckpointError, match="SHA-256"):
        resume_network(run, Corpus.of_text("another text " * 50), SMALL)


def test_divergence_restores_the_last_state_and_halves_the_learning_rate(
    small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = network_trainer(small_corpus, SMALL)
    step = trainer.training.update
    broken: list[float] = []

    def diverge_once(rate: float) -> tuple[float, float]:
        loss, norm = step(rate)
        if trainer.training.position.step == 12 and not broken:
            broken.append(rate)
            trainer.model.params.flat[:] = np.nan
            return math.nan, norm
        return loss, norm

    monkeypatch.setattr(trainer.training, "update", diverge_once)
    events = list(trainer.events())
    (recovered,) = events_of(Recovered, events)
    assert (recovered.step, recovered.back_to, recovered.attempt) == (12, 8, 1)
    assert trainer.training.position.learning_rate_factor == 0.5
    assert np.isfinite(flat(trainer)).all()
    assert trainer.training.position.step == 24


def test_the_fourth_divergence_is_an_error(small_corpus: Corpus, tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    trainer = network_trainer(
        small_corpus, dataclasses.replace(SMALL, lr=1e9, optimizer="sgd", clip=0), run
    )
    events: list[Event] = []
    with pytest.raises(DivergedError, match="lower --lr"):
        collect(trainer, events)
    assert [e.attempt for e in events_of(Recovered, events)] == [1, 2, 3]
    assert not any(f.name.startswith(".") for f in run.path.iterdir())


def test_the_plateau_schedule_lowers_the_rate_without_improvement(small_corpus: Corpus) -> None:
    trainer, _ = train(
        small_corpus, schedule="plateau", patience=1, decay=0.5, lr=1e-12, steps=40, dropout=0
    )
    assert trainer.training.position.learning_rate_factor < 0.5


def test_a_text_too_short_for_the_batch_still_trains() -> None:
    corpus = Corpus.of_text("abracadabra", Split(1, 0, 0))
    trainer, events = train(corpus, batch=50, seq=50)
    assert trainer.training.batches.batch == 1
    assert events[-1].losses["train"].chars == 11


def test_without_validation_the_last_model_is_the_best() -> None:
    trainer, events = train(Corpus.of_text("abracadabra" * 9, Split(1, 0, 0)))
    np.testing.assert_array_equal(trainer.best_params, flat(trainer))
    assert set(events[-1].losses) == {"train"}


def test_the_best_model_has_the_lowest_validation_loss(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    run = Run.create(tmp_path, "r")
    _, events = train(small_corpus, run, steps=60, eval_every=5, lr=0.05, schedule="constant")
    losses = {e.step: e.valid.nats_per_char for e in events_of(Evaluated, events) if e.valid}
    best = min(losses, key=lambda step: losses[step])
    assert events[-1].best_step == best
    assert events[-1].losses["valid"].nats_per_char == pytest.approx(losses[best], abs=1e-6)
    stored = checkpoint.load(run.best)
    assert stored.record.step == best


def test_run_names_are_made_unique(tmp_path: Path) -> None:
    names = [Run.create(tmp_path, "诗").path.name for _ in range(3)]
    assert names == ["诗", "诗-2", "诗-3"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("hidden", 0), ("lr", 0), ("dropout", 1), ("cell", "nope"), ("split", "2"), ("minutes", -1)],
)
def test_invalid_options_are_refused(option: str, value: object) -> None:
    with pytest.raises((ConfigError, CorpusError)):
        LanguageModelConfig(**dict[str, Any]({option: value}))


@pytest.mark.parametrize("most", [{"epochs": 1.0}, {"steps": 5}, {"minutes": 1e-6}])
def test_training_stops_at_the_first_budget_reached(
    small_corpus: Corpus, most: dict[str, Any]
) -> None:
    ample: dict[str, Any] = {"epochs": 1e6, "steps": 10**9, "minutes": 1e6}
    ends = [
        train(small_corpus, **{"steps": None, **budgets})[0].training.position.step
        for budgets in (most, {**ample, **most})
    ]
    assert ends[0] == ends[1] < 200


def test_options_of_the_wrong_type_are_refused() -> None:
    with pytest.raises(ConfigError, match="run\\.toml"):
        make_config({"hidden": "many"}, "run.toml")
    with pytest.raises(ConfigError, match="does not know: hiden"):
        make_config({"hiden": 3}, "run.toml")


@pytest.mark.parametrize("function", [charrnn.train, charrnn.make_trainer])
def test_a_config_and_options_together_are_refused(
    small_corpus: Corpus, function: Callable[..., object]
) -> None:
    with pytest.raises(ConfigError, match="Give a config or options, not both: hidden, lr"):
        function(small_corpus, SMALL, lr=99, hidden=3)


def test_the_same_number_of_workers_gives_the_same_bits(small_corpus: Corpus) -> None:
    a, b = (train(small_corpus, workers=3)[0] for _ in range(2))
    np.testing.assert_array_equal(flat(a), flat(b))


def test_several_workers_compute_the_gradient_of_one(small_corpus: Corpus) -> None:
    """Five streams on three workers, no dropout: the same training up to rounding."""
    one, three = (train(small_corpus, workers=n, batch=5, dropout=0, lr=1e-3) for n in (1, 3))
    np.testing.assert_allclose(flat(one[0]), flat(three[0]), atol=1e-4)
    losses = [
        [e.train.nats_per_char for e in events_of(Stepped, events)] for _, events in (one, three)
    ]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-4)


def test_workers_gradients_are_exact_in_double_precision(rng: np.random.Generator) -> None:
    model = CharRNN.initialized(NetworkConfig(7, "lstm", 6, 2), rng, np.float64)
    ids, targets = rng.integers(0, 7, (2, 9, 8))
    alone, shared = model.params.zeros_like(), model.params.zeros_like()
    loss, state = model.loss_and_gradient(ids, targets, model.initial_state(8), alone)
    parallel = DataParallel(model, 8, 3)
    shared_loss, after = parallel.gradient(
        ids, targets, model.initial_state(8), shared, np.random.default_rng
    )
    assert shared_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(shared.flat, alone.flat, atol=1e-14)
    for a, b in zip(after, state, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)


def test_a_run_can_resume_with_another_number_of_workers(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    run = Run.create(tmp_path, "r")
    train(small_corpus, run, steps=8, workers=1)
    resumed = resume_network(run, small_corpus, dataclasses.replace(SMALL, workers=2))
    list(resumed.events())
    assert resumed.training.position.step == 24


def test_the_number_of_workers_is_saved_with_the_run(small_corpus: Corpus, tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    trainer, _ = train(small_corpus, run, workers=0)
    assert trainer.training.workers >= 1
    assert checkpoint.read_meta(run.last)["config"]["workers"] == trainer.training.workers


def test_a_diverged_model_is_never_saved(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path, "r")
    trainer = network_trainer(small_corpus, dataclasses.replace(SMALL, steps=1), run)
    step = trainer.training.update

    def scale_once(rate: float) -> tuple[float, float]:
        loss, norm = step(rate)
        if trainer.training.position.recoveries == 0:
            trainer.model.params.flat[:] *= 1e4
        return loss, norm

    monkeypatch.setattr(trainer.training, "update", scale_once)
    events = list(trainer.events())
    assert [e.attempt for e in events_of(Recovered, events)] == [1]
    assert last_event(events).losses["valid"].nats_per_char < 5


def test_a_stop_in_the_last_step_can_be_resumed(small_corpus: Corpus, tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    trainer = network_trainer(small_corpus, dataclasses.replace(SMALL, eval_every=100), run)
    for event in trainer.events():
        if isinstance(event, Stepped) and event.step == 24:
            trainer.stop()
    assert isinstance(event, Finished)
    assert not event.stopped or event.losses == {}
    resumed = last_event(resume_network(run, small_corpus, trainer.config).events())
    assert (resumed.best_step, resumed.stopped) == (24, False)
    assert run.best.exists()


def test_resuming_a_finished_run_changes_nothing(small_corpus: Corpus, tmp_path: Path) -> None:
    run = Run.create(tmp_path, "r")
    config = dataclasses.replace(SMALL, schedule="plateau", patience=1, steps=20)
    list(network_trainer(small_corpus, config, run).events())
    before, log = run.last.read_bytes(), run.records()
    resumed = resume_network(run, small_corpus, config)
    assert not events_of(Evaluated, list(resumed.events()))
    assert run.last.read_bytes() == before
    speed = {"chars_per_second": 0}
    assert [r | speed for r in run.records()] == [r | speed for r in log]


def test_text_options_are_taken_from_the_corpus(tmp_path: Path) -> None:
    corpus = Corpus.of_text("abracadabra" * 50, Split(0.5, 0.5, 0))
    trainer, _ = train(corpus, split="0.8,0.1,0.1", unit="byte")
    assert (trainer.config.split, trainer.config.unit) == ("0.5,0.5,0", "char")


def test_random_streams_are_all_different(small_corpus: Corpus) -> None:
    training = network_trainer(small_corpus, SMALL).training
    draws = [training._dropout_rng(n).random() for n in range(3)]
    for purpose in (0, 1, 3):
        draws.append(np.random.default_rng([purpose, SMALL.seed, training.position.step]).random())
    assert len(set(draws)) == 6
