"""`charrnn fill`, and masked language models in other commands."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from charrnn import load
from charrnn.cli.views import filled_text as filled_view
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CheckpointError
from charrnn.filling.text_filler import Filled, Gap
from charrnn.models import MaskedLanguageModel, NetworkConfig, NGram
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.find import find_checkpoint
from charrnn.runs.record import RunRecord
from tests.conftest import VERSE
from tests.test_cli import LOSS, charrnn

CHINESE = "床前看月光，疑是地上霜。举头望明月，低头思故乡。\n"


def save_ngram(path: Path, text: str, order: int) -> None:
    vocabulary = Vocabulary.of(text)
    model = NGram.fit(vocabulary.encode(text), len(vocabulary), order)
    checkpoint.save(Checkpoint(model, vocabulary), path / "best.npz")


def save_masked_model(path: Path, text: str) -> None:
    vocabulary = Vocabulary.of(text)
    config = NetworkConfig(len(vocabulary), "gru", 8, 1)
    model = MaskedLanguageModel.initialized(config, np.random.default_rng(1))
    record = RunRecord(config={"task": "fill", "mask": 0.2})
    checkpoint.save(Checkpoint(model, vocabulary, record), path / "best.npz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of several kinds. The one that fills gaps is neither the oldest nor the newest."""
    path = tmp_path_factory.mktemp("gaps")
    (path / "verse.txt").write_text(VERSE[:900], "utf-8")
    runs = path / "checkpoints"
    save_masked_model(runs / "gaps", VERSE)
    save_ngram(runs / "verse", VERSE, 5)
    save_ngram(runs / "chinese", CHINESE * 9, 3)
    now = time.time()
    for age, name in enumerate(("chinese", "gaps", "verse")):
        os.utime(runs / name / "best.npz", (now - age, now - age))
    return path


def test_filled_text_goes_to_standard_output_and_alternatives_to_standard_error(
    folder: Path,
) -> None:
    done = charrnn(folder, "fill", "checkpoints/verse", "And wh_n th_ sun", "--alternatives", "2")
    assert (done.returncode, done.stdout) == (0, "And when the sun\n")
    note, first, second = done.stderr.splitlines()
    assert note == "checkpoints/verse/best.npz: ngram 5"
    assert re.fullmatch(r"nd wh\[e\]n the  e \d+%  . [<\d]+%", first)
    assert re.fullmatch(r"en th\[e\] sun {3}e 100%(  . <1%)?", second)
    silent = charrnn(folder, "fill", "checkpoints/verse", "wh_n", "--alternatives", "0")
    assert (silent.stdout, len(silent.stderr.splitlines())) == ("when\n", 1)


def test_without_a_checkpoint_the_newest_model_that_fills_gaps_is_used(folder: Path) -> None:
    done = charrnn(folder, "fill", "And wh_n")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("checkpoints/gaps/best.npz: fill gru 1x8\n")
    assert re.fullmatch("And wh.n\n", done.stdout)
    assert find_checkpoint(None, folder / "checkpoints").parent.name == "chinese"
    assert find_checkpoint(None, folder / "checkpoints", ("fill",)).parent.name == "gaps"


def test_other_commands_skip_models_that_fill_gaps(folder: Path, tmp_path: Path) -> None:
    save_masked_model(tmp_path / "checkpoints" / "gaps", VERSE)
    for command in (["sample", "--length", "3"], ["score", str(folder / "verse.txt")]):
        done = charrnn(tmp_path, *command, "--json")
        assert json.loads(done.stdout)["checkpoint"].endswith("shakespeare/best.npz"), done.stderr
    assert "gaps" in charrnn(tmp_path, "info", "--json").stdout


@pytest.mark.parametrize("command", [["sample"], ["score", "verse.txt"]])
def test_other_commands_refuse_models_that_fill_gaps(command: list[str], folder: Path) -> None:
    done = charrnn(folder, command[0], "checkpoints/gaps", *command[1:])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: This model (fill gru 1x8) fills gaps and cannot write or score a text; use it "
        "with: charrnn fill.\n"
    )


def test_lines_are_filled_one_by_one(folder: Path) -> None:
    done = charrnn(
        folder, "fill", "checkpoints/verse", "--json", stdin="And wh_n\nnothing\n\nth_ sun"
    )
    data = json.loads(done.stdout)
    assert data["checkpoint"] == "checkpoints/verse/best.npz"
    assert [n["line"] for n in data["lines"]] == [1, 2, 3, 4]
    assert [n["filled"] for n in data["lines"]] == ["And when", "nothing", "", "the sun"]
    assert [n["text"] for n in data["lines"]] == ["And wh_n", "nothing", "", "th_ sun"]
    (gap,) = data["lines"][3]["gaps"]
    assert (gap["at"], gap["text"], gap["order"]) == (2, "e", 1)
    assert gap["alternatives"][0] == {"text": "e", "probability": gap["probability"]}
    plain = charrnn(folder, "fill", "checkpoints/verse", "-", stdin="And wh_n\nnothing\n")
    assert plain.stdout == "And when\nnothing\n"


BAD = [
    (["checkpoints/verse", "no gap"], 2, "Error: The text has no gap; write _ for each missing"),
    (["checkpoints/verse", "-"], 2, "Error: The text has no gap"),
    (["checkpoints/verse", "wh_n", "--gap", "__"], 2, "Error: A gap is marked by one character"),
    (["checkpoints/verse", "wh_n", "--gap", ""], 2, "Error: A gap is marked by one character"),
    (["checkpoints/verse", "wh_né"], 1, "Error: The model has never seen the character 'é'"),
    (["checkpoints/verse", "a_", "b_"], 2, "at most a checkpoint and a text"),
    (["nowhere.npz", "a_"], 1, "Error: There is no checkpoint nowhere.npz."),
]


