r"""Splitting a text into lines.

Only `\n` ends a line; reading has turned `\r\n` and `\r` into it, unless asked to keep them. Other
line separators of Unicode are characters like any other. The line ends are not part of the lines,
and a final line end does not begin another line. An empty text is one empty line.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from charrnn.nn.params import IntArray

_END = ord("\n")


def split_lines(text: str) -> list[str]:
    """The lines of a text."""
    return text.removesuffix("\n").split("\n")


def split_code_lines(codes: IntArray) -> list[IntArray]:
    """The lines of a text as code points or bytes `(N,)`; views, not copies."""
    ends = np.flatnonzero(codes == _END).tolist()
    if not len(codes) or codes[-1] != _END:
        ends.append(len(codes))
    return [codes[a + 1 : b] for a, b in pairwise([-1, *ends])]
