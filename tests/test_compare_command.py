"""`charrnn compare` as a person or a script meets it."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from charrnn import checkpoint as files
from charrnn.cli import run
from charrnn.cli.standings_view import print_standings, to_json
from charrnn.config import TrainConfig
from charrnn.results import Result, Standing, rank
from charrnn.run import Run
from tests.conftest import VERSE

SMALL = ["--hidden", "8", "--layers", "1", "--batch", "4", "--seq", "16",
         "--split", "0.7,0.1,0.2"]  # fmt: skip
CELLS = ["--cells", "rnn,gru", "--seeds", "2", "--ngram", "1,3"]
COMMAND = [sys.executable, "-m", "charrnn", "compare", "verse.txt", *SMALL, *CELLS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a text and a comparison that is done, called done."""
    path = tmp_path_factory.mktemp("work")
    (path / "verse.txt").write_text(VERSE[:5000], "utf-8")
    done = charrnn(path, "--steps", "12", "--out", "done", "--csv", "runs.csv", "--json")
    assert done.returncode == 0, done.stderr
    (path / "done.json").write_text(done.stdout, "utf-8")
    (path / "done.txt").write_text(done.stderr, "utf-8")
    return path


def charrnn(where: Path, *arguments: str):
    return subprocess.run(
        [*COMMAND, *arguments], cwd=where, capture_output=True, text=True, timeout=300, check=False
    )


def start(where: Path, *arguments: str) -> subprocess.Popen:
    """In a process group of its own, as a shell would."""
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=where, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_work(experiment: Path, runs: int) -> None:
    until = time.monotonic() + 200
    while len(list(experiment.glob("*/.progress"))) < runs:
        assert time.monotonic() < until
        time.sleep(0.02)


