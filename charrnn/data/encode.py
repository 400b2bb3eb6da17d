"""Texts to ids in two passes: the first counts the symbols, the second encodes them.

Neither pass holds the whole text in memory. Between the passes the code points are in a
`TokenBuffer`. The ids of a long text are saved in the `store`, and loaded from there when the same
text is read again with the same options.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import count

import numpy as np

from charrnn.data import store, token_buffer
from charrnn.data.code_points import character_name, text_of, word_name
from charrnn.data.reading import Source, TextOptions
from charrnn.data.store import Encoded, Identity
from charrnn.data.token_buffer import TokenBuffer
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.data.words import cut
from charrnn.errors import CorpusError
from charrnn.nn.params import Array, IntArray


def encode(sources: Sequence[Source], options: TextOptions, name: str) -> Encoded:
    """All texts as one array of ids, with their common vocabulary.

    Raises CorpusError if a text cannot be read, if all of them have fewer than two characters or
    two distinct symbols, or if no symbol occurs `min_count` times. Messages call them `name`.
    """
    sizes = [source.size for source in sources]
    if None not in sizes and sum(filter(None, sizes)) > token_buffer.SMALL:
        stored = store.load(_identify(sources, options))
        if stored:
            return stored
    with TokenBuffer() as codes:
        words = options.unit == "word"
        counter = _WordCounter() if words else _SymbolCounter(options)
        identity, ends = _count(sources, options, counter, codes)
        vocabulary = _vocabulary(counter, options, name)
        pieces = (vocabulary.encode_code_points(piece) for piece in codes.pieces())
        if sum(identity.sizes) > token_buffer.SMALL:
            return store.save(identity, vocabulary, ends, pieces)
        return Encoded(identity, vocabulary, np.concatenate(list(pieces)), ends)


def _identify(sources: Sequence[Source], options: TextOptions) -> Identity:
    """The identity of the texts, without decoding them."""
    digest, sizes = hashlib.sha256(), []
    for source in sources:
        size = 0
        for block in source.blocks():
            digest.update(block)
            size += len(block)
        sizes.append(size)
    return Identity(digest.hexdigest(), sizes, options)


class _SymbolCounter:
    """How often each symbol occurs. Here the number of a symbol is its code point or byte."""

    def __init__(self, options: TextOptions) -> None:
        self.options = options
        self.counts: Array = np.zeros(0, np.int64)

    def add(self, codes: IntArray) -> int:
        """Count the symbols of a piece of text; returns how many it has."""
        numbers = self._numbers(codes)
        before, self.counts = self.counts, np.bincount(numbers, minlength=len(self.counts))
        self.counts[: len(before)] += before
        return len(numbers)

    def _numbers(self, codes: IntArray) -> IntArray:
        return codes

    def name(self, number: int) -> str:
        """A symbol as an error message names it."""
        return character_name(number, self.options.unit)

    def vocabulary(self, numbers: IntArray, unknown: bool) -> Vocabulary:
        """The vocabulary of these symbols."""
        return Vocabulary(numbers.tolist(), self.options.unit, unknown)


class _WordCounter(_SymbolCounter):
    """How often each word occurs. Words are numbered in the order of their first occurrence."""

    def __init__(self) -> None:
        super().__init__(TextOptions("word"))
        self._number: defaultdict[str, int] = defaultdict(count().__next__)

    def _numbers(self, codes: IntArray) -> IntArray:
        return np.array([self._number[word] for word in cut(text_of(codes))], np.intp)

    def name(self, number: int) -> str:
        return word_name(list(self._number)[number])

    def vocabulary(self, numbers: IntArray, unknown: bool) -> Words:
        words = list(self._number)
        return Words((words[n] for n in numbers), unknown)


def _count(
    sources: Sequence[Source], options: TextOptions, counter: _SymbolCounter, into: TokenBuffer
) -> tuple[Identity, list[int]]:
    """Decode the texts into a buffer and count their symbols.

    Returns the identity of the texts, and the number of symbols up to the end of each text.
    """
    digest, sizes, ends, end = hashlib.sha256(), [], [], 0
    for source in sources:
        size = 0
        for block, codes in source.code_points(options):
            digest.update(block)
            size, end = size + len(block), end + counter.add(codes)
            into.write(codes)
        sizes.append(size)
        ends.append(end)
    return Identity(digest.hexdigest(), sizes, options), ends


def _vocabulary(counter: _SymbolCounter, options: TextOptions, name: str) -> Vocabulary:
    """The symbols that occur at least `min_count` times."""
    occurring = np.flatnonzero(counter.counts)
    total = counter.counts.sum()
    if total < 2:
        raise CorpusError(f"{name} has {total} characters; training needs at least 2.")
    if len(occurring) == 1:
        only = counter.name(int(occurring[0]))
        raise CorpusError(
            f"{name} has nothing but {only}; a model needs at least two distinct symbols."
        )
    frequent = occurring[counter.counts[occurring] >= options.min_count]
    if not len(frequent):
        raise too_rare(name, options)
    return counter.vocabulary(frequent, len(frequent) < len(occurring))


def too_rare(name: str, options: TextOptions) -> CorpusError:
    """The error for a text in which no symbol occurs often enough."""
    return CorpusError(
        f"No symbol of {name} occurs {options.min_count:,} times; lower --min-count."
    )
