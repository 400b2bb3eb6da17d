"""How surprising each line of a text is, and each character of a line: generation's mirror image.

A line stands alone unless asked otherwise. From the start state the end of a line is read, as
before a sample without a seed text; then the line is predicted symbol by symbol, and last its end,
where the vocabulary has one, since a sentence that stops too soon is surprising too. exp(-total
nats) is therefore the probability that a sample at temperature 1 begins with just this line (but
that a sample never draws the unknown symbol). The scores of lines compare, and none depends on its
neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.data.code_points import Unit, text_of
from charrnn.data.vocabulary import REPLACEMENT, Vocabulary
from charrnn.data.words import cut
from charrnn.language.evaluate import Loss, read_nats, surprisal
from charrnn.models.base import LanguageModel
from charrnn.nn.params import Array, Ids, State

_LONG = 1 << 14  # symbols; a longer line is read in pieces side by side, as a text is


@dataclass(frozen=True)
class Score:
    """A line and its surprise."""

    line: int
    """Its number, from 1."""
    text: str
    """The line without its end; bytes that are no UTF-8 are U+FFFD."""
    nats: NDArray[np.float64]
    """-log P of each of `characters` `(N,)`; NaN for one that was left out as never seen.

    For a byte vocabulary a character's nats are the sum of those of its bytes.
    """
    characters: list[str]
    """What `nats` are of: the characters, or the words, of the text and, where it counts, the
    line's end.
    """
    ends: bool
    """Whether the last of them is the line's end."""
    loss: Loss
    """Over all symbols of the line, the end included; zero over zero where there are none."""


def score(
    model: LanguageModel,
    vocabulary: Vocabulary,
    lines: Sequence[Ids],
    *,
    context: bool = False,
    skip_unknown: bool = False,
) -> Iterator[Score]:
    """Score lines, each given as code points (or byte values) without its end, in their order.

    Each stands alone, or with `context` is read with all the lines before it. A VocabularyError
    names a character that the model never saw, and its line, before anything is scored; with
    `skip_unknown` such characters are left out.
    """
    end = vocabulary.encode("\n", skip_unknown=True)
    ids = []
    for n, codes in enumerate(lines, 1):
        where = f"line {n:,}"
        known = vocabulary.encode_code_points(codes, skip_unknown=skip_unknown, where=where)
        ids.append(np.concatenate([known, end]))
    found = in_context(model, ids, end) if context else alone(model, ids, end)
    return (
        _assemble(vocabulary, n, codes, read, nats, skip_unknown)
        for n, (codes, read, nats) in enumerate(zip(lines, ids, found, strict=True), 1)
    )


def in_context(
    model: LanguageModel, lines: Sequence[Ids], before: Ids
) -> Iterator[NDArray[np.float64]]:
    """The nats of each line, all read as one text that begins with `before` (not counted)."""
    nats = surprisal(model, np.concatenate([before, *lines]))[len(before) :]
    at = 0
    for line in lines:
        yield nats[at : at + len(line)]
        at += len(line)


def alone(
    model: LanguageModel,
    lines: Sequence[Ids],
    before: Ids,
    *,
    streams: int = 64,
    chunk: int = 64,
    segment: int = 1 << 18,
) -> Iterator[NDArray[np.float64]]:
    """The nats of each line, in order, each read from the start state and `before` on.

    Lines are scored in segments of about `segment` symbols, so that memory does not grow with the
    text; within one, lines of like length are read side by side, `streams` at a time.
    """
    state = model.initial_state(1)
    if len(before):
        _, state = model.read(before[:, None], state)
    for part in _segments(lines, segment):
        nats: dict[int, NDArray[np.float64]] = {}
        long = [n for n in part if len(lines[n]) > _LONG]
        for n in long:
            nats[n] = surprisal(model, np.concatenate([before, lines[n]]))[len(before) :]
        rest = sorted(set(part) - set(long), key=lambda n: -len(lines[n]))
        for at in range(0, len(rest), streams):
            batch = rest[at : at + streams]
            found = _side_by_side(model, [lines[n] for n in batch], state, chunk)
            nats.update(zip(batch, found, strict=True))
        yield from (nats[n] for n in part)


def _segments(lines: Sequence[Ids], size: int) -> Iterator[list[int]]:
    """The numbers of the lines, cut where `size` symbols are reached."""
    part: list[int] = []
    held = 0
    for n, line in enumerate(lines):
        part.append(n)
        held += len(line)
        if held >= size:
            yield part
            part, held = [], 0
    yield part


def _side_by_side(
    model: LanguageModel, lines: Sequence[Ids], state: State, chunk: int
) -> list[NDArray[np.float64]]:
    """The nats of lines, the longest first, that all begin in `state` of one stream.

    A line that ends within a chunk is padded with symbol 0 to the end of the chunk and dropped
    after it: a model looks only back, so nothing that counts has read the padding.
    """
    nats = [np.empty(len(line)) for line in lines]
    state = tuple(np.repeat(s, len(lines), axis=0) for s in state)
    for at in range(0, len(lines[0]), chunk):
        pieces = [line[at : at + chunk] for line in lines if len(line) > at]
        table = np.zeros((len(pieces), len(pieces[0])), pieces[0].dtype)
        for row, piece in zip(table, pieces, strict=True):
            row[: len(piece)] = piece
        found, state = read_nats(model, table, tuple(s[: len(pieces)] for s in state))
        for into, row, piece in zip(nats, found, pieces, strict=False):
            into[at : at + chunk] = row[: len(piece)]
    return nats


def _assemble(
    vocabulary: Vocabulary,
    line: int,
    codes: Ids,
    ids: Ids,
    nats: NDArray[np.float64],
    skipping: bool,
) -> Score:
    """The score of a line from its codes, and the ids that were read of it and their nats."""
    pieces, widths = _pieces(codes, vocabulary.unit)
    count = int(widths.sum())
    seen = vocabulary.knows(codes) if skipping else np.ones(count, bool)
    each = np.full(count, np.nan)
    each[seen] = nats[: seen.sum()]
    end = nats[seen.sum() :]
    if len(widths):
        starts = np.cumsum(widths) - widths
        total = np.add.reduceat(np.nan_to_num(each), starts)
        each = np.where(np.logical_or.reduceat(seen, starts), total, np.nan)
    loss = Loss.of(float(nats.sum()), ids, vocabulary)
    shown = [*pieces, *["\n"] * len(end)]
    return Score(line, "".join(pieces), np.concatenate([each, end]), shown, bool(len(end)), loss)


def _pieces(codes: Ids, unit: Unit) -> tuple[list[str], Array]:
    """The characters, or the words, of some text, and how many symbols each is made of."""
    if unit != "byte":
        pieces = cut(text_of(codes)) if unit == "word" else list(text_of(codes))
        return pieces, np.ones(len(pieces), np.intp)
    text = codes.astype(np.uint8).tobytes().decode("utf-8", "surrogateescape")
    widths = [1 if "\udc80" <= c <= "\udcff" else len(c.encode()) for c in text]
    return list(re.sub("[\udc80-\udcff]", REPLACEMENT, text)), np.array(widths, np.intp)
