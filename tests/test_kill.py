"""A run that is killed repeatedly with SIGKILL ends with the same bits."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from charrnn.runs import checkpoint
from tests.conftest import VERSE, network_in

KILLS = 20


def command(tmp_path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "charrnn", "train", *arguments]


OPTIONS = ["--hidden", "16", "--layers", "2", "--batch", "4", "--seq", "20", "--dropout", "0.2",
           "--eval-every", "5", "--workers", "2", "--split", "0.8,0.1,0.1", "--quiet"]  # fmt: skip


@pytest.mark.slow
def test_a_run_killed_twenty_times_ends_with_the_same_bits(tmp_path: Path) -> None:
    text = tmp_path / "verse.txt"
    text.write_text(VERSE[:12000], "utf-8")
    steps, out = "400", ["--out", str(tmp_path)]
    start = [str(text), *OPTIONS, "--steps", steps, *out]
    subprocess.run(command(tmp_path, *start, "--name", "whole"), check=True, timeout=120)

    run = tmp_path / "killed"
    random_times = random.Random(5)
    reached: list[int] = []
    process = subprocess.Popen(command(tmp_path, *start, "--name", "killed"))
    while not (run / "last.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    while len(reached) < KILLS:
        before = (run / "last.npz").stat().st_mtime_ns
        if random_times.random() < 0.7:  # mostly during training, sometimes before its first step
            until = time.monotonic() + 20
            while (run / "last.npz").stat().st_mtime_ns == before and time.monotonic() < until:
                if process.poll() is not None:
                    break
                time.sleep(0.001)
        time.sleep(random_times.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        reached.append(checkpoint.load(run / "last.npz").record.step)  # always whole
        process = subprocess.Popen(command(tmp_path, "--resume", str(run), "--quiet"))
    process.wait(120)
    assert process.returncode == 0
    assert max(reached) < int(steps)  # the last kill came before the end
    assert len(set(reached)) > KILLS / 2

    whole, killed = (checkpoint.load(tmp_path / n / "last.npz") for n in ("whole", "killed"))
    assert killed.record.step == int(steps)
    for name, array in whole.model.arrays().items():
        np.testing.assert_array_equal(killed.model.arrays()[name], array)
    for name, array in whole.training.items():
        np.testing.assert_array_equal(killed.training[name], array)
    best, other = (network_in(tmp_path / n / "best.npz").params.flat for n in ("whole", "killed"))
    np.testing.assert_array_equal(other, best)
    assert not list(run.glob(".*.part"))
