"""Is one model better than another by more than chance?

Two things vary. Another seed would have given another network, and another piece of text other
losses; a model must be better over both to be better. So its runs s = 1 .. S are a sample, and so
are the blocks b = 1 .. B into which the test text is cut. With L(s, b) the mean loss of a run in a
block, in nats per character, and a bar over what is averaged, models x and y differ by

    d(b)     = Lx(-, b) - Ly(-, b)                      the same text for both: blocks are paired
    gap      = mean of d(b)
    error²   = v + vx + vy
    v        = variance of d(b) over the blocks / B
    vx       = variance of Lx(s, -) over its runs / Sx      vy likewise
    t        = gap / error
    freedom  = error⁴ / (v² / (B - 1) + vx² / (Sx - 1) + vy² / (Sy - 1))

which is Welch's t test (1947) with a third source of variance. It asks with Clark (1973) that a
difference hold for both at once, and what a run and a block have together counts in both
v and vx: where it is not exact it errs towards "chance".

Where no other seed could give another model (n-grams), vx is 0 and has no part in the freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 1000
"""Characters in a block, about: a page. What is surprising in a text is so for some tens of
characters on, and blocks much longer than that are nearly independent of each other."""
_LEAST_BLOCKS, _LEAST_LENGTH = 10, 100
LEVEL = 0.05
"""A difference is called more than chance where p is below this."""

Losses = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How far a model is behind another, and how sure that is."""

    nats: float
    """The difference of their mean losses, per character; above 0 is behind."""
    error: float
    """Its standard error."""
    freedom: float
    """The degrees of freedom of the t test."""
    p: float
    """How often two models equally good would differ by so much or more, in either direction."""


def block_edges(length: int) -> NDArray[np.int64]:
    """Where the blocks of a text begin, and where the last ends: `(B + 1,)`.

    Blocks of about `BLOCK` characters, equal to within one; shorter, but not below a hundred, where
    there would be fewer than ten of them.
    """
    count = max(1, round(length / BLOCK), min(_LEAST_BLOCKS, length // _LEAST_LENGTH))
    return np.arange(count + 1) * length // count


def block_sums(nats: NDArray[np.float64], ends: NDArray[np.int64]) -> Losses:
    """The nats of each block `(B,)` of a text whose symbols have nats `(N,)` and end behind so many
    characters `(N,)`. A symbol of several belongs to the block that its last one is in, so that
    models which cut the same text into other symbols have the same blocks.
    """
    edges = block_edges(int(ends[-1]))
    return np.bincount(np.searchsorted(edges, ends) - 1, nats, len(edges) - 1).astype(np.float64)


def difference(x: Losses, y: Losses) -> Difference | None:
    """How far x is behind y: losses `(S, B)` of their runs in the same blocks of a text.

    A single run counts as one that any seed would give. None where there is but one block.
    """
    blocks = x.shape[1]
    if blocks < 2:
        return None
    d = x.mean(axis=0) - y.mean(axis=0)
    samples = [d, *(each.mean(axis=1) for each in (x, y) if len(each) > 1)]
    parts = [(float(np.var(s, ddof=1)) / len(s), len(s) - 1) for s in samples]
    nats, square = float(d.mean()), sum(v for v, _ in parts)
    if square == 0:
        return Difference(nats, 0.0, float(blocks - 1), float(nats == 0))
    freedom = 1 / sum((v / square) ** 2 / n for v, n in parts)
    error = math.sqrt(square)
    return Difference(nats, error, freedom, two_sided(nats / error, freedom))


def holm(ps: Sequence[float]) -> list[float]:
    """P values of several comparisons, raised so that the chance of even one of them falling below
    a level, where nothing differs, is at most that level (Holm 1979).

    The smallest is multiplied by their number n, the next by n - 1, and so on.
    """
    raised, least = [0.0] * len(ps), 0.0
    for done, n in enumerate(np.argsort(ps, kind="stable")):
        least = max(least, min(1.0, (len(ps) - done) * ps[n]))
        raised[n] = least
    return raised


def two_sided(t: float, freedom: float) -> float:
    """P(|T| >= |t|) of Student's distribution: the incomplete beta I(f / (f + t²); f/2, 1/2)."""
    whole = freedom + t * t
    return _beta(freedom / whole, t * t / whole, freedom / 2, 0.5)


def _beta(x: float, y: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I(x; a, b), where y = 1 - x.

    By its continued fraction, front / (1 + c1 / (1 + c2 / (1 + ...))), from the right on. It takes
    some sqrt(a) terms where x is not above (a + 1) / (a + b + 2), and I(x; a, b) = 1 - I(y; b, a).
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