@pytest.mark.parametrize(("arguments", "code", "message"), BAD)
def test_bad_input_gets_one_clear_line(
    arguments: list[str], code: int, message: str, folder: Path
) -> None:
    done = charrnn(folder, "fill", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_suitable_run_the_error_says_how_to_train_one(tmp_path: Path) -> None:
    done = charrnn(tmp_path, "fill", "wh_n")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: There is no run with --task fill under ./checkpoints yet; train one with: "
        "charrnn train TEXT --task fill\n"
    )


def test_a_damaged_run_is_an_error_and_not_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "checkpoints"
    save_masked_model(runs / "whole", VERSE)
    (runs / "cut").mkdir()
    (runs / "cut" / "best.npz").write_bytes((runs / "whole" / "best.npz").read_bytes()[:900])
    os.utime(runs / "whole" / "best.npz", (1, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"cut.*damaged"):
        load(task="fill")
    assert load(runs / "whole", task="fill").fill("wh_n").gaps[0].at == 2


def test_eval_reports_the_accuracy_of_restored_characters(folder: Path) -> None:
    def run_eval(*options: str) -> subprocess.CompletedProcess[str]:
        return charrnn(folder, "eval", "checkpoints/gaps", "verse.txt", *options)

    first, again = (json.loads(run_eval("--json").stdout) for _ in range(2))
    assert first.keys() >= LOSS | {"accuracy", "mask", "mask_seed", "text", "skipped"}
    assert (first["chars"], first["mask"], first["mask_seed"]) == (180, 0.2, 0)
    assert 0 <= first["accuracy"] < 0.5
    assert first["nats_per_char"] == again["nats_per_char"]
    shown = run_eval().stdout
    assert (
        "of the masked characters are restored: 20% of the text is masked, chosen with seed 0"
        in shown
    )
    assert f"{first['nats_per_char']:.4f}" in shown


def test_training_to_fill_gaps_reports_the_same_events(folder: Path) -> None:
    tiny = ["--hidden", "8", "--layers", "1", "--steps", "10", "--batch", "4", "--mask", "0.3"]
    done = charrnn(folder, "train", "verse.txt", "--task", "fill", *tiny, "--out", "more", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events if e["event"] != "stepped"] == [
        "started", "evaluated", "sampled", "saved", "finished",
    ]  # fmt: skip
    assert events[1]["chars"] == 4 * 15
    holed, filled = next(e["text"] for e in events if e["event"] == "sampled").split("\n")
    assert holed.count("_") > 5
    assert "_" not in filled
    assert len(holed) == len(filled)
    assert (folder / "more" / "verse-fill-gru-1x8" / "best.npz").exists()
    again = charrnn(folder, "train", "--resume", "more/verse-fill-gru-1x8", "--steps", "12")
    assert "resumed at step 10" in again.stderr
    changed = charrnn(folder, "train", "--resume", "more/verse-fill-gru-1x8", "--mask", "0.1")
    assert "--mask cannot change" in changed.stderr


def on_screen(folder: Path, *arguments: str, columns: int = 60, **environment: str) -> str:
    """The output in a terminal."""
    pexpect = pytest.importorskip("pexpect")
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    child = pexpect.spawn(
        sys.executable, ["-m", "charrnn", "fill", *arguments], cwd=str(folder), timeout=60,
        dimensions=(24, columns), encoding="utf-8",
        env={**env, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment},
    )  # fmt: skip
    screen: str = child.read().replace("\r\n", "\n")
    child.close()
    assert child.exitstatus == 0, screen
    return screen


def test_filled_characters_are_coloured_in_a_terminal(folder: Path) -> None:
    screen = on_screen(folder, "checkpoints/verse", "And wh_n th_ sun")
    assert "And wh\x1b[1;4;32me\x1b[0mn th\x1b[1;4;32me\x1b[0m sun\n" in screen


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_carets_mark_filled_characters(
    folder: Path, environment: dict[str, Any]
) -> None:
    shown = on_screen(folder, "checkpoints/verse", "And wh_n th_ sun", **environment)
    assert "And when the sun\n      ^    ^\n" in re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_wide_characters_line_up(folder: Path) -> None:
    screen = on_screen(folder, "checkpoints/chinese", "床前_月光，疑_地上霜。", NO_COLOR="1")
    rows = re.sub(r"\x1b\[[0-9;]*m", "", screen).splitlines()
    assert rows[1:3] == ["床前看月光，疑是地上霜。", "    ^^        ^^"]
    before = [re.match(r"\S+ +", row) for row in rows[3:5]]
    assert {cell_len(match[0]) for match in before if match} == {24}
    assert all(before)
    narrow = on_screen(folder, "checkpoints/chinese", "床前_月光，疑_地上霜。", columns=12)
    assert all(
        cell_len(row) <= 12 for row in re.sub(r"\x1b\[[0-9;]*m", "", narrow).split("\n")[1:3]
    )


def test_invisible_characters_are_shown_as_symbols(capsys: pytest.CaptureFixture[str]) -> None:
    gaps = [Gap(1, 2, 1, [(" ", 0.9), ("\x1b", 0.004)]), Gap(3, 6, 2, [(" so", 1.0)])]
    filled_view.print_alternatives(Filled("a \n so\x1b", gaps, 0))
    shown = capsys.readouterr().err.splitlines()
    assert shown == ["a[ ]↵ so   ␣ 90%    <1%", "a ↵[ so]   so 100%"]