def group(process: subprocess.Popen) -> list[int]:
    """All living processes of the group that this one leads."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == process.pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def workers(process: subprocess.Popen) -> list[int]:
    """Those of the group that do runs."""
    lines = {p: Path(f"/proc/{p}/cmdline").read_text() for p in group(process)}
    return [p for p, line in lines.items() if "spawn_main" in line]


def test_the_document_has_every_model_with_its_runs(folder):
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


def test_progress_is_plain_lines_on_standard_error(folder):
    lines = (folder / "done.txt").read_text("utf-8").splitlines()
    assert lines[0].startswith("verse: 3,500 training, 500 validation, 1,000 test characters")
    assert "rnn 1x8 1,058; gru 1x8 2,138" in lines[1]
    ended = [line for line in lines if re.match(r"\[\d/6\] ", line)]
    assert len(ended) == 6
    assert all("test" in line and "perplexity" in line for line in ended)


def test_csv_has_a_line_a_run(folder):
    with (folder / "runs.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    data = json.loads((folder / "done.json").read_text("utf-8"))
    runs = [r for m in data["models"] for r in m["runs"]]
    assert [float(row["nats_per_char"]) for row in rows] == [r["nats_per_char"] for r in runs]
    assert {row["cell"] for row in rows} == {"ngram", "rnn", "gru"}


def test_the_same_command_does_nothing_again_and_says_the_same(folder):
    again = charrnn(folder, "--steps", "12", "--out", "done", "--json")
    assert again.stdout == (folder / "done.json").read_text("utf-8")
    assert "6 of them done before" in again.stderr
    assert "[" not in again.stderr


def test_its_runs_are_used_and_compared_like_any_other(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert run(["sample", "done/gru-1x8-seed1", "--length", "5"]) == 0
    (folder / "tail.txt").write_text(VERSE[4000:5000], "utf-8")
    assert run(["eval", "done/gru-1x8-seed1", "tail.txt", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert run(["compare", "done", "done/ngram-1", "--on", "tail.txt", "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    before = json.loads((folder / "done.json").read_text("utf-8"))
    now = json.loads(out)
    for one, other in zip(before["models"], now["models"], strict=True):
        assert one["model"] == other["model"]
        assert one["nats_per_char"] == pytest.approx(other["nats_per_char"], abs=1e-9)
    of = {r["checkpoint"]: r["nats_per_char"] for m in now["models"] for r in m["runs"]}
    assert of["done/gru-1x8-seed1"] == pytest.approx(told["nats_per_char"], abs=1e-9)
    assert run(["compare", "done", "--on", "verse.txt"]) == 0
    assert "6 of these runs learned from this very text" in capsys.readouterr().err


def test_learning_curves_are_drawn(folder):
    pytest.importorskip("matplotlib")
    done = charrnn(folder, "--steps", "12", "--out", "done", "--plot", "curves.svg", "--quiet")
    assert done.returncode == 0, done.stderr
    picture = (folder / "curves.svg").read_text("utf-8")
    for words in ("gru 1x8", "ngram 3", "thousand characters", "seconds of training"):
        assert words in picture


def test_ctrl_c_saves_leaves_nobody_and_the_command_goes_on(folder):
    long = ["--eval-every", "50", "--out", "long", "--workers", "2", "--ngram", "none"]
    process = start(folder, *long, "--steps", "100000")
    wait_for_work(folder / "long", 2)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Stopped with 0 of 4 runs done; go on with: charrnn")
    assert not group(process)
    for name in ("rnn-1x8-seed1", "gru-1x8-seed1"):
        assert files.read_meta(folder / "long" / name / "last.npz")["position"]["step"] > 0
    assert not list((folder / "long").rglob(".*"))
    process = start(folder, *long, "--steps", "100000")
    wait_for_work(folder / "long", 2)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=200)
    assert process.returncode == 143


def test_a_second_ctrl_c_ends_at_once(folder):
    process = start(folder, "--steps", "100000", "--out", "hasty", "--ngram", "none")
    wait_for_work(folder / "hasty", 1)
    for worker in workers(process):
        os.kill(worker, signal.SIGSTOP)  # they cannot answer the first
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not [p for p in group(process) if p != process.pid]


def test_nobody_is_left_behind_by_a_kill(folder):
    process = start(folder, "--steps", "100000", "--out", "killed", "--ngram", "none")
    wait_for_work(folder / "killed", 1)
    process.kill()
    process.communicate(timeout=200)
    until = time.monotonic() + 100
    while group(process) and time.monotonic() < until:
        time.sleep(0.05)
    assert not group(process)


def test_a_worker_that_is_killed_is_one_clear_line(folder):
    arguments = ["--steps", "100000", "--out", "shot", "--ngram", "none", "--workers", "1"]
    process = start(folder, *arguments, "--quiet")
    wait_for_work(folder / "shot", 1)
    for worker in workers(process):
        os.kill(worker, signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("Error: A worker process has ended")
    assert err.count("\n") == 1


def test_it_is_drawn_live_in_a_narrow_terminal(folder):
    pexpect = pytest.importorskip("pexpect")
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "--steps", "12", "--out", "live"],
        cwd=str(folder), dimensions=(30, 60), timeout=200, encoding="utf-8",
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    screen = child.read()
    child.close()
    assert child.exitstatus == 0
    for shown in ("runs done", "validation", "left", "behind", "Welch's t test"):
        assert shown in screen, shown
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    assert max(map(len, re.split(r"[\r\n]+", plain))) <= 60


MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.mark.skipif(not (MPIEXEC and find_spec("mpi4py")), reason="needs mpiexec and mpi4py")
def test_ranks_of_mpi_do_the_same_runs(folder):
    env = {
        **os.environ,
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    for arguments, code in ([["--steps", "12"], 0], [["--seeds", "0"], 2]):
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
            files.load(p) for p in (path, folder / "ranks" / path.parent.name / path.name)
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
    (["compare", "verse.txt", "--plot", "x.foo"], "no kind of picture"),
    (["compare", "verse.txt", "--config", "own.toml"], "does not take cell"),
    (["compare", "done"], "add --on TEXT"),
    (["compare", "done", "--on", "verse.txt", "--steps", "3"], "leave out --steps"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda v: str(v)[:60])
def test_bad_usage_gets_one_clear_line(arguments, words, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "own.toml").write_text('cell = "gru"\n')
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


def test_an_unknown_character_is_told_with_the_run_that_does_not_know_it(
    folder, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    (folder / "odd.txt").write_text("The 語", "utf-8")
    assert run(["compare", "done", "--on", "odd.txt"]) == 1
    assert "done/gru-1x8-seed1/best.npz: The model has never seen" in capsys.readouterr().err


def result(cell, nats, seed=1, noise=0.0):
    """A run with mean losses about `nats` in ten blocks."""
    blocks = nats + noise * np.sin(np.arange(10) * seed * 1.7)
    config = TrainConfig(cell=cell, hidden=8, layers=1, seed=seed)
    return Result(Run(Path("x")), config, "", 1000, 10_000, blocks, 2.0, 1e5, 60.0, ())


def shown(capsys, *standings):
    print_standings(rank(standings))
    out, err = capsys.readouterr()
    return out, " ".join(err.split())


def test_the_table_says_in_words_what_is_more_than_chance(capsys):
    best = Standing("lstm", (result("lstm", 1.5), result("lstm", 1.51, 2)))
    near = Standing("gru", (result("gru", 1.505), result("gru", 1.52, 2)))
    far = Standing("ngram", (result("ngram", 3.0, noise=0.1),))
    out, words = shown(capsys, near, far, best)
    assert [line.split()[0] for line in out.splitlines()] == ["model", "lstm", "gru", "ngram"]
    assert re.search(r"lstm +1,000 +1\.5050 ± 0\.0071 +2\.1713 ± 0\.0102 +4\.504 ± 0\.032", out)
    assert "lstm is best; that it is ahead of gru (p = " in words
    assert "All others are behind by more." in words
    assert "over 10 blocks of 1,000 characters, paired. Allows for 2 comparisons" in words
    assert "lstm is best, by more than chance." in shown(capsys, best, far)[1]


def test_what_is_not_tested_is_said(capsys):
    alone = Standing("gru", (result("gru", 1.5, noise=0.1),), diverged=1)
    other = Standing("rnn", (result("rnn", 1.6), result("rnn", 1.7, 2)))
    lost = Standing("lstm", (), diverged=2)
    out, words = shown(capsys, lost, other, alone)
    assert "gru (1 diverged)" in out
    assert out.splitlines()[-1].startswith("lstm: diverged")
    assert "One run of gru: what another seed would have given is not tested." in words
    assert "Runs that diverged are left out of the means." in words
    assert to_json([lost])["models"] == [{"model": "lstm", "diverged": 2, "runs": []}]
    out, words = shown(capsys, lost)
    assert "p:" not in words
