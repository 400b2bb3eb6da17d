"""`--dynamic` of `charrnn eval`, and `--ensemble` of all commands that accept it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import VERSE, posix_only
from tests.labelled_texts import labelled
from tests.test_cli import LOSS, TINY, charrnn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and models of it: two networks, an n-gram model, a model of another
    text, two that are no language models, and last a word model.
    """
    path = tmp_path_factory.mktemp("work")
    (path / "verse.txt").write_text(VERSE[:6000], "utf-8")
    (path / "other.txt").write_text(VERSE[:3000].upper(), "utf-8")
    (path / "words.tsv").write_text(labelled(), "utf-8")
    for text, name, options in (
        ("verse.txt", "a", TINY),
        ("verse.txt", "b", [*TINY, "--cell", "lstm", "--seed", "2"]),
        ("verse.txt", "counts", ["--cell", "ngram", "--split", "0.8,0.1,0.1"]),
        ("other.txt", "other", TINY),
        ("verse.txt", "gaps", [*TINY, "--task", "fill"]),
        ("words.tsv", "classes", [*TINY, "--task", "classify"]),
        ("verse.txt", "words", [*TINY, "--unit", "word", "--min-count", "2"]),
    ):
        done = charrnn(path, "train", text, *options, "--name", name, "--quiet")
        assert done.returncode == 0, done.stderr
    return path


