"""Cutting a text into words and punctuation, of which nothing is lost.

A piece is the first of these that fits, read from left to right:

- at most one space, and a word: letters, digits and `_` with the accents upon them, and apostrophes
  between such (`don't`); Chinese characters and kana, which stand in no words with spaces between
  them, are none of these letters;
- at most one space, and any one other character that can be seen, with the accents upon it;
- the end of a line, alone;
- other space: a run of it, without its last space where that goes to the piece that follows.

Every character belongs to just one piece, so the pieces one after the other are the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_ALONE = "\u3005-\u3007\u3041-\u3096\u309d-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_ALONE += "\U00020000-\U0003ffff"
"""Chinese characters and kana, as a class of a regular expression."""


@cache
def _piece() -> re.Pattern[str]:
    accents = "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c)[0] == "M")
    letter, accent = rf"[^\W{_ALONE}]", f"[{accents}]"
    letters = f"{letter}+(?:{accent}+{letter}*)*"
    seen = rf"{letters}(?:['’]{letters})*|\S{accent}*"
    return re.compile(rf" ?(?:{seen})|\n|[^\S\n]+(?= \S)|[^\S\n]+")


_BORDER = re.compile(rf".*\S(?=[\s{_ALONE}])", re.DOTALL)


def cut(text: str) -> list[str]:
    """The pieces of a text, in order."""
    return _piece().findall(text)


def last_border(text: str) -> int:
    """The last place where a piece ends whatever follows the text, 0 if there is none to be found.

    It is before a space, or a character that is a word of its own, after what can be seen: neither
    is ever within a piece.
    """
    found = _BORDER.match(text)
    return found.end() if found else 0
