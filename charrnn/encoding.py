"""From texts to numbers: one pass counts the symbols, a second numbers them.

Neither holds the text. Between the two the code points wait in a `Spool`; the ids of a long text
go to the `store`, where the same text with the same options is found again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from charrnn import spool, store
from charrnn.errors import CorpusError
from charrnn.params import Array
from charrnn.reading import Source, TextOptions
from charrnn.spool import Spool
from charrnn.store import Encoded, Identity
from charrnn.vocabulary import Vocabulary, name_of


def encode(sources: Sequence[Source], options: TextOptions, name: str) -> Encoded:
    """Texts as one row of numbers, with the vocabulary of all of them together.

    A CorpusError says why they cannot be read, or are nothing to learn from; `name` is what it
    calls them.
    """
    sizes = [source.size for source in sources]
    if None not in sizes and sum(filter(None, sizes)) > spool.SMALL:
        found = store.find(_identify(sources, options))
        if found:
            return found
    with Spool() as codes:
        identity, ends, counts = _count(sources, options, codes)
        vocabulary = _vocabulary(counts, options, name)
        pieces = (vocabulary.encode_codes(piece) for piece in codes.pieces())
        if sum(identity.sizes) > spool.SMALL:
            return store.keep(identity, vocabulary, ends, pieces)
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


def _count(
    sources: Sequence[Source], options: TextOptions, into: Spool
) -> tuple[Identity, list[int], Array]:
    """Decode the texts: what they are, where each ends, and how often each code occurs in all."""
    digest, sizes, ends, end = hashlib.sha256(), [], [], 0
    counts = np.zeros(0, np.int64)
    for source in sources:
        size = 0
        for block, codes in source.codes(options):
            digest.update(block)
            size, end = size + len(block), end + len(codes)
            before, counts = counts, np.bincount(codes, minlength=len(counts))
            counts[: len(before)] += before
            into.write(codes)
        sizes.append(size)
        ends.append(end)
    return Identity(digest.hexdigest(), sizes, options), ends, counts


def _vocabulary(counts: Array, options: TextOptions, name: str) -> Vocabulary:
    """The codes that occur often enough."""
    codes = np.flatnonzero(counts > 0)
    total = counts[codes].sum()
    if total < 2:
        raise CorpusError(
            f"{name} has {total} characters; there is nothing to learn from fewer than 2."
        )
    if len(codes) == 1:
        only = name_of(int(codes[0]), options.unit)
        raise CorpusError(f"{name} is nothing but {only}; a model needs at least two symbols.")
    frequent = codes[counts[codes] >= options.min_count]
    if not len(frequent):
        raise CorpusError(
            f"No symbol of {name} occurs {options.min_count} times; lower --min-count."
        )
    return Vocabulary(frequent.tolist(), options.unit, len(frequent) < len(codes))
