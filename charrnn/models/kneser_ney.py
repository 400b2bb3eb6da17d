"""The two parts of Kneser-Ney smoothing (1995): absolute discounts and continuation counts.

The discounts are the three of Chen and Goodman (1998), "modified" Kneser-Ney.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.params import Ids


def discounts(counts: Ids) -> NDArray[np.float64]:
    """D(0), D(1), D(2), and D(c) for every c >= 3: `(4,)`.

        D(c) = c - (c + 1) Y n(c + 1) / n(c)        Y = n(1) / (n(1) + 2 n(2))

    n(c) is the number of counts that equal c. If that puts D(c) outside (0, c), because there are
    too few counts, D(c) is c / 2. So a discount always leaves probability for unseen symbols and
    never takes the whole count.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    D = np.zeros(4)
    for c in (1, 2, 3):
        denominator = n[c] * (n[1] + 2 * n[2])
        d = c - (c + 1) * n[1] * n[c + 1] / denominator if denominator else 0.0
        D[c] = d if 0 < d < c else c / 2
    return D


def continuations(times: Ids, shorter: Ids, longer: Ids) -> Ids:
    """The number of different symbols that precede each n-gram: its continuation count.

    times: how often each n-gram occurs. shorter: for each n-gram that is one symbol longer, the
    index of the n-gram that it ends with; longer: how often it occurs. An occurrence that nothing
    precedes is the beginning of the text, which counts as one more symbol.
    """
    different = np.bincount(shorter, minlength=len(times))
    preceded = np.bincount(shorter, longer, len(times)).astype(np.int64)
    return different + (times - preceded)
