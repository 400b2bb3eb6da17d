"""Text of others on its way to a terminal: names, labels, messages, samples.

A terminal obeys escape sequences: they can change its title, fill its clipboard or disguise what is
shown. So nothing foreign is printed without `printable`, and JSON escapes what a terminal obeys.
"""

from __future__ import annotations

import json
import re
from typing import Any

_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with control characters, and those that reverse its direction, replaced by spaces;
    line ends and tabs stay.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def json_text(data: Any) -> str:
    """A JSON document on one line. JSON itself escapes the first 32 control characters."""
    plain = json.dumps(data, ensure_ascii=False)
    return _OBEYED.sub(lambda match: f"\\u{ord(match.group()):04x}", plain)
