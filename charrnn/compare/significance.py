"""Significance test: is the difference between two models larger than chance explains?

Two things vary: another seed gives another network, and another text gives other losses. A better
model should be better over both. The runs s = 1 .. S of a model are therefore one sample, and the
blocks b = 1 .. B of the test text are another. With L(s, b) the mean loss of run s in block b, in
nats per character, and - for a mean over an index, models x and y differ by

    d(b)     = Lx(-, b) - Ly(-, b)                      the same text for both: blocks are paired
    gap      = mean of d(b)
    error²   = v + vx + vy
    v        = variance of d(b) over the blocks / B
    vx       = variance of Lx(s, -) over its runs / Sx      vy likewise
    t        = gap / error
    freedom  = error⁴ / (v² / (B - 1) + vx² / (Sx - 1) + vy² / (Sy - 1))

This is Welch's t test (1947) with a third source of variance. As Clark (1973) demands, a difference
must hold over both samples at once. The interaction of runs and blocks counts in both v and vx, so
the test is conservative.

For models without a seed (n-grams), vx is 0 and does not contribute to the degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 1000
"""Approximate characters per block, about a page. Losses are correlated over some tens of
characters, so blocks of this length are nearly independent."""
_LEAST_BLOCKS, _LEAST_LENGTH = 10, 100
LEVEL = 0.05
"""A difference is significant if p is below this level."""

Losses = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The difference between two models, and its t test."""

    nats: float
    """Difference of the mean losses in nats per character; positive if the first is worse."""
    error: float
    """Standard error of `nats`."""
    freedom: float
    """Degrees of freedom of the t test."""
    p: float
    """Probability that equally good models differ by this much or more, in either direction."""


def block_edges(length: int) -> NDArray[np.int64]:
    """Where the blocks of a text begin, and where the last one ends: `(B + 1,)`.

    Blocks have about `BLOCK` characters, and their lengths differ by at most one. A short text is
    cut into ten blocks, or fewer if they would have less than a hundred characters.
    """
    count = max(1, round(length / BLOCK), min(_LEAST_BLOCKS, length // _LEAST_LENGTH))
    return np.arange(count + 1) * length // count


def block_sums(nats: NDArray[np.float64], ends: NDArray[np.int64]) -> Losses:
    """Sum the losses of symbols, `nats` `(N,)`, over the blocks of a text; returns `(B,)`.

    `ends` `(N,)` holds the position, in characters, where each symbol ends. A symbol belongs to the
    block of its last character, so blocks do not depend on how a model splits text into symbols.
    """
    edges = block_edges(int(ends[-1]))
    return np.bincount(np.searchsorted(edges, ends) - 1, nats, len(edges) - 1).astype(np.float64)


def difference(x: Losses, y: Losses) -> Difference | None:
    """Test the mean difference of two models with losses x `(Sx, B)` and y `(Sy, B)`.

    The blocks must be the same. A model with a single run counts as independent of the seed.
    Returns None if there is only one block.
    """
    blocks = x.shape[1]
    if blocks < 2:
        return None
    d = x.mean(axis=0) - y.mean(axis=0)
    samples = [d, *(losses.mean(axis=1) for losses in (x, y) if len(losses) > 1)]
    variances = [(float(np.var(s, ddof=1)) / len(s), len(s) - 1) for s in samples]
    nats, error2 = float(d.mean()), sum(v for v, _ in variances)
    if error2 == 0:
        return Difference(nats, 0.0, float(blocks - 1), float(nats == 0))
    freedom = 1 / sum((v / error2) ** 2 / n for v, n in variances)
    error = math.sqrt(error2)
    return Difference(nats, error, freedom, two_sided(nats / error, freedom))


def holm(ps: Sequence[float]) -> list[float]:
    """Correct the p values of several comparisons (Holm 1979).

    The smallest of n values is multiplied by n, the next by n - 1, and so on; the order is kept. If
    no models differ, the probability that any corrected value is below a level is at most that
    level.
    """
    corrected, largest = [0.0] * len(ps), 0.0
    for rank, n in enumerate(np.argsort(ps, kind="stable")):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[n]))
        corrected[n] = largest
    return corrected


def two_sided(t: float, freedom: float) -> float:
    """P(|T| >= |t|) for Student's t with f degrees of freedom: I(f / (f + t²); f/2, 1/2)."""
    total = freedom + t * t
    return _beta(freedom / total, t * t / total, freedom / 2, 0.5)


def _beta(x: float, y: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I(x; a, b), where y = 1 - x.

    Evaluates the continued fraction front / (1 + c1 / (1 + c2 / (1 + ...))) from the right. This
    needs about sqrt(a) terms if x <= (a + 1) / (a + b + 2); else I(x; a, b) = 1 - I(y; b, a).
    """
    if x <= 0 or y <= 0:
        return float(x > 0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(y, x, b, a)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log(y) - log_beta) / a
    value = 1.0
    for m in reversed(range(50 + 2 * math.isqrt(round(a + b)))):
        even = (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        value = 1 + odd / (1 + even / value)
    return front / value
