"""How much of a sample is copied from a corpus: the longest run of symbols that also occurs in the
corpus, and the fraction of its runs of 8, 12 and 20 symbols that do.

Runs are numbered (Karp, Miller and Rosenberg 1972) instead of hashed: two runs of the same length
have the same number if and only if they are equal. A run of one symbol has the number of that
symbol. A longer run is made of two runs of the next smaller power of two, its beginning and its
end, which may overlap; it gets the number of their pair. Only runs of the sample have a number. A
run of the corpus that is not in the sample has the number 0, and so has every run that contains it.
The corpus is read once, in blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.params import IntArray

LENGTHS = (8, 12, 20)
"""The run lengths that are measured by default."""
_BLOCK = 1 << 18  # symbols of the corpus processed at a time
_TABLE = 1 << 22  # entries of a lookup table of pairs; larger ones use binary search


@dataclass(frozen=True)
class Novelty:
    """What a sample has in common with a corpus."""

    longest: IntArray
    """The longest run of the sample that occurs: code points (or byte values) `(N,)`."""
    copied: dict[int, float | None]
    """For each length the fraction of the sample's runs that occur; None if it has no such run."""


def novelty(
    samples: Sequence[IntArray], corpus: Iterable[IntArray], lengths: Sequence[int] = LENGTHS
) -> Novelty:
    """Compare samples, each code points (or byte values) `(N,)`, with a corpus in blocks.

    A run lies within one sample but may span blocks of the corpus. Runs are counted by position: a
    run that a sample repeats counts every time.
    """
    sample = _Sample(samples)
    numbers = {n: sample.runs.numbers(n) for n in lengths}
    occurs = {n: np.zeros(int(runs.max(initial=0)) + 1, bool) for n, runs in numbers.items()}
    longest: IntArray = np.zeros(0, np.uint32)
    for block in _overlapping(corpus, sample.max_length - 1):
        runs = sample.runs_of(block)
        for n, occurs_n in occurs.items():
            occurs_n[runs.numbers(n)] = True
        length = _longest(runs, len(longest), sample.max_length)
        if length > len(longest):
            start = int((runs.numbers(length) > 0).argmax())
            longest = block[start : start + length].copy()
    return Novelty(longest, {n: _fraction(numbers[n], occurs[n]) for n in lengths})


def _overlapping(corpus: Iterable[IntArray], overlap: int) -> Iterator[IntArray]:
    """The corpus in blocks, each of which begins with the last `overlap` symbols before it."""
    before: IntArray = np.zeros(0, np.uint8)
    size = max(_BLOCK, 4 * overlap)
    for codes in corpus:
        for start in range(0, len(codes), size):
            block = np.concatenate([before, codes[start : start + size]])
            yield block
            before = block[max(0, len(block) - overlap) :]


def _longest(runs: _Runs, low: int, high: int) -> int:
    """The length, from `low` to `high`, of the longest run of a block that is in the sample."""
    step = 1
    while low + step <= high and runs.numbers(low + step).any():
        low += step
        step *= 2
    while step := step // 2:
        if low + step <= high and runs.numbers(low + step).any():
            low += step
    return low


def _fraction(numbers: IntArray, occurs: NDArray[np.bool_]) -> float | None:
    """The fraction of the runs with these numbers that occur. 0 is not a run."""
    numbers = numbers[numbers > 0]
    return float(occurs[numbers].mean()) if len(numbers) else None


class _Sample:
    """The concatenated samples and the numbers of their runs."""

    def __init__(self, samples: Sequence[IntArray]) -> None:
        self.max_length = max((len(s) for s in samples), default=0)
        codes = np.unique(np.concatenate([np.zeros(0, np.uint32), *samples]))
        self._number = np.zeros(0x110000, np.int32)
        self._number[codes] = np.arange(1, len(codes) + 1)
        separator = np.zeros(1, np.int32)
        parts = [part for s in samples for part in (self._number[s], separator)]
        self.runs = _Runs(np.concatenate([separator, *parts]), self)
        self._pairs: dict[int, _Pairs] = {}

    def runs_of(self, codes: IntArray) -> _Runs:
        """The runs of a block of the corpus."""
        return _Runs(self._number[codes], self)

    def pairs(self, length: int) -> _Pairs:
        """The pairs of numbers that make up the sample's runs of a length above 1."""
        if length not in self._pairs:
            largest = int(self.runs.numbers(_half(length)).max(initial=0))
            self._pairs[length] = _Pairs(*self.runs.halves(length), largest)
        return self._pairs[length]


class _Runs:
    """The numbers of the runs of a text, `(N - length + 1,)` for each length."""

    def __init__(self, symbols: IntArray, sample: _Sample) -> None:
        self._sample = sample
        self._numbers = {1: symbols}

    def numbers(self, length: int) -> IntArray:
        """The number of each run, from 1; 0 for a run that is not in the sample."""
        if length not in self._numbers:
            self._numbers[length] = self._sample.pairs(length).find(*self.halves(length))
        return self._numbers[length]

    def halves(self, length: int) -> tuple[IntArray, IntArray]:
        """The numbers of the beginning and of the end of each run, which together cover it."""
        numbers = self.numbers(_half(length))
        offset = length - _half(length)
        return numbers[: max(0, len(numbers) - offset)], numbers[offset:]


def _half(length: int) -> int:
    """The largest power of two below a length above 1."""
    return 1 << ((length - 1).bit_length() - 1)


class _Pairs:
    """A numbering, from 1, of pairs of numbers from 1 to `largest`. A pair with a 0 has none."""

    def __init__(self, left: IntArray, right: IntArray, largest: int) -> None:
        self._base = largest + 1
        keys = np.unique(self._key(left, right)[(left > 0) & (right > 0)])
        self._keys = np.append(keys, np.iinfo(np.int64).max)  # every search ends on a key
        self._table = None
        if self._base**2 <= _TABLE:
            self._table = np.zeros(self._base**2, np.int32)
            self._table[keys] = np.arange(1, len(keys) + 1)

    def _key(self, left: IntArray, right: IntArray) -> IntArray:
        keys = left.astype(np.int64)
        keys *= self._base
        keys += right
        return keys

    def find(self, left: IntArray, right: IntArray) -> IntArray:
        """The number of each pair, 0 if it has none."""
        if self._table is not None:
            return self._table.take(self._key(left, right))
        numbers = np.zeros(len(left), np.int32)
        valid = np.flatnonzero((left > 0) & (right > 0))
        keys = self._key(left[valid], right[valid])
        index = np.searchsorted(self._keys, keys)
        numbers[valid] = np.where(self._keys[index] == keys, index + 1, 0)
        return numbers
