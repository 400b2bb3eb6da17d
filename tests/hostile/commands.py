"""Generated command lines: every option of every command, with values that nobody means."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from pathlib import Path

import click

from charrnn.cli import COMMANDS
from tests.hostile.attack import Attack
from tests.hostile.checkpoints import NAMES, TEXT, base_files

VALUES = (
    "0", "-1", "1", "2", "3", "1.5", "-0.0", "1e308", "-1e308", "1e-320", "nan", "inf", "-inf", "",
    " ", "1_0", "１０", "٣", "10000000000000000000", "-10000000000000000000", "2147483648",
    "99999999999999999999999999999999", "0x10", "1e3", "true", "None", "utf-8", "utf-16", "hex",
    "rot13", "idna", "\x1b[31m", "\u202e", "é", "🌸", "../../etc/passwd", "/dev/null", "/dev/zero",
    ".", "..", "-", "--", "a.txt", "names.tsv", "base/lstm", "base/ngram", "base/fill",
    "base/classify", "base/word", "missing", "a" * 5000, "0.9,0.1", "1,1,1", "0.5,0.5,0", "rnn,gru",
    "lstm", "ngram", "adam", "word", "byte", "fill", "classify", "lm",
)  # fmt: skip
TEXTS = ("a.txt", "names.tsv", "quatrains", "-", "missing", "base/lstm", "", "/dev/null", "--x")
SAFE = ["--steps", "2", "--hidden", "4", "--layers", "1"]


def attacks(folder: Path, seed: int) -> Iterator[Attack]:
    """Command lines without end."""
    base_files(folder)
    (folder / "names.tsv").write_text(NAMES, "utf-8")
    number = 0
    while True:
        rng = random.Random(f"{seed} {number}")
        name = rng.choice(list(COMMANDS))
        arguments = [name, *_arguments(name, rng)]
        stdin = rng.choice((TEXT.encode(), b"", b"mimi\n", b"\xff\xfe\x00", NAMES.encode()))
        yield Attack(
            f"command {seed} {number}: {arguments}", arguments, folder, stdin, seconds=20.0
        )
        number += 1


def _arguments(name: str, rng: random.Random) -> list[str]:
    command: click.Command = importlib.import_module(f"charrnn.cli.commands.{name}").command
    options = [p for p in command.params if isinstance(p, click.Option)]
    words: list[str] = [rng.choice(TEXTS) for _ in range(rng.choice((0, 1, 1, 2)))]
    if name == "train":
        words += SAFE
    if name == "compare":
        words += ["--hidden", "3", "--layers", "1", "--steps", "2", "--seeds", "1"]
        words += ["--cells", "rnn", "--ngram", "2"]
    for option in rng.sample(options, min(len(options), rng.choice((0, 1, 1, 2, 3)))):
        words.append(option.opts[-1])
        if not option.is_flag:
            choices = getattr(option.type, "choices", ())
            pool = [*VALUES, *map(str, choices)] if rng.random() < 0.7 else VALUES
            words.append(rng.choice(pool))
    return words
