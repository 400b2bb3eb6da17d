"""Classifiers on the command line: `charrnn train`, `classify` and `eval`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from charrnn.classification.text_classifier import ConfusionMatrix
from charrnn.cli.views.confusion_matrix import print_confusion
from charrnn.data.vocabulary import Vocabulary
from charrnn.models import Classifier, ClassifierConfig
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from tests.conftest import posix_only
from tests.labelled_texts import LETTERS, labelled, write_classes
from tests.test_cli import charrnn

QUICK = ["--task", "classify", "--hidden", "24", "--epochs", "25", "--batch", "10"]
FIGURES = {"nats_per_example", "accuracy", "macro_f1", "examples"}
LANGUAGES = ["Arabic", "Chinese", "Czech", "Dutch", "English", "French", "German", "Greek", "Irish",
             "Italian", "Japanese", "Korean", "Polish", "Portuguese", "Russian", "Scottish",
             "Spanish", "Vietnamese"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled texts and a trained run called animals."""
    path = tmp_path_factory.mktemp("classes")
    names = write_classes(path / "words")
    (path / "words.tsv").write_text(labelled(), "utf-8")
    done = charrnn(path, "train", *names, *QUICK, "--name", "animals")
    assert done.returncode == 0, done.stderr
    return path


def on_screen(
    folder: Path, *arguments: str, columns: int = 80, **environment: str
) -> tuple[str, int]:
    """The output in a terminal, and the exit code."""
    pexpect = pytest.importorskip("pexpect")
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    child = pexpect.spawn(
        sys.executable, ["-m", "charrnn", *arguments], cwd=str(folder), dimensions=(24, columns),
        timeout=60, encoding="utf-8",
        env={**env, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment},
    )  # fmt: skip
    screen = child.read().replace("\r\n", "\n")
    child.close()
    return screen, child.exitstatus


def test_training_reports_accuracy(folder: Path) -> None:
    done = charrnn(folder, "train", "words.tsv", *QUICK, "--epochs", "4")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("words: gru 1x24 both ways, ")
    assert "96 training, 12 validation, 12 test texts in 3 classes" in lines[0]
    assert re.fullmatch(
        r"epoch 4\.00 step 40 running train [\d.]+ nats valid [\d.]+ nats macro F1 [\d.]+ accuracy "
        r"[\d.]+%( \(best\))? lr [\de.-]+ [\d,]+ char/s [\d:]+",
        next(line for line in lines if line.startswith("epoch 4")),
    )
    assert re.search(
        r"^test [\d.]+ nats macro F1 [\d.]+ accuracy [\d.]+% over 12 texts$", done.stderr, re.M
    )
    assert (folder / "checkpoints" / "words-gru-1x24-both-ways" / "best.npz").exists()


def test_repeated_and_long_lines_are_reported(folder: Path) -> None:
    (folder / "twice.tsv").write_text(labelled() * 2 + "cow\t" + "mo" * 50 + "\n", "utf-8")
    arguments = ["--epochs", "1", "--seq", "20", "--no-bidirectional", "--name", "twice"]
    done = charrnn(folder, "train", "twice.tsv", *QUICK, *arguments)
    assert "gru 1x24, " in done.stderr
    assert "Skipped 120 duplicate lines." in done.stderr
    assert "Truncated 1 long text to 20 symbols; a larger --seq keeps more." in done.stderr


