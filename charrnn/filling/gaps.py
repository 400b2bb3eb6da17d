"""Filling gaps: what stood where a text has holes?

In ids the number V, one beyond the last symbol, stands for a gap of one symbol. Two ways, by what
the model is:

A network that reads both ways (`MaskedLanguageModel`) says of every gap what it holds likely, all
others still open. The most certain one is filled; then it is asked again, and so on to the last.

A language model reads forwards only. Hypotheses, each a filling of all gaps so far, are read side
by side: at a gap every one is continued by every symbol, and the `beam` likeliest live on; what
follows then weighs them by P(all read so far). What a gap holds is decided `ahead` symbols after
it, by the sum over the hypotheses. For a gap that stands alone, and a beam of V or more, this is
Bayes' rule, P(c | left) P(next `ahead` symbols | left, c), to the letter; with `ahead` 0 it is what
the model would have written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.data.masking import hidden_in_text, hide
from charrnn.data.token_buffer import drop_pages
from charrnn.data.vocabulary import Vocabulary
from charrnn.language.evaluate import Loss
from charrnn.models.base import LanguageModel
from charrnn.models.masked import MaskedLanguageModel
from charrnn.nn.params import Array, Ids, State

_CORE, _MARGIN = 128, 32
_LANES = 64
_SEGMENT = 1 << 20  # symbols of a text that are measured together
_BLOCK = 1 << 24  # probabilities held at a time


@dataclass(frozen=True)
class Guess:
    """A gap that was filled."""

    at: int
    """Its place in the text."""
    log_p: NDArray[np.float64]
    """Log P(symbol) when it was decided: `(V,)`."""

    @property
    def symbol(self) -> int:
        """What it was filled with."""
        return int(self.log_p.argmax())


def fill(
    model: MaskedLanguageModel | LanguageModel, ids: Ids, suppressed: Sequence[int] = ()
) -> Iterator[Guess]:
    """Fill the gaps of a text `(N,)`, in the order of decision, with none of `suppressed`."""
    if isinstance(model, MaskedLanguageModel):
        return by_certainty(model, ids, suppressed)
    return from_the_left(model, ids, suppressed)


def by_certainty(
    model: MaskedLanguageModel, ids: Ids, suppressed: Sequence[int] = ()
) -> Iterator[Guess]:
    """Fill what the model is most certain of and ask again, until there is no gap.

    In a text of more than 192 symbols several gaps are filled at a time, far from each other.
    """
    ids = ids.copy()
    while (ids == model.mask_id).any():
        for places, window, found in ask(model, ids):
            log_p = allowed(found, suppressed)
            order = np.lexsort((-log_p.max(axis=1), window))
            _, first = np.unique(window[order], return_index=True)
            for n in order[first]:
                guess = Guess(int(places[n]), log_p[n])
                ids[guess.at] = guess.symbol
                yield guess


def ask(model: MaskedLanguageModel, ids: Ids) -> Iterator[tuple[Ids, Ids, Array]]:
    """What the gaps of a text `(N,)` hold, each while all others are open.

    Yields, some at a time, their places `(M,)`, in which window of the text each lies `(M,)`, and
    log P(symbol) `(M, V)`. A window has 128 symbols; it is read with 32 more on either side.
    """
    width = min(len(ids), _CORE + 2 * _MARGIN)
    core = width if width == len(ids) else _CORE
    starts = np.clip(np.arange(0, len(ids), core) - _MARGIN, 0, len(ids) - width)
    windows = np.unique(np.flatnonzero(ids == model.mask_id) // core)
    streams = max(1, min(_LANES, _BLOCK // (width * model.vocab_size)))
    for at in range(0, len(windows), streams):
        some = windows[at : at + streams]
        text = ids[starts[some] + np.arange(width)[:, None]]  # (T, B)
        stream, step = np.nonzero((text == model.mask_id).T)
        places = starts[some][stream] + step
        own = places // core == some[stream]
        yield places[own], some[stream][own], model.predict(text)[own]


@dataclass(frozen=True)
class Restoration:
    """How well hidden symbols of a text are restored, each from all that is not hidden."""

    loss: Loss
    """Over the characters that are hidden."""
    accuracy: float
    """The share of them for which the truth was the likeliest."""


def measure(
    model: MaskedLanguageModel,
    ids: Ids,
    share: float,
    seed: int = 0,
    vocabulary: Vocabulary | None = None,
) -> Restoration:
    """Hide a share of a text `(N,)`, N >= 1, always the same for the same seed, and restore it;
    without a vocabulary every symbol is a character.
    """
    loss, right, count = Loss(0.0, 0), 0, 0
    for at in range(0, len(ids), _SEGMENT):
        piece = ids[at : at + _SEGMENT]
        hidden = hidden_in_text(len(piece), share, seed)
        for places, _, log_p in ask(model, hide(piece, hidden, model.mask_id)):
            truth = piece[places].astype(np.intp)
            nats = -float(log_p[np.arange(len(truth)), truth].sum(dtype=np.float64))
            loss += Loss.of(nats, truth, vocabulary)
            right += int((log_p.argmax(axis=1) == truth).sum())
            count += len(truth)
        drop_pages(ids)
    return Restoration(loss, right / count)


def allowed(log_p: Array, suppressed: Sequence[int]) -> NDArray[np.float64]:
    """The same log-probabilities `(..., V)` if some symbols cannot be."""
    log_p = log_p.astype(np.float64)
    log_p[..., list(suppressed)] = -np.inf
    log_p -= np.logaddexp.reduce(log_p, axis=-1, keepdims=True)
    return log_p


def from_the_left(
    model: LanguageModel,
    ids: Ids,
    suppressed: Sequence[int] = (),
    *,
    ahead: int = 30,
    beam: int = 256,
) -> Iterator[Guess]:
    """Fill gaps as they come, each decided `ahead` symbols after it, at most `beam` hypotheses at
    a time.
    """
    reading = _Hypotheses(model, suppressed, beam)
    gaps = [*np.flatnonzero(ids == model.vocab_size).tolist(), len(ids)]
    at = 0
    while at < len(ids):
        if at == gaps[0]:
            reading.branch(gaps.pop(0))
            end = at + 1
        else:
            end = min(gaps[0], *(gap + 1 + ahead for gap in reading.open), at + reading.most)
            reading.read(ids[at:end])
        while reading.open and (end == len(ids) or reading.open[0] + ahead < end):
            yield reading.decide()
        at = end


class _Hypotheses:
    """Fillings of the gaps that are still open, side by side, the likeliest of all that can be."""

    def __init__(self, model: LanguageModel, suppressed: Sequence[int], beam: int) -> None:
        self.model, self.suppressed, self.beam = model, suppressed, beam
        self.open: list[int] = []
        """The places of the gaps that nothing is decided of yet."""
        self.symbols: Ids = np.zeros((1, 0), np.intp)
        """What each hypothesis has there: `(K, len(open))`."""
        self.weight = np.zeros(1)
        """Log P(all read so far) of each, up to a constant: `(K,)`."""
        self.state: State = model.initial_state(1)
        self.next = self.model.predict(self.state)

    @property
    def most(self) -> int:
        """How many symbols to read at a time."""
        return max(1, _BLOCK // self.next.size)

    def read(self, ids: Ids) -> None:
        """Go on by symbols that are known `(T,)`."""
        streams = np.repeat(ids[:, None], len(self.weight), axis=1)
        after, self.state = self.model.read(streams, self.state)
        log_p = np.concatenate([self.next[None], after[:-1]])  # (T, K, V)
        at_ids = np.take_along_axis(log_p, streams[..., None].astype(np.intp), axis=-1)
        self.weight += at_ids[..., 0].sum(axis=0, dtype=np.float64)
        self.next = after[-1]

    def branch(self, gap: int) -> None:
        """Go on by every symbol, and keep the likeliest."""
        total = (self.weight[:, None] + allowed(self.next, self.suppressed)).ravel()
        best = np.argsort(-total, kind="stable")[: self.beam]
        best = best[total[best] > -np.inf]
        parent, symbol = np.divmod(best, self.model.vocab_size)
        self.open.append(gap)
        self.symbols = np.concatenate([self.symbols[parent], symbol[:, None]], axis=1)
        self.weight = total[best]
        after, self.state = self.model.read(symbol[None], tuple(s[parent] for s in self.state))
        self.next = after[-1]

    def decide(self) -> Guess:
        """Close the gap that has been open longest, and drop who disagrees."""
        share = np.exp(self.weight - np.logaddexp.reduce(self.weight))
        p = np.bincount(self.symbols[:, 0], share, self.model.vocab_size)
        with np.errstate(divide="ignore"):
            guess = Guess(self.open.pop(0), np.log(p))
        agree = self.symbols[:, 0] == guess.symbol
        self.symbols, self.weight = self.symbols[agree, 1:], self.weight[agree]
        self.state, self.next = tuple(s[agree] for s in self.state), self.next[agree]
        return guess
