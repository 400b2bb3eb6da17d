"""Run by `test_mpi` on every rank: `mpiexec -n 3 python -m mpi4py -m tests.on_ranks`.

An assertion that fails on one rank ends them all.
"""

import dataclasses
import math

import numpy as np

from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.errors import CorpusError, DivergedError, ProcessGroupError
from charrnn.models import CharRNN, NetworkConfig
from charrnn.training.events import Recovered
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.parallel.data_parallel import DataParallel, default_workers
from charrnn.training.parallel.group import init_group, pairwise_sum
from tests.conftest import VERSE

CONFIG = TrainConfig(hidden=8, layers=1, batch=7, seq=16, steps=12, eval_every=5, workers=2)
CORPUS = Corpus.of_text(VERSE[:4000], Split(0.8, 0.1, 0.1))


def trainer(**changes):
    return NetworkTrainer(CORPUS, dataclasses.replace(CONFIG, **changes), group=init_group())


def error_of(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        return error
    return None


def sums_are_right_whatever_the_length_and_notes_are_exact():
    group = init_group()
    for dtype in (np.float32, np.float64):
        for size in (1, 2, 3, 10, 301):
            array = np.arange(size, dtype=dtype) * (group.rank + 1)
            notes = group.all_reduce(array, (math.pi * group.rank, -1e300))
            np.testing.assert_array_equal(array, np.arange(size) * sum(range(1, group.size + 1)))
            assert notes.tolist() == [[math.pi * n, -1e300] for n in range(group.size)]
    assert not group.stopping
    each = [np.random.default_rng(n).standard_normal(50) for n in range(group.size)]
    array = each[group.rank].copy()
    group.all_reduce(array, ())
    np.testing.assert_array_equal(array, pairwise_sum(each))  # in that order, to the bit
    array = np.full(5, np.nan if group.rank else np.inf, np.float32)  # quietly: warnings are errors
    group.all_reduce(array, ())
    assert np.isnan(array).all()


def the_gradient_is_that_of_one_process():
    group, rng = init_group(), np.random.default_rng(3)
    model = CharRNN.initialised(NetworkConfig(7, "lstm", 6, 2), rng, np.float64)
    ids, targets = rng.integers(0, 7, (2, 9, 8))
    start = tuple(rng.standard_normal(s.shape) for s in model.initial_state(8))
    alone, shared = model.params.zeros_like(), model.params.zeros_like()
    loss, after = model.gradient(ids, targets, start, alone)
    team = DataParallel(model, 8, 2, group)
    own = tuple(s[team.own] for s in start)
    part, new = team.gradient(ids, targets, own, shared, np.random.default_rng)
    found = group.all_reduce(shared.flat, (part,)).sum()
    assert abs(found - loss) < 1e-12
    assert np.abs(shared.flat - alone.flat).max() < 1e-12
    for a, b in zip(zip(*group.gather(new), strict=True), after, strict=True):
        assert np.abs(np.concatenate(a) - b).max() < 1e-12


def an_error_of_one_rank_is_that_of_all():
    group = init_group()

    def gone_on(rank):
        if group.rank == rank:
            raise CorpusError("It is gone.")

    for last in (0, group.size - 1):
        assert str(error_of(group.root_first, lambda: gone_on(last))) == "It is gone."  # noqa: B023
    assert str(error_of(group.run_on_root, lambda: gone_on(0))) == "It is gone."
    assert group.run_on_root(lambda: group.rank) == 0


def other_options_are_refused():
    error = error_of(lambda: trainer(lr=0.1 if init_group().rank == 1 else 0.2))
    assert isinstance(error, ProcessGroupError)
    assert "Rank 1 was started with other options" in str(error)


def all_ranks_stop_after_the_same_step_when_one_is_asked():
    own = trainer(steps=1000)
    events = []
    for event in own.events():
        events.append(event)
        if own.group.rank == 1 and own.learner.at.step == 6:
            own.stop()
    assert events[-1].stopped
    assert {*own.group.gather(events[-1].step)} == {7}


def a_budget_of_minutes_ends_on_all_ranks_at_once():
    own = trainer(steps=None, minutes=0.002)
    list(own.events())
    assert own.learner.at.seconds >= 0.12
    for value in (own.learner.at.step, own.learner.at.seconds, own.model.params.flat.tobytes()):
        assert len({*own.group.gather(value)}) == 1


def an_explosion_is_survived_together():
    own = trainer(lr=1e9, optimizer="sgd", clip=0, steps=100)
    seen = []

    def run():
        for event in own.events():
            seen.append(event)

    assert isinstance(error_of(run), DivergedError)
    assert sum(isinstance(e, Recovered) for e in seen) == 3
    assert len({*own.group.gather(own.learner.at.step)}) == 1


def ranks_that_drift_apart_are_noticed():
    own = trainer()
    own.model.params.flat[0] += own.group.rank
    assert "other parameters" in str(error_of(lambda: list(own.events())))


def cores_are_shared_out_on_one_machine():
    group = init_group()
    assert default_workers(10_000, 10_000, group) == max(1, min(group.gather(group.cores())))
    assert group.cores() >= 1


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    checks = [c for c in list(globals().values()) if callable(c) and c.__module__ == "__main__"]
    for check in checks:
        if check not in (trainer, error_of):
            check()
    if init_group().rank == 0:
        print(len(checks) - 2, "checks")