def measured(folder: Path, *arguments: str) -> Any:
    done = charrnn(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_dynamic_evaluation_is_reported_beside_static_evaluation(folder: Path) -> None:
    stored = (folder / "checkpoints" / "a" / "best.npz").read_bytes()
    plain = measured(folder, "eval", "checkpoints/a", "verse.txt")
    learning = ["eval", "checkpoints/a", "verse.txt", "--dynamic", "--dynamic-lr", "0.003"]
    both = measured(folder, *learning)
    assert both["nats_per_char"] == plain["nats_per_char"]
    assert both["dynamic"].keys() == LOSS | {"lr", "decay", "seq", "seconds"}
    assert both["dynamic"]["nats_per_char"] < 0.95 * plain["nats_per_char"]
    assert both["dynamic"]["chars"] == both["chars"] == 6000
    assert "dynamic" not in plain
    assert (folder / "checkpoints" / "a" / "best.npz").read_bytes() == stored
    assert (
        measured(folder, *learning)["dynamic"]["nats_per_char"] == both["dynamic"]["nats_per_char"]
    )


def test_dynamic_options_are_used(folder: Path) -> None:
    options = ["--dynamic-lr", "0", "--dynamic-decay", "0.5", "--dynamic-seq", "7"]
    data = measured(folder, "eval", "checkpoints/b", "verse.txt", "--dynamic", *options)
    dynamic = data["dynamic"]
    assert (dynamic["lr"], dynamic["decay"], dynamic["seq"]) == (0, 0.5, 7)
    assert dynamic["nats_per_char"] == pytest.approx(data["nats_per_char"], abs=1e-5)


def test_the_table_has_a_row_for_dynamic_evaluation(folder: Path) -> None:
    done = charrnn(folder, "eval", "checkpoints/a", "-", "--dynamic", stdin=VERSE[:200])
    heads, plain, learning = done.stdout.splitlines()
    assert (heads.split()[0], plain.split()[0]) == ("nats/char", "stdin")
    assert learning.startswith("with --dynamic ")
    assert "Learning while reading" in done.stderr


def test_dynamic_evaluation_of_word_models_is_per_character(folder: Path) -> None:
    arguments = ["eval", "checkpoints/words", "verse.txt", "--dynamic"]
    data = measured(folder, *arguments, "--dynamic-lr", "0", "--dynamic-decay", "0")
    dynamic = data["dynamic"]
    assert dynamic.keys() == LOSS | {"words", "unknown", "perplexity_per_word"} | {
        "lr", "decay", "seq", "seconds"
    }  # fmt: skip
    for key in ("chars", "words", "unknown"):
        assert dynamic[key] == data[key] > 0
    for key in ("nats_per_char", "perplexity_per_word"):
        assert dynamic[key] == pytest.approx(data[key], rel=1e-4)


def test_the_newest_suitable_run_is_used(folder: Path) -> None:
    later = time.time() + 60
    os.utime(folder / "checkpoints" / "gaps" / "best.npz", (later, later))
    for options, name in (([], "gaps"), (["--dynamic"], "words")):
        data = measured(folder, "eval", "verse.txt", *options)
        assert data["checkpoint"] == f"checkpoints/{name}/best.npz"


@posix_only
def test_ctrl_c_during_dynamic_evaluation_exits_and_reports_progress(folder: Path) -> None:
    (folder / "long.txt").write_text(VERSE[:6000] * 50, "utf-8")
    arguments = ["eval", "checkpoints/a", "long.txt", "--dynamic", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "charrnn", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr
        assert process.stderr.readline() == "Learning while reading.\n"
        process.send_signal(signal.SIGINT)
        written, message = process.communicate(timeout=10)
    assert (process.returncode, written) == (130, "")
    assert re.fullmatch(r"Stopped after [\d,]+ of 300,000 characters\.\n", message)


def test_an_ensemble_has_a_lower_loss_than_the_mean_of_its_members(folder: Path) -> None:
    runs = [f"checkpoints/{name}" for name in ("a", "b", "counts")]
    alone = [measured(folder, "eval", run, "verse.txt") for run in runs]
    ensemble = ["--ensemble", runs[1], "--ensemble", runs[2]]
    data = measured(folder, "eval", runs[0], "verse.txt", *ensemble)
    assert data["nats_per_char"] < sum(a["nats_per_char"] for a in alone) / 3
    assert data["parameters"] == sum(a["parameters"] for a in alone)
    assert data["checkpoint"] == "checkpoints/a/best.npz"
    assert data["ensemble"] == ["checkpoints/b/best.npz", "checkpoints/counts/best.npz"]
    assert alone[0]["ensemble"] == []
    score = measured(folder, "score", runs[0], "verse.txt", "--context", *ensemble)
    assert score["nats_per_char"] == pytest.approx(data["nats_per_char"], abs=0.05)
    assert score["ensemble"] == data["ensemble"]


def test_an_ensemble_can_be_sampled(folder: Path) -> None:
    arguments = ["--ensemble", "checkpoints/counts", "--length", "50", "--seed", "3"]
    data = measured(folder, "sample", "checkpoints/a", *arguments)
    assert data["ensemble"] == ["checkpoints/counts/best.npz"]
    together = data["samples"][0]["text"]
    assert len(together) == 50
    swapped = ["--ensemble", "checkpoints/a", *arguments[2:]]
    assert (
        measured(folder, "sample", "checkpoints/counts", *swapped)["samples"][0]["text"] == together
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["eval", "checkpoints/counts", "verse.txt", "--dynamic"],
            1,
            "(ngram 6) is not a recurrent language model",
        ),
        (["eval", "checkpoints/gaps", "verse.txt", "--dynamic"], 1, "Leave out --dynamic."),
        (["eval", "checkpoints/classes", "words.tsv", "--dynamic"], 1, "Leave out --dynamic."),
        (["eval", "verse.txt", "--dynamic-lr", "1e-3"], 2, "--dynamic-lr goes with --dynamic"),
        (["eval", "verse.txt", "--dynamic", "--dynamic-lr", "-1"], 2, "dynamic-lr is -1; it must"),
        (["eval", "verse.txt", "--dynamic", "--dynamic-decay", "2"], 2, "between 0 and 1"),
        (["eval", "verse.txt", "--dynamic", "--dynamic-seq", "0"], 2, "must be 1 or more"),
        (["eval", "verse.txt", "--dynamic", "--ensemble", "checkpoints/b"], 2, "takes one model"),
        (["sample", "checkpoints/a", "--ensemble", "checkpoints/other"], 1, "another vocabulary"),
        (
            ["eval", "checkpoints/gaps", "-", "--ensemble", "checkpoints/b"],
            1,
            "gaps/best.npz: This",
        ),
        (
            ["eval", "checkpoints/classes", "-", "--ensemble", "checkpoints/b"],
            1,
            "classifies texts",
        ),
        (["score", "checkpoints/a", "--ensemble", "checkpoints/classes"], 1, "classifies texts"),
        (["sample", "checkpoints/a", "--ensemble", "checkpoints/words"], 1, "words, not "),
        (
            ["score", "verse.txt", "--ensemble", "checkpoints/words"],
            2,
            "and --ensemble names it too",
        ),
        (["score", "verse.txt", "--ensemble", "nowhere"], 1, "There is no checkpoint nowhere"),
    ],
)
def test_invalid_combinations_are_a_one_line_error(
    arguments: list[str], code: int, message: str, folder: Path
) -> None:
    done = charrnn(folder, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("Error: ")
