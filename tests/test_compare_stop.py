"""Comparisons that are stopped, or whose processes are killed: nothing is lost, nobody is left."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from charrnn.runs import checkpoint
from tests.comparing import COMMAND
from tests.conftest import VERSE

LONG = ["--steps", "100000", "--ngram", "none"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("work")
    (path / "verse.txt").write_text(VERSE[:5000], "utf-8")
    return path


@pytest.fixture
def start(folder) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts comparisons, each in a process group of its own, as a shell would."""
    started = []

    def begin(*arguments: str) -> subprocess.Popen:
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


def wait_until(condition) -> None:
    """However long it takes, within reason: this machine may have other things to do."""
    until = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def shares(experiment: Path) -> dict[str, float]:
    """How far the runs are that are being trained."""
    found = {}
    for path in experiment.glob("*/.progress"):
        with suppress(OSError):  # just ended
            found[path.parent.name] = json.loads(path.read_text("utf-8"))["share"]
    return found


def wait_for_work(experiment: Path, runs: int = 1) -> None:
    """Until so many runs have taken a step."""
    wait_until(lambda: sum(share > 0 for share in shares(experiment).values()) >= runs)


def group(process: subprocess.Popen) -> dict[int, str]:
    """The command lines of all living processes of the group that this one leads."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone in the meantime
            state, _, of = (path / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(of) == process.pid and state not in "ZX":
                found[int(path.name)] = (path / "cmdline").read_text()
    return found


def wait_for_nobody(process: subprocess.Popen) -> None:
    """A process has closed its files a moment before it is gone."""
    wait_until(lambda: not group(process))


def workers(process: subprocess.Popen) -> list[int]:
    """Those of the group that do runs."""
    return [p for p, line in group(process).items() if "spawn_main" in line]


def test_ctrl_c_saves_leaves_nobody_and_the_command_goes_on(folder, start):
    arguments = [*LONG, "--eval-every", "50", "--out", "long", "--workers", "2"]
    process = start(*arguments)
    wait_for_work(folder / "long", 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Stopped with 0 of 4 runs done; continue with: charrnn")
    wait_for_nobody(process)
    assert not list((folder / "long").rglob(".*"))
    steps = {
        name: checkpoint.read_meta(folder / "long" / name / "last.npz")["position"]["step"]
        for name in ("rnn-1x8-seed1", "gru-1x8-seed1")
    }
    assert min(steps.values()) > 0
    process = start(*arguments)
    for name, step in steps.items():
        wait_until(lambda n=name, s=step: shares(folder / "long").get(n, 0) > s / 100_000)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=200)
    assert process.returncode == 143
    wait_for_nobody(process)


def test_a_second_ctrl_c_ends_at_once(folder, start):
    process = start(*LONG, "--out", "hasty")
    wait_for_work(folder / "hasty")
    for worker in workers(process):
        os.kill(worker, signal.SIGSTOP)  # they cannot answer the first
    process.send_signal(signal.SIGINT)
    wait_until((folder / "hasty" / ".stop").exists)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Traceback" not in err
    wait_for_nobody(process)


def test_nobody_is_left_behind_by_a_kill(folder, start):
    process = start(*LONG, "--out", "killed")
    wait_for_work(folder / "killed")
    process.kill()
    process.communicate(timeout=200)
    wait_for_nobody(process)


def test_a_worker_that_is_killed_is_one_clear_line(folder, start):
    process = start(*LONG, "--out", "shot", "--workers", "1", "--quiet")
    wait_for_work(folder / "shot")
    for worker in workers(process):
        os.kill(worker, signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("Error: A worker process has ended")
    assert err.count("\n") == 1
