"""The README does what it says: every command and the Python example are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn.cli import COMMANDS
from tests.conftest import ROOT, VERSE

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [b for kind, b in BLOCKS if kind == "sh" and not b.startswith("python3 -m venv")]
PYTHON = [b for kind, b in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("newcomer")
    (path / "poems.txt").write_text(VERSE[:20000], "utf-8")
    (path / "cache").mkdir()
    (path / "cache" / "tinyshakespeare.txt").write_text(VERSE[:5000], "utf-8")
    return path


def run(block: str, folder: Path) -> None:
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CHARRNN_CACHE": str(folder / "cache"),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (block, done.stderr)


def test_every_command_block_runs_in_order(folder):
    """As written, but that a budget in minutes is cut to a few steps."""
    assert len(SHELL) >= 9
    for block in SHELL:
        run(re.sub(r"--minutes \d+", "--steps 5", block), folder)


def test_the_python_example_runs(folder):
    (example,) = PYTHON
    assert len([line for line in example.splitlines() if line.strip()]) <= 11
    script = folder / "example.py"
    script.write_text(example, "utf-8")
    run(f"{sys.executable} example.py | grep -q '^perplexity [0-9.]*$'", folder)


def test_every_command_is_in_the_readme():
    for name in COMMANDS:
        assert f"charrnn {name}" in README or f"`{name}`" in README, name


def test_the_documented_json_keys_are_those_of_the_events():
    documented = (ROOT / "docs" / "training.md").read_text("utf-8")
    for key in ("nats_per_char", "bits_per_char", "perplexity", "chars", "parameters",
                "chars_per_second", "seconds"):  # fmt: skip
        assert f"`{key}`" in documented
