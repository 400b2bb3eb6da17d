"""The two ideas of Kneser and Ney (1995): counting what comes before, and what to hold back.

The second as modified by Chen and Goodman (1998), with three discounts instead of one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.params import Ids


def discounts(counts: Ids) -> NDArray[np.float64]:
    """D(0), D(1), D(2), and D(c) for every c of 3 or more: `(4,)`.

        D(c) = c - (c + 1) Y n(c + 1) / n(c)        Y = n(1) / (n(1) + 2 n(2))

    n(c) is how many of the counts are c. Where there are too few for that to be between 0 and c,
    D(c) is c / 2; so a discount never takes all, and always leaves something for what is unseen.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    found = np.zeros(4)
    for c in (1, 2, 3):
        below = n[c] * (n[1] + 2 * n[2])
        d = c - (c + 1) * n[1] * n[c + 1] / below if below else 0.0
        found[c] = d if 0 < d < c else c / 2
    return found


def continuations(times: Ids, shorter: Ids, longer: Ids) -> Ids:
    """After how many different symbols each n-gram occurs.

    times: how often each occurs. shorter: for each n-gram one symbol longer, which of them it ends
    with; longer: how often it occurs. What occurs without a symbol before it begins the text.
    """
    different = np.bincount(shorter, minlength=len(times))
    inside = np.bincount(shorter, longer, len(times)).astype(np.int64)
    return different + (times - inside)
