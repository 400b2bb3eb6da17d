"""Checks that `test_mpi` runs on every rank: `mpiexec -n 3 python -m mpi4py -m tests.rank_checks`.

A failed assertion on one rank ends all ranks.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.errors import CorpusError, DivergedError, ProcessGroupError
from charrnn.models import CharRNN, NetworkConfig
from charrnn.tasks import LanguageModelConfig
from charrnn.training.events import Recovered
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.parallel.data_parallel import DataParallel, default_workers
from charrnn.training.parallel.group import pairwise_sum
from charrnn.training.parallel.launch import init_group
from tests.conftest import VERSE, last_event, network_trainer

CONFIG = LanguageModelConfig(hidden=8, layers=1, batch=7, seq=16, steps=12, eval_every=5, workers=2)
CORPUS = Corpus.of_text(VERSE[:4000], Split(0.8, 0.1, 0.1))


def make_trainer(**changes: Any) -> NetworkTrainer:
    return network_trainer(CORPUS, dataclasses.replace(CONFIG, **changes), group=init_group())


def error_of(call: Callable[..., object], *arguments: Any) -> Exception | None:
    try:
        call(*arguments)
    except Exception as error:
        return error
    return None


def sums_are_right_for_any_length_and_notes_are_exact() -> None:
    group = init_group()
    for dtype in (np.float32, np.float64):
        for size in (1, 2, 3, 10, 301):
            array = np.arange(size, dtype=dtype) * (group.rank + 1)
            notes = group.all_reduce(array, (math.pi * group.rank, -1e300))
            np.testing.assert_array_equal(array, np.arange(size) * sum(range(1, group.size + 1)))
            assert notes.tolist() == [[math.pi * n, -1e300] for n in range(group.size)]
    assert not group.stopping
    addends = [np.random.default_rng(n).standard_normal(50) for n in range(group.size)]
    array = addends[group.rank].copy()
    group.all_reduce(array, ())
    # The terms are added in the order of the ranks, bit for bit.
    np.testing.assert_array_equal(array, pairwise_sum(addends))
    # Values that are not finite must not warn, since warnings are errors here.
    array = np.full(5, np.nan if group.rank else np.inf, np.float32)
    group.all_reduce(array, ())
    assert np.isnan(array).all()


def the_gradient_equals_that_of_one_process() -> None:
    group, rng = init_group(), np.random.default_rng(3)
    model = CharRNN.initialized(NetworkConfig(7, "lstm", 6, 2), rng, np.float64)
    ids, targets = rng.integers(0, 7, (2, 9, 8))
    start = tuple(rng.standard_normal(s.shape) for s in model.initial_state(8))
    alone, shared = model.params.zeros_like(), model.params.zeros_like()
    loss, after = model.loss_and_gradient(ids, targets, start, alone)
    parallel = DataParallel(model, 8, 2, group)
    rank_state = tuple(s[parallel.rank_streams] for s in start)
    part, new = parallel.gradient(ids, targets, rank_state, shared, np.random.default_rng)
    shared_loss = group.all_reduce(shared.flat, (part,)).sum()
    assert abs(shared_loss - loss) < 1e-12
    assert np.abs(shared.flat - alone.flat).max() < 1e-12
    for a, b in zip(zip(*group.gather(new), strict=True), after, strict=True):
        assert np.abs(np.concatenate(a) - b).max() < 1e-12


def an_error_on_one_rank_is_raised_on_all() -> None:
    group = init_group()

    def gone_on(rank: int) -> None:
        if group.rank == rank:
            raise CorpusError("It is gone.")

    for last in (0, group.size - 1):
        assert str(error_of(group.root_first, lambda: gone_on(last))) == "It is gone."  # noqa: B023
    assert str(error_of(group.run_on_root, lambda: gone_on(0))) == "It is gone."
    assert group.run_on_root(lambda: group.rank) == 0


def different_options_are_refused() -> None:
    error = error_of(lambda: make_trainer(lr=0.1 if init_group().rank == 1 else 0.2))
    assert isinstance(error, ProcessGroupError)
    assert "Rank 1 was started with different options" in str(error)


def a_stop_on_one_rank_stops_all_after_the_same_step() -> None:
    trainer = make_trainer(steps=1000)
    events = []
    for event in trainer.events():
        events.append(event)
        if trainer.group.rank == 1 and trainer.training.position.step == 6:
            trainer.stop()
    assert last_event(events).stopped
    assert {*trainer.group.gather(last_event(events).step)} == {7}


def a_budget_of_minutes_ends_after_the_same_step_on_all_ranks() -> None:
    trainer = make_trainer(steps=None, minutes=0.002)
    list(trainer.events())
    assert trainer.training.position.seconds >= 0.12
    for value in (
        trainer.training.position.step,
        trainer.training.position.seconds,
        trainer.model.params.flat.tobytes(),
    ):
        assert len({*trainer.group.gather(value)}) == 1


def all_ranks_recover_from_divergence_together() -> None:
    trainer = make_trainer(lr=1e9, optimizer="sgd", clip=0, steps=100)
    seen = []

    def run() -> None:
        for event in trainer.events():
            seen.append(event)

    assert isinstance(error_of(run), DivergedError)
    assert sum(isinstance(e, Recovered) for e in seen) == 3
    assert len({*trainer.group.gather(trainer.training.position.step)}) == 1


def ranks_whose_parameters_differ_are_an_error() -> None:
    trainer = make_trainer()
    trainer.model.params.flat[0] += trainer.group.rank
    assert "different parameters" in str(error_of(lambda: list(trainer.events())))


def ranks_on_one_machine_divide_its_cores() -> None:
    group = init_group()
    assert default_workers(10_000, 10_000, group) == max(1, min(group.gather(group.cores())))
    assert group.cores() >= 1


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    checks = [c for c in list(globals().values()) if callable(c) and c.__module__ == "__main__"]
    for check in checks:
        if check not in (make_trainer, error_of):
            check()
    if init_group().rank == 0:
        print(len(checks) - 2, "checks")
