"""Text of others on its way to a terminal."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.cli.foreign import json_text, printable
from charrnn.data.vocabulary import Vocabulary
from charrnn.models import NGram
from charrnn.runs import checkpoint
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.record import CorpusRecord, RunRecord
from tests.conftest import posix_only
from tests.test_cli import charrnn

EVIL = "a\x1b]52;c;aGk=\x07\x9b31m\u202eb\x1b[2J"
OBEYED = ("\x1b", "\x07", "\x9b", "\u202e")


def harmless(text: str) -> bool:
    return not any(c in text for c in OBEYED)


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)


@given(st.text())
def test_json_text_is_the_same_document_and_harmless(text: str) -> None:
    document = json_text({"text": text})
    assert json.loads(document) == {"text": text}
    assert harmless(document)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run whose text, vocabulary and folder are hostile."""
    vocabulary = Vocabulary.of(EVIL + "\n ")
    model = NGram.fit(np.arange(len(vocabulary)), len(vocabulary), 2)
    record = RunRecord(corpus=CorpusRecord(EVIL, EVIL, (EVIL,), {"train": 3}))
    run = tmp_path / f"run{EVIL.replace('/', '')}"
    checkpoint.save(Checkpoint(model, vocabulary, record), run / "best.npz")
    (tmp_path / f"{EVIL}.txt").write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "RUN"],
        ["info", "RUN", "--json"],
        ["eval", "RUN", "missing" + EVIL],
        ["eval", "RUN", f"{EVIL}.txt"],
        ["score", "RUN", "-"],
        ["fill", "RUN", "_" + EVIL],
        ["sample", "RUN", "--length", "50", "--json"],
        ["train", "x", "--task", EVIL],
        ["train", EVIL],
        ["train", "x", f"--{EVIL}"],
        [EVIL],
        ["sample", EVIL],
    ],
)
def test_nothing_hostile_reaches_the_screen(folder: Path, arguments: list[str]) -> None:
    (run,) = folder.glob("run*")
    words = [run.name if word == "RUN" else word for word in arguments]
    done = charrnn(folder, *words, stdin="a\n")
    assert harmless(done.stderr)
    if words[0] not in ("score", "fill"):  # whose output is the text itself
        assert harmless(done.stdout)
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


@posix_only
def test_a_terminal_gets_samples_without_control_characters(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    (run,) = folder.glob("run*")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "charrnn", "sample", run.name, "--length", "300", "--temp", "1", "--seed", "1"],
        cwd=str(folder), encoding="utf-8", env={**os.environ, "TERM": "dumb"}, timeout=30,
    )  # fmt: skip
    child.expect(pexpect.EOF)
    assert harmless(child.before)
    assert len(child.before) > 200
    piped = charrnn(folder, "sample", run.name, "--length", "300", "--temp", "1", "--seed", "1")
    assert not harmless(piped.stdout)
