"""A few hostile files and command lines of each kind; `python -m tests.hostile` runs many."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of forked processes")
@pytest.mark.parametrize("kind", ["checkpoints", "commands", "corpora"])
def test_hostile_input_gets_one_line(kind: str) -> None:
    arguments = f"--kinds {kind} --count 25 --minutes 5 --seed 7 --patience 10".split()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.hostile", *arguments],
        check=False, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.startswith(f"{kind}: 25 ")
