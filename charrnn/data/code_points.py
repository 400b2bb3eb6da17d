"""Text as arrays of code points, and how error messages name a symbol."""

from __future__ import annotations

from typing import Literal

import numpy as np

from charrnn.nn.params import IntArray

Unit = Literal["char", "byte", "word"]


def text_of(codes: IntArray) -> str:
    """The text with these code points `(N,)`."""
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def code_points(text: str) -> IntArray:
    """The code points of a text `(N,)`, as uint8, uint16 or uint32."""
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    pairs = text.encode("utf-16-le", "surrogatepass")
    if len(pairs) == 2 * len(text):
        return np.frombuffer(pairs, np.uint16)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def character_name(code: int, unit: Unit = "char") -> str:
    """A character or byte as an error message names it."""
    if unit == "byte":
        return f"the byte 0x{code:02x}"
    printed = f"'{chr(code)}' " if chr(code).isprintable() else ""
    return f"the character {printed}(U+{code:04X})"


def word_name(word: str) -> str:
    """A word as an error message names it; quotes show the space that may begin it."""
    return f"the word {word!r}"
