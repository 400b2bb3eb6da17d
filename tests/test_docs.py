"""The commands and the Python example of the README run; all JSON keys are documented."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from charrnn.cli import COMMANDS
from tests.conftest import ROOT, VERSE, posix_only, put_into_cache, write_names

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [b for kind, b in BLOCKS if kind == "sh" and not b.startswith("python3 -m venv")]
PYTHON = [b for kind, b in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("newcomer")
    (path / "poems.txt").write_text(VERSE[:20000], "utf-8")
    write_names(path)
    put_into_cache(path)
    return path


def run(block: str, folder: Path) -> None:
    """Run a block of commands; its text is cut short, so that this takes seconds."""
    block = block.replace("show elizabethan > poems", "show elizabethan | head -c 20000 > poems")
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CHARRNN_CACHE": str(folder / "cache"),
        "CHARRNN_CATALOGUE": str(folder / "catalogue.json"),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (block, done.stderr)


@posix_only
@pytest.mark.slow
def test_every_command_block_runs_in_order(folder: Path) -> None:
    """The blocks run as printed, except that budgets in minutes are cut to a few steps."""
    assert len(SHELL) >= 9
    for block in SHELL:
        run(re.sub(r"--minutes \d+", "--steps 5", block), folder)


@posix_only
@pytest.mark.slow
def test_the_python_example_runs(folder: Path) -> None:
    (example,) = PYTHON
    assert len([line for line in example.splitlines() if line.strip()]) <= 12
    script = folder / "example.py"
    script.write_text(example, "utf-8")
    run(f"{sys.executable} example.py | grep -q '^perplexity [0-9.]*$'", folder)


def test_every_command_is_in_the_readme() -> None:
    for name in COMMANDS:
        assert f"charrnn {name}" in README or f"`{name}`" in README, name


def keys_of(value: Any, into: set[str]) -> set[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            into.add(key)
            keys_of(inner, into)
    elif isinstance(value, list):
        for inner in value:
            keys_of(inner, into)
    return into


@pytest.mark.slow
def test_every_key_of_the_json_output_is_documented(folder: Path) -> None:
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    commands = (
        "train poems.txt --steps 4 --hidden 8 --json",
        "eval poems.txt --dynamic --json",
        "score poems.txt --json",
        "sample --length 3 --novelty poems.txt --json",
        "sample --length 3 --json",
        "train poems.txt --task fill --steps 4 --hidden 8 --name filler --json",
        "fill checkpoints/filler wh_n --json",
        "eval checkpoints/filler poems.txt --json",
        "train names/German.txt names/Italian.txt --task classify --steps 4 --name tongues --json",
        "classify checkpoints/tongues Mori --json",
        "eval checkpoints/tongues names/Italian.txt --json",
        "corpora --json",
        "compare poems.txt --cells rnn --params 2000 --steps 4 --seeds 2 --ngram 2 --json",
        "gradcheck --json",
        "gradflow poems.txt --hidden 8 --seq 5 --json",
    )
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "charrnn", *command.split()],
            cwd=folder, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        for line in done.stdout.splitlines():
            for key in keys_of(json.loads(line), set()):
                assert f"`{key}`" in page, (command, key)
