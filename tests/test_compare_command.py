"""`charrnn compare` on the command line."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from charrnn.cli import run
from charrnn.runs import checkpoint
from tests.conftest import VERSE
from tests.small_comparison import COMMAND, SMALL, charrnn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a finished comparison called done."""
    path = tmp_path_factory.mktemp("work")
    (path / "verse.txt").write_text(VERSE[:5000], "utf-8")
    done = charrnn(path, "--steps", "12", "--out", "done", "--csv", "runs.csv", "--json")
    assert done.returncode == 0, done.stderr
    (path / "done.json").write_text(done.stdout, "utf-8")
    (path / "done.txt").write_text(done.stderr, "utf-8")
    return path


def test_json_has_every_model_with_its_runs(folder: Path) -> None:
    data = json.loads((folder / "done.json").read_text("utf-8"))
    assert (data["text"], data["folder"], data["blocks"]) == ("verse", "done", 10)
    assert "Welch's t test" in data["method"]
    models = {m["model"]: m for m in data["models"]}
    assert models.keys() == {"ngram 1", "ngram 3", "rnn 1x8", "gru 1x8"}
    nats = [m["nats_per_char"] for m in data["models"]]
    assert nats == sorted(nats)
    gru = models["gru 1x8"]
    assert (gru["cell"], gru["hidden"], gru["layers"], gru["order"]) == ("gru", 8, 1, None)
    assert [r["seed"] for r in gru["runs"]] == [1, 2]
    assert gru["nats_per_char"] == pytest.approx(np.mean([r["nats_per_char"] for r in gru["runs"]]))
    assert data["models"][0]["behind"] is None
    assert gru["behind"]["p"] < 0.05


def test_progress_is_plain_lines_on_standard_error(folder: Path) -> None:
    lines = (folder / "done.txt").read_text("utf-8").splitlines()
    assert lines[0].startswith("verse: 3,500 training, 500 validation, 1,000 test characters")
    assert "rnn 1x8 1,058; gru 1x8 2,138" in lines[1]
    ended = [line for line in lines if re.match(r"\[\d/6\] ", line)]
    assert len(ended) == 6
    assert all("test" in line and "perplexity" in line for line in ended)


