"""What a command loads before it does anything: no more than it uses. (Time is for benchmarks.)"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from charrnn.cli import COMMANDS
from charrnn.data.vocabulary import Vocabulary
from charrnn.models import CharRNN, NetworkConfig
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.system.blas import limit_blas_threads
from charrnn.system.bundled import bundled

MODEL = str(bundled("checkpoints") / "shakespeare")
HTTP = {"http.client", "urllib.request", "ssl"}


def loaded(*commands: list[str]) -> set[str]:
    """The modules that a fresh process has loaded once it has run these commands."""
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


def test_version_and_help_load_neither_numpy_nor_rich():
    assert not {"numpy", "rich"} & loaded(["--help"], ["--version"])


def test_sampling_loads_nothing_that_draws_trains_or_reads_texts():
    modules = loaded(["sample", MODEL, "--length", "1"])
    assert "charrnn.language.sampling" in modules
    unused = {"rich", "charrnn.cli.views.display", "charrnn.cli.texts", "charrnn.data.reading",
              "charrnn.data.corpus", "charrnn.data.catalogue", "charrnn.config.train_config",
              "charrnn.optim.optimizers", "charrnn.training.training_step",
              "charrnn.training.network_trainer",
              *HTTP}  # fmt: skip
    assert not unused & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_loads_http_before_there_is_something_to_fetch(name):
    assert not HTTP & loaded([name, "--help"])


def test_loading_a_checkpoint_draws_no_random_parameters(tmp_path, rng, monkeypatch):
    vocabulary = Vocabulary.of("abc")
    model = CharRNN.initialised(NetworkConfig(3, "gru", 5, 2), rng)
    checkpoint.save(Checkpoint(model, vocabulary), tmp_path / "best.npz")

    def drawn(*args):
        raise AssertionError("parameters are drawn that the file is about to overwrite")

    monkeypatch.setattr(np.random, "default_rng", drawn)
    monkeypatch.setattr(np.linalg, "qr", drawn)
    found = checkpoint.load(tmp_path / "best.npz")
    np.testing.assert_array_equal(found.model.params.flat, model.params.flat)


def test_garbage_is_collected_again_once_a_command_runs():
    code = (
        "import gc, sys; from charrnn.cli import run; run(['info', '--help']);"
        "sys.exit(not (gc.isenabled() and gc.get_freeze_count()))"
    )
    assert not subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True
    ).returncode


def test_what_the_environment_says_of_threads_wins(monkeypatch):
    monkeypatch.setattr(os, "environ", {"OPENBLAS_NUM_THREADS": "2"})
    limit_blas_threads()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"
    assert os.environ["MKL_NUM_THREADS"] == "1"
