"""Splitting a text into words and punctuation without loss.

A piece is the first of these that matches, from left to right:

- an optional space and a word: letters, digits and `_` with their combining marks, and apostrophes
  between them (`don't`). Chinese characters and kana do not count as letters, because no spaces
  separate their words;
- an optional space and one other visible character with its combining marks;
- a line feed;
- a run of other white space, without its last space if that begins the next piece.

Every character belongs to exactly one piece, so the pieces joined are the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_CJK = "\u3005-\u3007\u3041-\u3096\u309d-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK += "\U00020000-\U0003ffff"
"""Chinese characters and kana, for a character class of a regular expression."""


@cache
def _piece() -> re.Pattern[str]:
    marks = "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c)[0] == "M")
    letter, mark = rf"[^\W{_CJK}]", f"[{marks}]"
    letters = f"{letter}+(?:{mark}+{letter}*)*"
    visible = rf"{letters}(?:['’]{letters})*|\S{mark}*"
    return re.compile(rf" ?(?:{visible})|\n|[^\S\n]+(?= \S)|[^\S\n]+")


_BOUNDARY = re.compile(rf".*\S(?=[\s{_CJK}])", re.DOTALL)


def cut(text: str) -> list[str]:
    """The pieces of a text, in order."""
    return _piece().findall(text)


def last_boundary(text: str) -> int:
    """The last index that is known to be the end of a piece whatever text follows; 0 if none is.

    It lies after a visible character and before white space, a Chinese character or kana: none of
    these continues a piece.
    """
    match = _BOUNDARY.match(text)
    return match.end() if match else 0
