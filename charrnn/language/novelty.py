"""How much of a sample is copied from a corpus: its longest run of symbols that occurs there, and
the share of its runs of 8, 12 and 20 that do.

Runs are not hashed but numbered (Karp, Miller and Rosenberg 1972): two of the same length bear the
same number if and only if they are equal. A symbol is numbered by itself. A longer run is known by
two runs of the next smaller power of two, its beginning and its end, which may overlap: it is the
pair of their numbers that is numbered. Only what occurs in the sample has a number; a run of the
corpus that does not is 0, as is every longer one around it. The corpus is read once, in blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.params import Ids

LENGTHS = (8, 12, 20)
"""Lengths of runs that are usually asked for."""
_BLOCK = 1 << 18  # symbols of the corpus worked on at a time
_TABLE = 1 << 22  # entries of a table of pairs, beyond which they are searched for


@dataclass(frozen=True)
class Novelty:
    """What of a sample occurs in a corpus."""

    longest: Ids
    """The longest run of the sample that occurs: code points (or byte values) `(N,)`."""
    copied: dict[int, float | None]
    """The share of the sample's runs of each length that occur; None where it has none."""


def novelty(
    samples: Sequence[Ids], corpus: Iterable[Ids], lengths: Sequence[int] = LENGTHS
) -> Novelty:
    """Compare samples, code points (or byte values) `(N,)` each, with a corpus.

    The blocks of the corpus follow upon each other. A run lies within one sample; every place where
    one begins counts, however often the same run is there.
    """
    sample = _Sample(samples)
    own = {n: sample.runs.numbers(n) for n in lengths}
    occurs = {n: np.zeros(int(numbers.max(initial=0)) + 1, bool) for n, numbers in own.items()}
    longest: Ids = np.zeros(0, np.uint32)
    for block in _overlapping(corpus, sample.most - 1):
        runs = sample.runs_of(block)
        for n, seen in occurs.items():
            seen[runs.numbers(n)] = True
        length = _longest(runs, len(longest), sample.most)
        if length > len(longest):
            at = int((runs.numbers(length) > 0).argmax())
            longest = block[at : at + length].copy()
    return Novelty(longest, {n: _share(own[n], seen) for n, seen in occurs.items()})


def _overlapping(corpus: Iterable[Ids], overlap: int) -> Iterator[Ids]:
    """The corpus in blocks, each of which begins with the last `overlap` symbols before it."""
    before: Ids = np.zeros(0, np.uint8)
    size = max(_BLOCK, 4 * overlap)
    for codes in corpus:
        for at in range(0, len(codes), size):
            block = np.concatenate([before, codes[at : at + size]])
            yield block
            before = block[max(0, len(block) - overlap) :]


def _longest(runs: _Runs, low: int, most: int) -> int:
    """The length, `low` at least, of the longest run of a block that the sample has."""
    step = 1
    while low + step <= most and runs.numbers(low + step).any():
        low += step
        step *= 2
    while step := step // 2:
        if low + step <= most and runs.numbers(low + step).any():
            low += step
    return low


def _share(numbers: Ids, occurs: NDArray[np.bool_]) -> float | None:
    """How many of the runs with these numbers occur, of those that are any (not 0)."""
    numbers = numbers[numbers > 0]
    return float(occurs[numbers].mean()) if len(numbers) else None


class _Sample:
    """The samples one after the other, and the numbers of their runs."""

    def __init__(self, samples: Sequence[Ids]) -> None:
        self.most = max((len(s) for s in samples), default=0)
        codes = np.unique(np.concatenate([np.zeros(0, np.uint32), *samples]))
        self._number = np.zeros(0x110000, np.int32)
        self._number[codes] = np.arange(1, len(codes) + 1)
        between = np.zeros(1, np.int32)
        parts = [part for s in samples for part in (self._number[s], between)]
        self.runs = _Runs(np.concatenate([between, *parts]), self)
        self._pairs: dict[int, _Pairs] = {}

    def runs_of(self, codes: Ids) -> _Runs:
        """The runs of a block of the corpus."""
        return _Runs(self._number[codes], self)

    def pairs(self, length: int) -> _Pairs:
        """The numbering of the runs of a length above 1."""
        if length not in self._pairs:
            most = int(self.runs.numbers(_half(length)).max(initial=0))
            self._pairs[length] = _Pairs(*self.runs.ends(length), most)
        return self._pairs[length]


class _Runs:
    """The numbers of the runs of a text, `(N - length + 1,)` for each length."""

    def __init__(self, symbols: Ids, sample: _Sample) -> None:
        self._sample = sample
        self._numbers = {1: symbols}

    def numbers(self, length: int) -> Ids:
        """From 1; 0 for a run that the sample does not have."""
        if length not in self._numbers:
            self._numbers[length] = self._sample.pairs(length).find(*self.ends(length))
        return self._numbers[length]

    def ends(self, length: int) -> tuple[Ids, Ids]:
        """The numbers of the beginning and the end of each run, which together cover it."""
        numbers = self.numbers(_half(length))
        gap = length - _half(length)
        return numbers[: max(0, len(numbers) - gap)], numbers[gap:]


def _half(length: int) -> int:
    """The largest power of two below a length above 1."""
    return 1 << ((length - 1).bit_length() - 1)


class _Pairs:
    """Pairs of numbers from 1 to `most`, themselves numbered from 1. A pair with a 0 has none."""

    def __init__(self, left: Ids, right: Ids, most: int) -> None:
        self._width = most + 1
        keys = np.unique(self._key(left, right)[(left > 0) & (right > 0)])
        self._keys = np.append(keys, np.iinfo(np.int64).max)  # every search ends on a key
        self._table = None
        if self._width**2 <= _TABLE:
            self._table = np.zeros(self._width**2, np.int32)
            self._table[keys] = np.arange(1, len(keys) + 1)

    def _key(self, left: Ids, right: Ids) -> Ids:
        keys = left.astype(np.int64)
        keys *= self._width
        keys += right
        return keys

    def find(self, left: Ids, right: Ids) -> Ids:
        """The number of each pair, 0 where it has none."""
        if self._table is not None:
            return self._table.take(self._key(left, right))
        found = np.zeros(len(left), np.int32)
        where = np.flatnonzero((left > 0) & (right > 0))
        keys = self._key(left[where], right[where])
        at = np.searchsorted(self._keys, keys)
        found[where] = np.where(self._keys[at] == keys, at + 1, 0)
        return found
