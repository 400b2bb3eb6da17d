"""The surprisal of each line of a text, and of each character of a line.

By default a line stands alone: from the start state the model reads a line end, as it does before a
sample without a seed text. It then predicts the line symbol by symbol and, where the vocabulary has
a line end, also the end of the line, since a line that stops early can be surprising too. So
exp(-total nats) is the probability that a sample at temperature 1 begins with exactly this line
(except that a sample never draws the unknown symbol). Scores of different lines are comparable, and
none depends on neighbouring lines.
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
from charrnn.nn.params import Array, Ids, IntArray, State

_LONG = 1 << 14  # symbols; a longer line is cut into streams, as a text is


@dataclass(frozen=True)
class Score:
    """A line and its surprisal."""

    line: int
    """Its number, from 1."""
    text: str
    """The line without its end; bytes that are not UTF-8 are U+FFFD."""
    nats: NDArray[np.float64]
    """-log P of each of `characters` `(N,)`; NaN for one that was skipped as unknown.

    For a byte vocabulary, the nats of a character are the sum over its bytes.
    """
    characters: list[str]
    """The characters or words of the line, then the line end if it was predicted."""
    ends: bool
    """Whether the last of `characters` is the line end."""
    loss: Loss
    """Over all symbols of the line, the end included; zero nats over zero characters if none."""


def score(
    model: LanguageModel,
    vocabulary: Vocabulary,
    lines: Sequence[Ids],
    *,
    context: bool = False,
    skip_unknown: bool = False,
) -> Iterator[Score]:
    """Score lines, each given as code points (or byte values) without its end, in order.

    Each stands alone, or with `context` is read after all the lines before it. A VocabularyError
    names a character that is not in the vocabulary, and its line, before any line is scored; with
    `skip_unknown` such characters are skipped.
    """
    end = vocabulary.encode("\n", skip_unknown=True)
    ids = []
    for n, codes in enumerate(lines, 1):
        where = f"line {n:,}"
        line = vocabulary.encode_code_points(codes, skip_unknown=skip_unknown, where=where)
        ids.append(np.concatenate([line, end]))
    all_nats = in_context(model, ids, end) if context else alone(model, ids, end)
    return (
        _assemble(vocabulary, n, codes, line, nats, skip_unknown)
        for n, (codes, line, nats) in enumerate(zip(lines, ids, all_nats, strict=True), 1)
    )


def in_context(
    model: LanguageModel, lines: Sequence[Ids], before: Ids
) -> Iterator[NDArray[np.float64]]:
    """The nats of each line, all read as one text that begins with `before` (not counted)."""
    nats = surprisal(model, np.concatenate([before, *lines]))[len(before) :]
    start = 0
    for line in lines:
        yield nats[start : start + len(line)]
        start += len(line)


def alone(
    model: LanguageModel,
    lines: Sequence[Ids],
    before: Ids,
    *,
    streams: int = 64,
    chunk: int = 64,
    segment: int = 1 << 18,
) -> Iterator[NDArray[np.float64]]:
    """The nats of each line, in order. Each is read after `before`, from the start state.

    Lines are scored in segments of about `segment` symbols, so that memory does not grow with the
    text. Within a segment, lines of similar length form batches of `streams`.
    """
    state = model.initial_state(1)
    if len(before):
        _, state = model.read(before[:, None], state)
    for numbers in _line_groups(lines, segment):
        nats: dict[int, NDArray[np.float64]] = {}
        long = [n for n in numbers if len(lines[n]) > _LONG]
        for n in long:
            nats[n] = surprisal(model, np.concatenate([before, lines[n]]))[len(before) :]
        rest = sorted(set(numbers) - set(long), key=lambda n: -len(lines[n]))
        for first in range(0, len(rest), streams):
            batch = rest[first : first + streams]
            scored = _batch(model, [lines[n] for n in batch], state, chunk)
            nats.update(zip(batch, scored, strict=True))
        yield from (nats[n] for n in numbers)


def _line_groups(lines: Sequence[Ids], size: int) -> Iterator[list[int]]:
    """The indices of the lines in groups, each ended by the line that reaches `size` symbols."""
    group: list[int] = []
    symbols = 0
    for n, line in enumerate(lines):
        group.append(n)
        symbols += len(line)
        if symbols >= size:
            yield group
            group, symbols = [], 0
    yield group


def _batch(
    model: LanguageModel, lines: Sequence[Ids], state: State, chunk: int
) -> list[NDArray[np.float64]]:
    """The nats of lines, the longest first, that all start in `state` `(1, ...)`.

    A line that ends within a chunk is padded with symbol 0 to the end of the chunk and then leaves
    the batch. The padding follows the line, so it does not affect the predictions of the line.
    """
    nats = [np.empty(len(line)) for line in lines]
    state = tuple(np.repeat(s, len(lines), axis=0) for s in state)
    for start in range(0, len(lines[0]), chunk):
        parts = [line[start : start + chunk] for line in lines if len(line) > start]
        table = np.zeros((len(parts), len(parts[0])), parts[0].dtype)
        for row, part in zip(table, parts, strict=True):
            row[: len(part)] = part
        table_nats, state = read_nats(model, table, tuple(s[: len(parts)] for s in state))
        for line_nats, row, part in zip(nats, table_nats, parts, strict=False):
            line_nats[start : start + chunk] = row[: len(part)]
    return nats


def _assemble(
    vocabulary: Vocabulary,
    line: int,
    codes: IntArray,
    ids: Ids,
    nats: NDArray[np.float64],
    skip_unknown: bool,
) -> Score:
    """The score of a line, from its codes, the ids that the model read and their nats."""
    characters, widths = _characters(codes, vocabulary.unit)
    count = int(widths.sum())
    known = vocabulary.knows(codes) if skip_unknown else np.ones(count, bool)
    per_character = np.full(count, np.nan)
    per_character[known] = nats[: known.sum()]
    end = nats[known.sum() :]
    if len(widths):
        starts = np.cumsum(widths) - widths
        total = np.add.reduceat(np.nan_to_num(per_character), starts)
        per_character = np.where(np.logical_or.reduceat(known, starts), total, np.nan)
    return Score(
        line,
        "".join(characters),
        np.concatenate([per_character, end]),
        [*characters, *["\n"] * len(end)],
        bool(len(end)),
        Loss.of(float(nats.sum()), ids, vocabulary),
    )


def _characters(codes: IntArray, unit: Unit) -> tuple[list[str], Array]:
    """The characters or words of some text, and the number of symbols in each."""
    if unit != "byte":
        characters = cut(text_of(codes)) if unit == "word" else list(text_of(codes))
        return characters, np.ones(len(characters), np.intp)
    text = codes.astype(np.uint8).tobytes().decode("utf-8", "surrogateescape")
    widths = [1 if "\udc80" <= c <= "\udcff" else len(c.encode()) for c in text]
    return list(re.sub("[\udc80-\udcff]", REPLACEMENT, text)), np.array(widths, np.intp)
