"""Comparisons that are stopped or killed: work is saved and no process is left over."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from charrnn.runs import checkpoint
from tests.conftest import VERSE
from tests.small_comparison import COMMAND

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
Start = Callable[..., subprocess.Popen[str]]
LONG = ["--steps", "100000", "--ngram", "none"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("work")
    (path / "verse.txt").write_text(VERSE[:5000], "utf-8")
    return path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """A function that starts a comparison in a new process group, as a shell does."""
    started = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=folder, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        for left in group(process):
            with suppress(OSError):
                os.kill(left, signal.SIGKILL)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait up to 200 seconds, since the machine can be busy."""
    until = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def shares(experiment: Path) -> dict[str, float]:
    """The progress of the runs in training, 0 to 1, by run."""
    progress = {}
    for path in experiment.glob("*/.progress"):
        with suppress(OSError):  # the run has just ended
            progress[path.parent.name] = json.loads(path.read_text("utf-8"))["share"]
    return progress


def is_past(experiment: Path, run: str, share: float) -> bool:
    """Whether a run in training has passed this share of its steps."""
    return shares(experiment).get(run, 0) > share


def wait_for_work(experiment: Path, runs: int = 1) -> None:
    """Wait until this many runs have taken a step."""
    wait_until(lambda: sum(share > 0 for share in shares(experiment).values()) >= runs)


def group(process: subprocess.Popen[str]) -> dict[int, str]:
    """The command lines of all live processes in the process group, by process ID."""
    members = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has just ended
            state, _, of = (path / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(of) == process.pid and state not in "ZX":
                members[int(path.name)] = (path / "cmdline").read_text()
    return members


def wait_for_exit(process: subprocess.Popen[str]) -> None:
    """Wait until all processes of the group have ended; they close their files a moment before."""
    wait_until(lambda: not group(process))


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The worker processes of the group."""
    return [p for p, line in group(process).items() if "spawn_main" in line]


@pytest.mark.slow
def test_ctrl_c_saves_ends_all_processes_and_the_command_resumes(
    folder: Path, start: Start
) -> None:
    arguments = [*LONG, "--eval-every", "50", "--out", "long", "--workers", "2"]
    process = start(*arguments)
    wait_for_work(folder / "long", 2)
    os.killpg(process.pid, signal.SIGINT)  # a terminal signals the whole process group
    out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Stopped with 0 of 4 runs done; continue with: charrnn")
    wait_for_exit(process)
    assert not list((folder / "long").rglob(".*"))
    steps = {
        name: checkpoint.read_meta(folder / "long" / name / "last.npz")["position"]["step"]
        for name in ("rnn-1x8-seed1", "gru-1x8-seed1")
    }
    assert min(steps.values()) > 0
    process = start(*arguments)
    for name, step in steps.items():
        wait_until(partial(is_past, folder / "long", name, step / 100_000))
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=200)
    assert process.returncode == 143
    wait_for_exit(process)


def test_a_second_ctrl_c_exits_at_once(folder: Path, start: Start) -> None:
    process = start(*LONG, "--out", "hasty")
    wait_for_work(folder / "hasty")
    for worker in workers(process):
        os.kill(worker, signal.SIGSTOP)  # stopped workers cannot respond to the first Ctrl-C
    process.send_signal(signal.SIGINT)
    wait_until((folder / "hasty" / ".stop").exists)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Traceback" not in err
    wait_for_exit(process)


def test_killing_the_parent_ends_all_workers(folder: Path, start: Start) -> None:
    process = start(*LONG, "--out", "killed")
    wait_for_work(folder / "killed")
    process.kill()
    process.communicate(timeout=200)
    wait_for_exit(process)


def test_a_killed_worker_is_a_one_line_error(folder: Path, start: Start) -> None:
    process = start(*LONG, "--out", "shot", "--workers", "1", "--quiet")
    wait_for_work(folder / "shot")
    for worker in workers(process):
        os.kill(worker, signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("Error: A worker process has ended")
    assert err.count("\n") == 1
