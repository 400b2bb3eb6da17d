"""Synthetic text of any size: random words, repeated with random changes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

_SEED_SIZE = 1_000_000  # bytes
_CHANGES = 1000  # bytes changed in each repetition
LETTERS = "abcdefghijklmnopqrstuvwxyz"
OTHERS = LETTERS.upper() + ".,;:!?'-\n"
"""With the lower-case letters and the space, 62 symbols: about as many as in English text."""


def compose(path: Path, size: int, chinese: bool = False) -> None:
    """Write a file of `size` bytes piece by piece, to use little memory."""
    rng = random.Random(1)
    seed = seed_text(rng, min(size, _SEED_SIZE))
    left = size
    with path.open("wb") as stream:
        while left:
            piece = perturbed(rng, seed)
            whole = as_chinese(piece) if chinese else piece
            cut = whole[:left].decode("utf-8", "ignore").encode() or b"\n"
            stream.write(cut)
            left -= len(cut)


def as_chinese(text: bytes) -> bytes:
    """Map each pair of bytes to one of several thousand Chinese characters of three bytes each."""
    even = np.frombuffer(text[: len(text) // 2 * 2], np.uint8).astype("<u4") % 72
    code_points: bytes = (0x4E00 + 72 * even[::2] + even[1::2]).tobytes()
    return code_points.decode("utf-32-le").encode()


def seed_text(rng: random.Random, size: int) -> bytes:
    """Words from a made-up dictionary with Zipf-like frequencies, and some punctuation."""
    words = ["".join(rng.choices(LETTERS, k=rng.randint(1, 9))) for _ in range(2000)]
    weights = [1 / (n + 1) for n in range(len(words))]
    drawn = rng.choices(words, weights, k=size // 2 + 1)  # a word and its space: at least 2 bytes
    marks = rng.choices([*OTHERS, ""], [*[1] * len(OTHERS), 300], k=len(drawn))
    text = " ".join(word + mark for word, mark in zip(drawn, marks, strict=True))
    return text.encode("ascii")[:size]


def perturbed(rng: random.Random, text: bytes) -> bytes:
    """The text with some bytes changed."""
    copy = bytearray(text)
    for _ in range(min(_CHANGES, len(copy) // 10)):
        copy[rng.randrange(len(copy))] = ord(rng.choice(LETTERS))
    return bytes(copy)
