"""Commands import only the modules they use. (Start-up time is measured by a benchmark.)"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from charrnn.cli import COMMANDS
from charrnn.data.vocabulary import Vocabulary
from charrnn.models import CharRNN, NetworkConfig
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.system.blas import limit_blas_threads
from charrnn.system.bundled import bundled

BUNDLED = bundled("checkpoints")
assert BUNDLED
MODEL = str(BUNDLED / "shakespeare")
HTTP = {"http.client", "urllib.request", "ssl"}


def loaded(*commands: list[str]) -> set[str]:
    """The modules loaded in a new process after running these commands."""
    code = (
        "import json, sys; from charrnn.cli import run\n"
        "codes = [run(c) for c in json.loads(sys.argv[1])]\n"
        "sys.stderr.write(json.dumps([codes, list(sys.modules)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)], check=True, capture_output=True
    )
    codes, modules = json.loads(done.stderr)
    assert not any(codes)
    return set(modules)


def test_version_and_help_load_neither_numpy_nor_rich() -> None:
    assert not {"numpy", "rich"} & loaded(["--help"], ["--version"])


def test_sampling_loads_no_training_code() -> None:
    modules = loaded(["sample", MODEL, "--length", "1"])
    assert "charrnn.language.sampling" in modules
    unused = {"rich", "charrnn.cli.views.display", "charrnn.cli.texts", "charrnn.data.reading",
              "charrnn.data.corpus", "charrnn.data.catalogue", "charrnn.config.train_config",
              "charrnn.optim.optimizers", "charrnn.training.training_step",
              "charrnn.training.network_trainer",
              "tomllib", *HTTP}  # fmt: skip
    assert not unused & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_load_http_only_to_fetch(name: str) -> None:
    assert not HTTP & loaded([name, "--help"])


def test_loading_a_checkpoint_draws_no_random_parameters(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = Vocabulary.of("abc")
    model = CharRNN.initialized(NetworkConfig(3, "gru", 5, 2), rng)
    checkpoint.save(Checkpoint(model, vocabulary), tmp_path / "best.npz")

    def fail(*args: object) -> NoReturn:
        raise AssertionError("random parameters were drawn")

    monkeypatch.setattr(np.random, "default_rng", fail)
    monkeypatch.setattr(np.linalg, "qr", fail)
    loaded = checkpoint.load(tmp_path / "best.npz")
    assert isinstance(loaded.model, CharRNN)
    np.testing.assert_array_equal(loaded.model.params.flat, model.params.flat)


def test_garbage_collection_is_enabled_once_a_command_runs() -> None:
    code = (
        "import gc, sys; from charrnn.cli import run; run(['info', '--help']);"
        "sys.exit(not (gc.isenabled() and gc.get_freeze_count()))"
    )
    assert not subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True
    ).returncode


def test_thread_settings_of_the_environment_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"OPENBLAS_NUM_THREADS": "2"})
    limit_blas_threads()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"
    assert os.environ["MKL_NUM_THREADS"] == "1"
