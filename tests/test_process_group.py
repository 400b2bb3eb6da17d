"""How ranks divide streams and sum gradients, tested in one process."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import ProcessGroupError
from charrnn.models import CharRNN, NetworkConfig
from charrnn.system.launch import launched_as
from charrnn.tasks import LanguageModelConfig
from charrnn.training.parallel.data_parallel import DataParallel
from charrnn.training.parallel.group import ProcessGroup, pairwise_sum
from charrnn.training.parallel.launch import init_group
from charrnn.training.train import read_dataset


@given(st.integers(1, 9), st.integers(0, 3), st.data())
def test_ranks_of_a_power_of_two_threads_sum_like_one_process(
    ranks: int, doublings: int, data: st.DataObject
) -> None:
    threads = 2**doublings
    numbers = data.draw(st.lists(st.floats(-9, 9), min_size=ranks * threads,
                                 max_size=ranks * threads))  # fmt: skip
    shares = [numbers[n * threads : (n + 1) * threads] for n in range(ranks)]
    assert pairwise_sum([pairwise_sum(share) for share in shares]) == pairwise_sum(numbers)


def fake_group(rank: int, size: int) -> ProcessGroup:
    group = ProcessGroup()
    group.rank, group.size = rank, size
    return group


@pytest.mark.slow
@given(st.integers(1, 5), st.integers(1, 5), st.integers(5, 40))
def test_every_stream_is_read_by_exactly_one_worker(ranks: int, workers: int, batch: int) -> None:
    model = CharRNN.initialized(NetworkConfig(3, hidden=1, layers=1), np.random.default_rng(1))
    streams = np.arange(batch)
    read: list[int] = []
    numbers: list[int] = []
    for rank in range(ranks):
        parallel = DataParallel(model, batch, workers, fake_group(rank, ranks))
        read += [
            n for share in parallel.worker_streams for n in streams[parallel.rank_streams][share]
        ]
        numbers += range(parallel.first_worker, parallel.first_worker + parallel.workers)
        assert all(share.stop > share.start for share in parallel.worker_streams)
    assert read == list(streams)
    assert numbers == list(range(len(numbers)))


def test_more_ranks_than_streams_are_refused(rng: np.random.Generator) -> None:
    model = CharRNN.initialized(NetworkConfig(3, hidden=1, layers=1), rng)
    with pytest.raises(ProcessGroupError, match="4 ranks cannot share 3 streams"):
        DataParallel(model, 3, 1, fake_group(0, 4))


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, (0, 1)),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "2"}, (2, 4)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1", "PMIX_RANK": "0"}, (0, 1)),
        ({"PMI_RANK": "1", "PMI_SIZE": "3"}, (1, 3)),
        ({"PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "2"}, (1, 2)),
        ({"PMIX_RANK": "1"}, (1, 0)),
        ({"PMI_RANK": "x", "PMI_SIZE": "y"}, (0, 1)),
    ],
)
def test_rank_and_size_come_from_the_environment(
    environment: dict[str, str], launch: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
                 "PMIX_RANK", "SLURM_STEP_NUM_TASKS"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launched_as() == launch


def test_mpi_is_not_imported_without_mpiexec() -> None:
    assert type(init_group()) is ProcessGroup
    assert "charrnn.training.parallel.mpi" not in sys.modules


def test_standard_input_is_refused_with_several_ranks() -> None:
    with pytest.raises(ProcessGroupError, match="give the text as a file"):
        read_dataset(["-"], LanguageModelConfig(), fake_group(1, 2))