def test_train_json_counts_texts(folder: Path) -> None:
    done = charrnn(folder, "train", "words.tsv", *QUICK, "--epochs", "2", "--name", "j", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["chars"] == {"train": 96, "valid": 12, "test": 12}
    evaluated = next(e for e in events if e["event"] == "evaluated")
    assert set(evaluated) >= FIGURES
    assert set(events[-1]["losses"]["test"]) == FIGURES
    assert evaluated["chars_per_second"] > evaluated["examples"]
    stored = json.loads(charrnn(folder, "info", "checkpoints/j", "--json").stdout)
    assert (stored["kind"], stored["model"]["classes"]) == ("classifier", sorted(LETTERS))
    assert stored["corpus"]["examples"] == events[0]["chars"]


def test_a_run_on_several_files_can_be_resumed(folder: Path) -> None:
    names = [f"words/{label}.txt" for label in LETTERS]
    charrnn(folder, "train", *names, *QUICK, "--epochs", "2", "--name", "more")
    done = charrnn(folder, "train", "--resume", "checkpoints/more", "--epochs", "3")
    assert done.returncode == 0, done.stderr
    assert "resumed at step 20" in done.stderr
    refused = charrnn(
        folder, "train", "--resume", "checkpoints/more", "--class-weights", "balanced"
    )
    assert "--class-weights cannot change" in refused.stderr


def test_live_training_shows_accuracy_and_example_texts(folder: Path) -> None:
    screen, code = on_screen(
        folder, "train", "words.tsv", *QUICK, "--epochs", "3", "--name", "live"
    )
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    for shown in ("macro F1", "accuracy", "nats/example", "texts", "The best model"):
        assert shown in plain
    assert re.search(rf"│ \w+: ({'|'.join(LETTERS)}) \d+%", plain)
    assert max(map(len, re.split(r"[\r\n]+", plain))) <= 80


def test_piped_output_is_tab_separated_text_class_and_probability(folder: Path) -> None:
    done = charrnn(folder, "classify", "checkpoints/animals", "moumou", "titu", "--top", "2")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [r[0] for r in rows] == ["moumou", "moumou", "titu", "titu"]
    assert (rows[0][1], rows[2][1]) == ("cow", "bird")
    assert float(rows[0][2]) > float(rows[1][2])
    whole = charrnn(folder, "classify", "checkpoints/animals", "moumou", "--top", "9").stdout
    assert sum(float(line.split("\t")[2]) for line in whole.splitlines()) == pytest.approx(
        1, abs=1e-3
    )


def test_texts_can_be_piped_in_one_per_line(folder: Path) -> None:
    expected = charrnn(folder, "classify", "checkpoints/animals", "moo", "tit", "sizzi").stdout
    for arguments in (["-"], []):
        done = charrnn(
            folder, "classify", "checkpoints/animals", *arguments, stdin="moo\n tit\nsizzi"
        )
        assert done.stdout == expected
    latin = charrnn(
        folder, "classify", "checkpoints/animals", "-", "--encoding", "latin-1", stdin=b"mo\xe9"
    )
    assert latin.stdout.startswith("moé\t")


def test_the_answers_are_in_step_with_the_lines_piped_in(folder: Path) -> None:
    command = ("classify", "checkpoints/animals", "-", "--top", "1")
    lines = charrnn(folder, *command, stdin="\nmoo\n \ntit\n\n").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["", "moo", "", "tit", ""]
    data = json.loads(charrnn(folder, *command, "--json", stdin="moo\n\ntit\n").stdout)
    assert [text["text"] for text in data["texts"]] == ["moo", "", "tit"]
    assert [len(text["classes"]) for text in data["texts"]] == [1, 0, 1]
    for text in ("", " "):
        done = charrnn(folder, "classify", "checkpoints/animals", text)
        assert (done.returncode, done.stdout) == (1, "")
        assert "An empty text has no class." in done.stderr
    done = charrnn(folder, *command, stdin="\n \n")
    assert (done.returncode, done.stderr) == (1, "Error: stdin has no lines to classify.\n")


def test_json_has_texts_classes_and_probabilities(folder: Path) -> None:
    done = charrnn(folder, "classify", "checkpoints/animals", "móo", "--json")
    data = json.loads(done.stdout)
    assert data.keys() == {"checkpoint", "parameters", "texts"}
    (text,) = data["texts"]
    assert (text["text"], text["unknown"], len(text["classes"])) == ("móo", 1, 3)
    assert text["classes"][0].keys() == {"class", "probability"}


def test_unknown_characters_are_reported_and_accepted(folder: Path) -> None:
    done = charrnn(folder, "classify", "checkpoints/animals", "möo", "żi")
    assert done.returncode == 0
    assert done.stderr == "Read 2 characters as the unknown symbol.\n"


def test_a_terminal_shows_bars(folder: Path) -> None:
    screen, code = on_screen(folder, "classify", "checkpoints/animals", "moumou")
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", screen)
    assert plain.splitlines()[0] == "moumou"
    assert re.search(r"^ cow +\d\d\.\d% █{20,}", plain, re.M)
    assert "\x1b[32;" in screen
    colourless, _ = on_screen(folder, "classify", "checkpoints/animals", "moo", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[1-7]m", colourless)


def test_evaluation_shows_the_confusion_matrix(folder: Path) -> None:
    names = [f"words/{label}.txt" for label in LETTERS]
    done = charrnn(folder, "eval", "checkpoints/animals", *names)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"words/bird\.txt and 2 more +0\.\d{4} +[01]\.\d{3} +\d+\.\d% +120$", lines[1])
    assert [line.split()[:3] for line in lines[4:]] == [
        ["a", "bird", "40"], ["b", "cow", "40"], ["c", "snake", "40"]
    ]  # fmt: skip
    same = charrnn(folder, "eval", "checkpoints/animals", "words.tsv")
    assert same.stdout.splitlines()[2:] == lines[2:]


def test_evaluation_agrees_with_the_end_of_training(folder: Path) -> None:
    (folder / "test.tsv").write_text("cow\tmouumo\nbird\ttituu\nsnake\tmoo\n", "utf-8")
    arguments = ["--test", "test.tsv", "--epochs", "5", "--name", "agree", "--json"]
    done = charrnn(folder, "train", "words.tsv", *QUICK, *arguments)
    expected = json.loads(done.stdout.splitlines()[-1])["losses"]["test"]
    evaluated = json.loads(
        charrnn(folder, "eval", "checkpoints/agree", "test.tsv", "--json").stdout
    )
    assert evaluated["nats_per_example"] == pytest.approx(expected["nats_per_example"], abs=1e-6)
    assert (evaluated["accuracy"], evaluated["macro_f1"]) == (
        expected["accuracy"],
        expected["macro_f1"],
    )
    assert {"classes", "confusion", "unknown", "chars_per_second", "seconds"} <= set(evaluated)
    assert [c["class"] for c in evaluated["classes"]] == sorted(LETTERS)
    assert np.array(evaluated["confusion"]).sum(axis=1).tolist() == [1, 1, 1]
    assert evaluated["classes"][0].keys() == {"class", "examples", "f1"}


BAD = [
    (["eval", "checkpoints/animals", "strange.tsv"], 1,
     "are bird, cow and snake; the text has the class 'dog'."),
    (["eval", "checkpoints/animals", "holes.tsv"], 1, "Line 2 of holes.tsv is not a class, a tab"),
    (["eval", "checkpoints/animals", "words"], 1, "is a directory"),
    (["eval", "checkpoints/nope", "words.tsv"], 1, "There is no checkpoint checkpoints/nope"),
    (["classify", "checkpoints/animals", " "], 1, "An empty text has no class"),
    (["classify", "checkpoints/animals"], 1, "stdin has no lines to classify"),
    (["classify", "checkpoints/nope", "moo"], 1, "There is no checkpoint checkpoints/nope"),
    (["classify", "--top", "0", "moo"], 2, "x>=1"),
    (["classify", "words", "moo"], 1, "directory without best.npz"),
    (["sample", "checkpoints/animals"], 1, "use it with: charrnn classify"),
    (["score", "checkpoints/animals", "words.tsv"], 1, "use it with: charrnn classify"),
    (["gradflow", "words.tsv", "--runs", "checkpoints/animals"], 1, "not a recurrent network"),
    (["train", "words/cow.txt", "--task", "classify"], 1, "has one class only"),
    (["train", "words.tsv", "--task", "classify", "--cell", "jordan"], 2, "with --cell jordan"),
    (["train", "words.tsv", "--task", "classify", "--mask", "0.2"], 2,
     "--task classify has no use for --mask"),
    (["train", "words.tsv", "--class-weights", "balanced"], 2,
     "--task lm has no use for --class-weights"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "message"), BAD, ids=lambda v: str(v)[:50])
def test_bad_input_gets_one_clear_line(
    arguments: list[str], code: int, message: str, folder: Path
) -> None:
    (folder / "strange.tsv").write_text("cow\tmoo\ndog\twuff\n")
    (folder / "holes.tsv").write_text("cow\tmoo\nwuff\n")
    done = charrnn(folder, *arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@posix_only
def test_without_a_checkpoint_the_newest_classifier_is_used(folder: Path, tmp_path: Path) -> None:
    done = charrnn(tmp_path, "classify", "moo")
    assert done.returncode == 1
    assert "There is no run with --task classify under ./checkpoints yet" in done.stderr
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "animals").symlink_to(folder / "checkpoints" / "animals")
    (tmp_path / "poem.txt").write_text("The king is dead. " * 40)
    tiny = ["--hidden", "4", "--steps", "2", "--quiet"]
    assert charrnn(tmp_path, "train", "poem.txt", *tiny).returncode == 0
    assert charrnn(tmp_path, "classify", "moo", "--top", "1").stdout.startswith("moo\tcow\t")
    assert charrnn(tmp_path, "sample", "--length", "5").returncode == 0


@posix_only
@pytest.mark.slow
def test_a_closed_pipe_is_quiet(folder: Path) -> None:
    (folder / "many.txt").write_text("moo\n" * 30000)
    command = f"{sys.executable} -m charrnn classify checkpoints/animals < many.txt | head -1"
    done = subprocess.run(
        ["bash", "-c", command + "; echo ${PIPESTATUS[0]}"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[0].startswith("moo\tcow\t")
    assert (done.stdout.splitlines()[1], done.stderr) == ("141", "")


def table(
    capsys: pytest.CaptureFixture[str],
    confusion: ConfusionMatrix,
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda self: True))
    print_confusion(confusion)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def random_confusion(classes: list[str], rng: np.random.Generator) -> ConfusionMatrix:
    """Predictions with 80% accuracy in classes of very different sizes."""
    count = len(classes)
    true = np.repeat(np.arange(count), rng.integers(1, 12000, count))
    named = np.where(rng.random(len(true)) < 0.8, true, rng.integers(0, count, len(true)))
    return ConfusionMatrix.of(tuple(classes), true, named)


def test_a_confusion_matrix_of_eighteen_classes_fits_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    confusion = random_confusion(LANGUAGES, rng)
    lines = table(capsys, confusion, 80, monkeypatch)
    assert max(map(len, lines)) <= 80
    assert len(lines) == 20
    heads = lines[1].split()[2:]
    assert heads == list("abcdefghijklmnopqr")
    for n, line in enumerate(lines[2:]):
        mark, name, texts, f1, *cells = line.split()
        assert (mark, name) == (heads[n], LANGUAGES[n])
        assert int(texts) == confusion.counts[n].sum()
        assert float(f1) == pytest.approx(confusion.f1[n], abs=0.006)
        shares = 100 * confusion.counts[n] / confusion.counts[n].sum()
        np.testing.assert_allclose([float(c.replace(".", "0")) for c in cells], shares, atol=0.51)


def test_classes_that_do_not_fit_are_listed_with_their_most_frequent_errors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    names = [f"class {n}" for n in range(40)]
    lines = table(capsys, random_confusion(names, rng), 80, monkeypatch)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["class", "texts", "F1", "correct", "confused", "with"]
    assert sum(line.startswith("class ") for line in lines[1:]) >= 40
    wide = table(capsys, random_confusion(names, rng), 300, monkeypatch)
    assert wide[1].split()[2:] == [str(n) for n in range(1, 41)]


def test_perfect_and_absent_classes_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    confusion = ConfusionMatrix.of(("吃", "b", "c"), np.array([0, 0]), np.array([0, 0]))
    lines = table(capsys, confusion, 80, monkeypatch)
    assert lines[2].split() == ["a", "吃", "2", "1.0", "100", ".", "."]
    assert lines[3].split() == ["b", "b", "0", "-", ".", ".", "."]


def test_a_damaged_classifier_is_reported(folder: Path, rng: np.random.Generator) -> None:
    config = ClassifierConfig(4, "gru", 3, 1, classes=("a", "b"))
    model = Classifier.initialized(config, rng)
    path = folder / "odd" / "best.npz"
    checkpoint.save(Checkpoint(model, Vocabulary.of("ab")), path)
    done = charrnn(folder, "classify", "odd", "a")
    assert "odd/best.npz is damaged: 2 symbols for 4 outputs" in done.stderr
