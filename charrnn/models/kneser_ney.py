"""The two parts of Kneser-Ney smoothing (1995): absolute discounts and continuation counts.

The discounts are the three of Chen and Goodman (1998), "modified" Kneser-Ney.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.params import IntArray


def discounts(counts: IntArray) -> NDArray[np.float64]:
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


def continuation_counts(
    counts: IntArray, suffix_index: IntArray, longer_counts: IntArray
) -> IntArray:
    """The continuation count of each n-gram: the number of different symbols that precede it.

    counts `(N,)`: how often each of the N n-grams occurs.
    suffix_index `(M,)`: for each of the M (n+1)-grams, the index of the n-gram that remains without
    its first symbol.
    longer_counts `(M,)`: how often each (n+1)-gram occurs.

    The (n+1)-grams with the same suffix differ in their first symbol, so their number is the number
    of preceding symbols. An n-gram at the beginning of the text occurs once without a preceding
    symbol; the beginning counts as one more symbol.
    """
    preceding_symbols = np.bincount(suffix_index, minlength=len(counts))
    preceded = np.bincount(suffix_index, longer_counts, len(counts)).astype(np.int64)
    return preceding_symbols + (counts - preceded)
