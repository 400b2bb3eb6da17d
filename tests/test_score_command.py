"""`charrnn score` in terminals and pipes."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color

from charrnn.cli.views.shading import STOPS, Piece, colours, fold, luminance, marks, pieces
from charrnn.data.vocabulary import Vocabulary
from charrnn.models import CharRNN, NetworkConfig
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from tests.conftest import ROOT, posix_only
from tests.test_cli import charrnn

BUNDLED = str(ROOT / "checkpoints" / "shakespeare")
LINES = "My lord, the king is dead.\n\nMy lord, the knig is dead.\n"
LOSS = {"nats_per_char", "bits_per_char", "perplexity", "chars"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scored")
    (path / "lines.txt").write_text(LINES, "utf-8")
    (path / "chinese.txt").write_text("床前看月光，疑是地上霜。\n光光\n", "utf-8")
    vocabulary = Vocabulary.of("床前看月光，疑是地上霜。\n")
    config = NetworkConfig(len(vocabulary), "gru", 8, 1)
    network = CharRNN.initialized(config, np.random.default_rng(1))
    checkpoint.save(Checkpoint(network, vocabulary), path / "run" / "best.npz")
    return path


def on_screen(
    folder: Path, *arguments: str, columns: int = 80, **environment: str
) -> tuple[str, int]:
    """The output in a terminal, and the exit code."""
    pexpect = pytest.importorskip("pexpect")
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM", "FORCE_COLOR")}
    child = pexpect.spawn(
        sys.executable, ["-m", "charrnn", "score", *arguments], cwd=str(folder),
        dimensions=(24, columns), timeout=60, encoding="utf-8",
        env={**env, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment},
    )  # fmt: skip
    screen = child.read().replace("\r\n", "\n")
    child.close()
    return screen, child.exitstatus


def without_colour(screen: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", screen)


def test_piped_output_is_tab_separated(folder: Path) -> None:
    done = charrnn(folder, "score", BUNDLED, "lines.txt")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [r[2:] for r in rows] == [[str(n), t] for n, t in enumerate(LINES.splitlines(), 1)]
    for nats, perplexity, *_ in rows:
        assert math.exp(float(nats)) == pytest.approx(float(perplexity), rel=1e-3)
    assert float(rows[2][0]) > float(rows[0][0])
    assert "3 lines, 55 characters: " in done.stderr


def test_text_can_be_piped_in_with_or_without_a_checkpoint(folder: Path) -> None:
    expected = charrnn(folder, "score", BUNDLED, "lines.txt").stdout
    for arguments in ([BUNDLED], [BUNDLED, "-"], [f"{BUNDLED}/best.npz"]):
        assert charrnn(folder, "score", *arguments, stdin=LINES).stdout == expected
    elsewhere = folder / "without runs"
    elsewhere.mkdir(exist_ok=True)
    for arguments in ([], ["-"]):
        assert charrnn(elsewhere, "score", *arguments, stdin=LINES).stdout == expected
    assert charrnn(folder, "score", BUNDLED, stdin=LINES.removesuffix("\n")).stdout == expected


def test_piped_text_is_utf_8_whatever_the_encoding_of_the_training_text(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("Schöne Grüße.\n" * 200, "latin-1")
    train = ("train", "old.txt", "--encoding", "latin-1", "--cell", "ngram", "--name", "old")
    assert charrnn(tmp_path, *train).returncode == 0
    (tmp_path / "line.txt").write_text("Schöne Grüße.\n", "latin-1")
    old = charrnn(tmp_path, "score", "checkpoints/old", "line.txt")
    for stdin, options in (
        ("Schöne Grüße.\n".encode(), ()),
        ("Schöne Grüße.\n".encode("latin-1"), ("--encoding", "latin-1")),
    ):
        piped = charrnn(tmp_path, "score", "checkpoints/old", "-", *options, stdin=stdin)
        assert (piped.returncode, piped.stdout) == (0, old.stdout)


def test_ranking_puts_the_most_surprising_first(folder: Path) -> None:
    def scored(*options: str) -> list[list[str]]:
        out = charrnn(folder, "score", BUNDLED, "lines.txt", *options).stdout
        return [line.split("\t") for line in out.splitlines()]

    expected = sorted(scored(), key=lambda r: -float(r[0]))
    assert scored("--rank") == expected
    assert scored("--top", "2") == expected[:2]


def test_json_has_nats_for_every_character(folder: Path) -> None:
    done = charrnn(folder, "score", BUNDLED, "-", "--json", "--unknown", "skip", stdin="Good é.\nA")
    data = json.loads(done.stdout)
    assert data.keys() >= LOSS | {"parameters", "chars_per_second", "seconds", "checkpoint"}
    assert (data["text"], data["chars"], data["skipped"], data["context"]) == ("stdin", 9, 1, False)
    first, second = data["lines"]
    assert first.keys() == LOSS | {"line", "text", "characters", "nats"}
    assert first["characters"] == [*"Good é.", "\n"]
    assert first["nats"][5] is None
    known = [n for n in first["nats"] if n is not None]
    assert sum(known) == pytest.approx(first["nats_per_char"] * first["chars"], abs=1e-5)
    total = sum(s["nats_per_char"] * s["chars"] for s in (first, second))
    assert data["nats_per_char"] == pytest.approx(total / 9)


def test_in_context_a_line_depends_on_those_before_it(folder: Path) -> None:
    first, second = (charrnn(folder, "score", BUNDLED, "lines.txt", *o).stdout.splitlines()
                     for o in ([], ["--context"]))  # fmt: skip
    assert first[0] == second[0]
    assert first[2] != second[2]


BAD = [
    (["nowhere.txt"], "", 1, "There is no file 'nowhere.txt'"),
    (["a", "b", "c"], "", 2, "at most a checkpoint and a text"),
    (["--json", "--show", "-"], "a", 2, "Give --show or --json"),
    (["--top", "0", "-"], "a", 2, "x>=1"),
    ([BUNDLED], "", 1, "stdin has no lines to score"),
    ([BUNDLED], "good\ncafé", 1, "the character 'é' (U+00E9), number 4 of line 2"),
    (["."], "a", 1, "directory without best.npz"),
]


@pytest.mark.parametrize(("arguments", "stdin", "code", "message"), BAD)
def test_bad_input_gets_one_clear_line(
    arguments: list[str], stdin: str, code: int, message: str, folder: Path
) -> None:
    done = charrnn(folder, "score", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_text_must_be_named_in_a_terminal(folder: Path) -> None:
    for arguments in ([], [BUNDLED]):
        screen, code = on_screen(folder, *arguments)
        assert code == 2
        assert "use - to type text" in screen


def test_typed_lines_end_with_one_control_d(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    child = pexpect.spawn(
        sys.executable, ["-m", "charrnn", "score", BUNDLED, "-"],
        cwd=str(folder), timeout=30, encoding="utf-8",
    )  # fmt: skip
    child.expect("Ctrl-D ends them")
    child.send("The king is dead.\n\x04")
    child.expect("1 line, 18 characters")
    child.expect(pexpect.EOF)


def test_surprise_is_coloured_in_a_terminal(folder: Path) -> None:
    (folder / "slip.txt").write_text("My lord, the kqing is dead.\n")
    screen, code = on_screen(folder, BUNDLED, "slip.txt", "--show", COLORTERM="truecolor")
    assert code == 0
    assert re.search(r"\x1b\[38;2;0;0;0;48;2;255;\d+;\d+mq\x1b", screen)
    assert "My lord, the kqing is dead.↵\n" in without_colour(screen)
    assert "4.2 is a uniform guess among 65" in screen
    older, _ = on_screen(folder, BUNDLED, "slip.txt", "--show")
    assert "48;5;" in older
    assert "48;2;" not in older


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "xterm"}])
def test_without_colours_digits_show_surprise(folder: Path, environment: dict[str, Any]) -> None:
    screen, _ = on_screen(folder, BUNDLED, "lines.txt", "--show", **environment)
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|38|48)[;m]", screen)
    rows = without_colour(screen).splitlines()
    n = next(n for n, row in enumerate(rows) if "knig" in row)
    at = rows[n].index("knig")
    assert max(int("0" + d.strip()) for d in rows[n + 1][at : at + 5]) >= 3
    assert "Digits: nats" in screen


def test_show_in_a_pipe_prints_digits_and_does_not_wrap(folder: Path) -> None:
    done = charrnn(folder, "score", BUNDLED, "--show", stdin="So " * 100, COLUMNS="40")
    row, beneath = done.stdout.splitlines()[1:3]
    assert row.endswith("So " * 100 + "↵")
    assert len(beneath) <= len(row)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("columns", [40, 80])
def test_wide_characters_fit_the_terminal(folder: Path, columns: int) -> None:
    for extra in ({}, {"NO_COLOR": "1"}):
        screen, code = on_screen(
            folder, "run", "chinese.txt", "--show", "--top", "2", columns=columns, **extra
        )
        assert code == 0
        shown = without_colour(screen).splitlines()[1:-2]  # without the first and last lines
        assert max(map(cell_len, shown)) <= columns


def test_control_characters_never_reach_a_terminal() -> None:
    shown = pieces("a\x1b\x9b\u202e\u200b\tb\n", np.arange(8.0))
    assert "".join(p.text for p in shown) == "a     b↵"


@given(st.floats(0, 40), st.floats(0, 40), st.floats(0.1, 20))
def test_colours_are_readable_and_lighter_with_more_surprise(
    a: float, b: float, top: float
) -> None:
    for smooth in (True, False):
        (back_a, front), (back_b, _) = (colours(n, top, smooth) for n in sorted((a, b)))
        light, dark = sorted([luminance(back_a), luminance(front)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
        assert luminance(back_a) <= luminance(back_b) + 0.001  # rounding of one colour channel
        assert smooth or {back_a.number, back_b.number} <= set(STOPS)


def test_the_smooth_colour_scale_passes_through_the_stops() -> None:
    for n, stop in enumerate(STOPS):
        back, _ = colours(n / 10, 1.0)
        assert back.get_truecolor() == Color.from_ansi(stop).get_truecolor()


def test_accents_stay_with_their_letters() -> None:
    shown = pieces("e\u0301a\n", np.array([1.0, 2.0, 0.5, np.nan]))
    assert [p.text for p in shown] == ["e\u0301", "a", "↵"]
    assert shown[0].value == 3
    assert marks(shown) == "3 -"


@given(st.text("ab 吃é\u0301\u200d🍎", max_size=40), st.integers(2, 12))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    line = pieces(text, np.arange(len(text), dtype=float))
    rows = list(fold(line, width))
    assert [p for row in rows for p in row] == line
    assert all(
        sum(p.width for p in row) <= max(width, *(p.width for p in row), 0) for row in rows if row
    )
    for row in rows:
        assert len(marks(row)) <= sum(p.width for p in row)


def test_wrapping_keeps_words_together() -> None:
    rows = fold([Piece(c, 0.0) for c in "to be or not"], 6)
    assert ["".join(p.text for p in row) for row in rows] == ["to be ", "or not"]


@posix_only
def test_a_closed_pipe_is_quiet(folder: Path) -> None:
    (folder / "many.txt").write_text("The king is dead.\n" * 3000)
    command = f"{sys.executable} -m charrnn score {BUNDLED} many.txt --show | head -1"
    done = subprocess.run(
        ["bash", "-c", command + "; echo ${PIPESTATUS[0]}"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "nats/char  perplexity\n141\n"
