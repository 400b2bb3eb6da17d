"""Generated texts: random bytes, mixed encodings, control characters, odd lines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.attack import Attack
from tests.hostile.checkpoints import NAMES, TEXT, base_files

PIECES = (
    b"", b"\0", b"\n", b"\r\n", b"\r", b"\t", b" ", b"\x1b]52;c;aGk=\x07", b"\x1b[2J", b"\x9b31m",
    "\u202e".encode(), "\u2028".encode(), "\ufeff".encode(), "e\u0301".encode(), "👨‍👩‍👧".encode(),
    b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"~{", b"\x1b$B",
    b"%PDF-1.4", b"PK\x03\x04",
    TEXT.encode(), TEXT.encode("utf-16"), TEXT.encode("gb18030"), NAMES.encode(), b"a" * 5000,
    b"\n" * 300, "雨".encode() * 300, b"\t\t\n" * 50,
)  # fmt: skip


def attacks(folder: Path, seed: int) -> Iterator[Attack]:
    """Texts without end, each with a command that reads it."""
    base_files(folder)
    number = 0
    while True:
        rng = random.Random(f"{seed} {number}")
        if rng.random() < 0.2:
            data = rng.randbytes(rng.randrange(3000))
        else:
            data = b"".join(rng.choice(PIECES) for _ in range(rng.randrange(12)))
        (folder / "text.txt").write_bytes(data)
        arguments = rng.choice(_commands(rng))
        stdin = data if "-" in arguments else b""
        yield Attack(f"corpus {seed} {number}: {arguments}, {len(data)} bytes", arguments, folder,
                     stdin, seconds=20.0)  # fmt: skip
        number += 1


def _commands(rng: random.Random) -> list[list[str]]:
    run = f"base/{rng.choice(('lstm', 'word', 'ngram', 'fill', 'classify'))}"
    unknown = ["--unknown", rng.choice(("skip", "error"))]
    small = ["--steps", "2", "--hidden", "3", "--layers", "1", "--sample-every", "1"]
    unit = ["--unit", rng.choice(("char", "byte", "word"))]
    return [
        ["train", "text.txt", *small, *unit],
        ["train", "text.txt", *small, "--task", rng.choice(("fill", "classify"))],
        ["train", "text.txt", "--cell", "ngram", "--order", "3", *unit],
        ["train", "-", *small],
        ["eval", run, "text.txt", *unknown],
        ["score", run, "text.txt", *unknown],
        ["score", run, "-", *unknown],
        ["fill", run, "-", *unknown],
        ["classify", run, "-"],
        ["sample", run, "--seed-file", "text.txt", "--length", "5", *unknown],
        ["sample", run, "--novelty", "text.txt", "--length", "30"],
    ]