def test_csv_has_one_line_per_run(folder: Path) -> None:
    with (folder / "runs.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    data = json.loads((folder / "done.json").read_text("utf-8"))
    runs = [r for m in data["models"] for r in m["runs"]]
    assert [float(row["nats_per_char"]) for row in rows] == [r["nats_per_char"] for r in runs]
    assert {row["cell"] for row in rows} == {"ngram", "rnn", "gru"}


def test_repeating_a_finished_comparison_trains_nothing_and_prints_the_same(folder: Path) -> None:
    again = charrnn(folder, "--steps", "12", "--out", "done", "--json")
    assert again.stdout == (folder / "done.json").read_text("utf-8")
    assert "6 of them already done" in again.stderr
    assert "[" not in again.stderr


def test_runs_of_a_comparison_can_be_used_and_compared_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert run(["sample", "done/gru-1x8-seed1", "--length", "5"]) == 0
    (folder / "tail.txt").write_text(VERSE[4000:5000], "utf-8")
    assert run(["eval", "done/gru-1x8-seed1", "tail.txt", "--json"]) == 0
    reported = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert run(["compare", "done", "done/ngram-1", "--on", "tail.txt", "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    before = json.loads((folder / "done.json").read_text("utf-8"))
    now = json.loads(out)
    for one, other in zip(before["models"], now["models"], strict=True):
        assert one["model"] == other["model"]
        assert one["nats_per_char"] == pytest.approx(other["nats_per_char"], abs=1e-9)
    of = {r["checkpoint"]: r["nats_per_char"] for m in now["models"] for r in m["runs"]}
    assert of["done/gru-1x8-seed1"] == pytest.approx(reported["nats_per_char"], abs=1e-9)
    assert run(["compare", "done", "--on", "verse.txt"]) == 0
    assert "6 of these runs were trained on this very text" in capsys.readouterr().err


@pytest.mark.slow
def test_learning_curves_are_drawn(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    done = charrnn(folder, "--steps", "12", "--out", "done", "--plot", "curves.svg", "--quiet")
    assert done.returncode == 0, done.stderr
    picture = (folder / "curves.svg").read_text("utf-8")
    for words in ("gru 1x8", "ngram 3", "thousand characters", "seconds of training"):
        assert words in picture


def test_a_comparison_shows_live_progress_in_a_narrow_terminal(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "--steps", "12", "--out", "live"],
        cwd=str(folder), dimensions=(30, 60), timeout=200, encoding="utf-8",
        env={**env, "TERM": "xterm-256color"},
    )  # fmt: skip
    screen = child.read()
    child.close()
    assert child.exitstatus == 0
    for shown in ("runs done", "validation", "left", "behind", "Welch's t test", "order-0 entropy",
                  "best epoch", "best model: charrnn sample live/ngram-3"):  # fmt: skip
        assert shown in screen, shown
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    assert max(map(len, re.split(r"[\r\n]+", plain))) <= 60


MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.mark.slow
@pytest.mark.skipif(not (MPIEXEC and find_spec("mpi4py")), reason="needs mpiexec and mpi4py")
def test_mpi_ranks_do_the_same_runs(folder: Path) -> None:
    env = {
        **os.environ,
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    assert MPIEXEC
    for arguments, code in ((["--steps", "12"], 0), (["--seeds", "0"], 2)):
        done = subprocess.run(
            [MPIEXEC, "-n", "3", *COMMAND, *arguments, "--out", "ranks", "--json"],
            cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        if not code:
            assert "2 at a time" in done.stderr
            assert len(json.loads(done.stdout)["models"]) == 4
    for path in (folder / "done").glob("*/best.npz"):
        ours, theirs = (
            checkpoint.load(p) for p in (path, folder / "ranks" / path.parent.name / path.name)
        )
        for name, array in ours.model.arrays().items():
            np.testing.assert_array_equal(theirs.model.arrays()[name], array)


BAD = [
    (["compare"], "Missing argument"),
    (["compare", "verse.txt", "--cells", "nope"], "There is no cell 'nope'"),
    (["compare", "verse.txt", "--params", "10"], "has at least"),
    (["compare", "verse.txt", "--params", "1000", "--hidden", "8"], "Give --params or --hidden"),
    (["compare", "verse.txt", "--ngram", "x"], "--ngram is 'x'"),
    (["compare", "verse.txt", "--ngram", "13"], "order is 13"),
    (["compare", "verse.txt", "--cells", "", "--ngram", "none"], "nothing to compare"),
    (["compare", "verse.txt", "--split", "0.9,0.1"], "nothing to test on"),
    (["compare", "verse.txt", "--steps", "2", "--epochs", "3"], "one budget"),
    (["compare", "verse.txt", "--steps", "13", *SMALL, "--out", "done"], "--steps 12 (now 13)"),
    (["compare", "verse.txt", "--out", "."], "holds something else"),
    (["compare", "verse.txt", "--plot", "x.foo"], "no supported extension"),
    (["compare", "verse.txt", "--config", "own.toml"], "does not take cell"),
    (["compare", "done"], "add --on TEXT"),
    (["compare", "done", "--on", "verse.txt", "--steps", "3"], "leave out --steps"),
    (["compare", "verse.txt", "--csv", "nowhere/runs.csv"], "There is no folder nowhere"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda v: str(v)[:60])
def test_bad_usage_gets_one_clear_line(
    arguments: list[str],
    words: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "own.toml").write_text('cell = "gru"\n')
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


def test_an_unknown_character_is_reported_with_its_run(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "odd.txt").write_text("The 語", "utf-8")
    assert run(["compare", "done", "--on", "odd.txt"]) == 1
    assert "done/gru-1x8-seed1/best.npz: The model has never seen" in capsys.readouterr().err


def test_runs_of_words_and_characters_can_be_compared(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for name, options in [("letters", ()), ("words", ("--unit", "word", "--min-count", "2"))]:
        tiny = ["--cell", "ngram", "--order", "2", "--quiet", *options]
        assert run(["train", "verse.txt", *tiny, "--out", "any", "--name", name]) == 0
    (folder / "short.txt").write_text(" the" * 60, "utf-8")
    assert run(["compare", "any", "--on", "short.txt", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert {m["model"] for m in models} == {"ngram 2 (any/letters)", "ngram 2 (any/words)"}
    assert {m["chars"] for m in models} == {240}
    (folder / "odd.txt").write_text(" the" * 60 + " thethethe", "utf-8")
    assert run(["compare", "any", "--on", "odd.txt"]) == 1
    err = capsys.readouterr().err
    assert "read as the unknown symbol" in err
    assert "different numbers of characters" in err


def test_a_model_that_is_no_language_model_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    fill = ["--task", "fill", *SMALL, "--steps", "2", "--quiet", "--name", "gaps"]
    assert run(["train", "verse.txt", *fill]) == 0
    assert run(["compare", "checkpoints/gaps", "--on", "verse.txt"]) == 1
    assert "checkpoints/gaps/best.npz: This model" in capsys.readouterr().err


def test_a_text_is_read_with_the_encoding_of_the_model_by_default(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("wide.txt").write_text(VERSE[:3000], "utf-16")
    train = ["train", "wide.txt", "--encoding", "utf-16", "--hidden", "8", "--steps", "2"]
    assert run([*train, "--name", "wide", "--quiet"]) == 0
    assert run(["compare", "checkpoints/wide", "--on", "wide.txt", "--quiet"]) == 0
    assert run(["compare", "checkpoints/wide", "--on", "wide.txt", "--encoding", "utf-8"]) == 1
    assert "looks like utf-16" in capsys.readouterr().err
