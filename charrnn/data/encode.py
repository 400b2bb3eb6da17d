"""From texts to numbers: one pass counts the symbols, a second numbers them.

Neither holds the text. Between the two the code points wait in a `TokenBuffer`; the ids of a long
text go to the `store`, where the same text with the same options is found again.
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
from charrnn.nn.params import Array, Ids


def encode(sources: Sequence[Source], options: TextOptions, name: str) -> Encoded:
    """Texts as one row of numbers, with the vocabulary of all of them together.

    A CorpusError says why they cannot be read, or are nothing to learn from; `name` is what it
    calls them.
    """
    sizes = [source.size for source in sources]
    if None not in sizes and sum(filter(None, sizes)) > token_buffer.SMALL:
        found = store.load(_identify(sources, options))
        if found:
            return found
    with TokenBuffer() as codes:
        tally: _Tally = _WordTally() if options.unit == "word" else _Tally(options)
        identity, ends = _count(sources, options, tally, codes)
        vocabulary = _vocabulary(tally, options, name)
        pieces = (vocabulary.encode_code_points(piece) for piece in codes.pieces())
        if sum(identity.sizes) > token_buffer.SMALL:
            return store.save(identity, vocabulary, ends, pieces)
        return Encoded(identity, vocabulary, np.concatenate(list(pieces)), ends)


def _identify(sources: Sequence[Source], options: TextOptions) -> Identity:
    """What tells these texts from all others, found out without decoding them."""
    digest, sizes = hashlib.sha256(), []
    for source in sources:
        size = 0
        for block in source.blocks():
            digest.update(block)
            size += len(block)
        sizes.append(size)
    return Identity(digest.hexdigest(), sizes, options)


class _Tally:
    """How often each symbol occurs. Symbols have numbers: here the codes themselves."""

    def __init__(self, options: TextOptions) -> None:
        self.options = options
        self.counts: Array = np.zeros(0, np.int64)

    def add(self, codes: Ids) -> int:
        """Count the symbols of some text; returns how many there are."""
        numbers = self._numbers(codes)
        before, self.counts = self.counts, np.bincount(numbers, minlength=len(self.counts))
        self.counts[: len(before)] += before
        return len(numbers)

    def _numbers(self, codes: Ids) -> Ids:
        return codes

    def name(self, number: int) -> str:
        """A symbol as an error message should name it."""
        return character_name(number, self.options.unit)

    def vocabulary(self, numbers: Ids, unknown: bool) -> Vocabulary:
        """The vocabulary of these symbols."""
        return Vocabulary(numbers.tolist(), self.options.unit, unknown)


class _WordTally(_Tally):
    """How often each word occurs; they are numbered as they come."""

    def __init__(self) -> None:
        super().__init__(TextOptions("word"))
        self._number: defaultdict[str, int] = defaultdict(count().__next__)

    def _numbers(self, codes: Ids) -> Ids:
        return np.array([self._number[word] for word in cut(text_of(codes))], np.intp)

    def name(self, number: int) -> str:
        return word_name(list(self._number)[number])

    def vocabulary(self, numbers: Ids, unknown: bool) -> Words:
        words = list(self._number)
        return Words((words[n] for n in numbers), unknown)


def _count(
    sources: Sequence[Source], options: TextOptions, tally: _Tally, into: TokenBuffer
) -> tuple[Identity, list[int]]:
    """Decode the texts and count their symbols: what the texts are, and where each ends."""
    digest, sizes, ends, end = hashlib.sha256(), [], [], 0
    for source in sources:
        size = 0
        for block, codes in source.code_points(options):
            digest.update(block)
            size, end = size + len(block), end + tally.add(codes)
            into.write(codes)
        sizes.append(size)
        ends.append(end)
    return Identity(digest.hexdigest(), sizes, options), ends


def _vocabulary(tally: _Tally, options: TextOptions, name: str) -> Vocabulary:
    """The symbols that occur often enough."""
    counts = tally.counts
    total, found = counts.sum(), np.flatnonzero(counts)
    if total < 2:
        raise CorpusError(
            f"{name} has {total} characters; there is nothing to learn from fewer than 2."
        )
    if len(found) == 1:
        only = tally.name(int(found[0]))
        raise CorpusError(f"{name} is nothing but {only}; a model needs at least two symbols.")
    frequent = found[counts[found] >= options.min_count]
    if not len(frequent):
        raise too_rare(name, options)
    return tally.vocabulary(frequent, len(frequent) < len(found))


def too_rare(name: str, options: TextOptions) -> CorpusError:
    """The error for a text in which no symbol occurs often enough."""
    return CorpusError(
        f"No symbol of {name} occurs {options.min_count:,} times; lower --min-count."
    )
