"""MPIGroup under `mpiexec`: the training of one process, and an end that leaves nobody behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from charrnn.config.train_config import TrainConfig
from charrnn.data.corpus import Corpus
from charrnn.data.split import Split
from charrnn.runs import checkpoint
from charrnn.runs.run import Run
from charrnn.training.network_trainer import NetworkTrainer
from tests.conftest import ROOT, VERSE

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
needs_mpi = pytest.mark.skipif(
    not (MPIEXEC and find_spec("mpi4py")), reason="needs mpiexec and mpi4py"
)
ENVIRONMENT = {
    **os.environ,
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",  # there may be fewer cores than ranks, and other tests
    "OMPI_MCA_rmaps_base_oversubscribe": "1",  # Open MPI 4
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # Open MPI 5
}
CHARRNN = (sys.executable, "-m", "charrnn", "train")
OPTIONS = {"hidden": 12, "layers": 2, "batch": 7, "seq": 20, "dropout": 0.2, "reset": 0.3,
           "eval_every": 5, "split": "0.8,0.1,0.1", "schedule": "constant"}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ranks")
    (path / "verse.txt").write_text(VERSE[:6000], "utf-8")
    return path


@contextmanager
def started(*command: str | int, folder: Path = ROOT) -> Iterator[subprocess.Popen[str]]:
    assert MPIEXEC
    process = subprocess.Popen(
        [MPIEXEC, *map(str, command)],
        cwd=folder, env=ENVIRONMENT, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()  # with it go its ranks, if a test failed while they were at work
        process.communicate()


def run(*command: str | int, folder: Path = ROOT) -> tuple[int, str, list[str]]:
    """The exit code, what was printed, and the lines on standard error that are ours."""
    with started(*command, folder=folder) as process:
        out, err = process.communicate(timeout=100)
    return process.returncode, out, [line for line in err.splitlines() if "Error: " in line]


def options(**changes) -> list[str]:
    return [f"--{n.replace('_', '-')}={v}" for n, v in (OPTIONS | changes).items()]


def train(folder, name, ranks, **changes):
    command = (*CHARRNN, "verse.txt", *options(**changes), "--out=.", f"--name={name}", "--quiet")
    code, _, errors = run("-n", ranks, *command, folder=folder)
    assert (code, errors) == (0, [])


def train_alone(folder, name, **changes):
    """In this process; where there is such a run it goes on."""
    corpus = Corpus.read([folder / "verse.txt"], split=Split.parse(OPTIONS["split"]))
    config = TrainConfig(**(OPTIONS | changes))
    there = (folder / name).exists()
    trainer = (
        NetworkTrainer.resume(Run(folder / name), corpus, config)
        if there
        else NetworkTrainer(corpus, config, Run.create(folder, name))
    )
    list(trainer.events())


def assert_same_bits(folder, one, other):
    a, b = (checkpoint.load(folder / name / "last.npz") for name in (one, other))
    np.testing.assert_array_equal(a.model.params.flat, b.model.params.flat)
    assert set(a.training) == set(b.training)
    for name, array in a.training.items():
        np.testing.assert_array_equal(b.training[name], array)
    own = {"seconds": 0}
    assert a.meta["position"] | own == b.meta["position"] | own
    best = [checkpoint.load(folder / name / "best.npz").model.params.flat for name in (one, other)]
    np.testing.assert_array_equal(*best)
    logs = [[(r["event"], r["step"], r.get("nats_per_char")) for r in Run(folder / name).records()]
            for name in (one, other)]  # fmt: skip
    assert logs[0] == logs[1]


@needs_mpi
def test_what_ranks_agree_on(folder):
    code, out, _ = run("-n", 3, sys.executable, "-m", "mpi4py", "-m", "tests.on_ranks")
    assert (code, out.strip()) == (0, "9 checks")


@needs_mpi
def test_ranks_train_with_the_bits_of_as_many_threads_and_go_on_in_one_process(folder):
    """Seven streams, so that shares are uneven."""
    train(folder, "ranks", 2, steps=10, workers=2)
    train(folder, "again", 4, steps=10, workers=1)
    train_alone(folder, "threads", steps=10, workers=4)
    assert_same_bits(folder, "ranks", "threads")
    assert_same_bits(folder, "ranks", "again")

    train_alone(folder, "whole", steps=20, workers=4)
    train_alone(folder, "again", steps=20, workers=4)
    assert_same_bits(folder, "again", "whole")
    code, _, _ = run("-n", 2, *CHARRNN, "--resume=ranks", "--steps=20", "--quiet", folder=folder)
    assert code == 0
    assert_same_bits(folder, "ranks", "whole")

    command = (*CHARRNN, "--steps=22", "--resume", "ranks")  # with two threads instead of four
    done = subprocess.run(command, cwd=folder, check=True, timeout=60, capture_output=True)
    assert b"not bit for bit" in done.stderr
    assert checkpoint.load(folder / "ranks" / "last.npz").meta["position"]["step"] == 22


def rank_of(process: int) -> str | None:
    """The rank of a process, by its environment, None for one that has gone or is no rank."""
    try:
        pairs = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    found = [p.partition(b"=")[2].decode() for p in pairs if p.startswith(b"OMPI_COMM_WORLD_RANK=")]
    return found[0] if found else None


def ranks_in(folder: Path) -> dict[str, int]:
    """The processes that work in a folder, by their rank."""
    found = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal() and (rank := rank_of(int(place.name))) is not None:
            try:
                if (place / "cwd").resolve() == folder and b"charrnn" in (
                    place / "cmdline"
                ).read_bytes():
                    found[rank] = int(place.name)
            except OSError:
                continue
    return found


@needs_mpi
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds ranks in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_to_one_rank_ends_all_and_leaves_a_whole_checkpoint(number, folder):
    name, until = f"hit-{number}", time.monotonic() + 60
    command = (*CHARRNN, "verse.txt", *options(steps=1_000_000), "--out=.", f"--name={name}")
    with started("-n", 3, *command, "--quiet", folder=folder) as process:
        while not (folder / name / "last.npz").exists() and time.monotonic() < until:
            time.sleep(0.02)
        ranks = ranks_in(folder)
        assert set(ranks) == {"0", "1", "2"}
        os.kill(ranks["1"], number)
        process.communicate(timeout=60)
    assert process.returncode == 128 + number
    while ranks_in(folder) and time.monotonic() < until:
        time.sleep(0.02)
    assert not ranks_in(folder)
    last = checkpoint.load(folder / name / "last.npz")
    assert len(last.training["state/0"]) == OPTIONS["batch"]
    assert not list((folder / name).glob(".*.part"))
    resumed = (
        *CHARRNN,
        "--resume",
        name,
        "--quiet",
        f"--steps={last.meta['position']['step'] + 3}",
    )
    subprocess.run(resumed, cwd=folder, check=True, timeout=60)


def as_module(code: str) -> list[str]:
    return [sys.executable, "-c", f"import sys\nfrom charrnn.cli import main\n{code}"]


FULL = """
from charrnn.runs import checkpoint
def full(*arguments, **more): raise OSError(28, "No space left on device")
checkpoint.np.savez = full
main(sys.argv[1:])
"""
MISSING = """
sys.modules["mpi4py"] = None
main(sys.argv[1:])
"""


@needs_mpi
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([*as_module(FULL), "train", "verse.txt"], "no space left on device"),
        ([*as_module(MISSING), "train", "verse.txt"], "pip install 'charrnn[mpi]'"),
        ([*CHARRNN, "nowhere.txt"], "There is no file 'nowhere.txt'"),
    ],
)
def test_a_failure_is_told_once_and_ends_all(command, message, folder):
    more = ["--out=failed", "--hidden=8", "--layers=1", "--steps=9", "--quiet"]
    code, out, errors = run("-n", 2, *command, *more, folder=folder)
    assert (code, out, len(errors)) == (1, "", 1)
    assert message in errors[0]


@needs_mpi
def test_ranks_that_read_different_texts_are_refused(folder):
    (folder / "other.txt").write_text(VERSE[:6001], "utf-8")
    texts = (["-n", 1, *CHARRNN, name, "--out=refused"] for name in ("verse.txt", "other.txt"))
    first, second = texts
    code, _, errors = run(*first, ":", *second, folder=folder)
    assert (code, len(errors)) == (1, 1)
    assert "Rank 1 has read another text than rank 0" in errors[0]
    assert not (folder / "refused").exists()
