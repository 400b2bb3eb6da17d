"""Filling gaps in a text.

In ids, the number V, one beyond the last symbol, marks a gap of one symbol. The kind of model
decides how gaps are filled.

A masked language model (`MaskedLanguageModel`) reads in both directions. It predicts every gap
while all others are open. The gap with the most probable symbol is filled, the others are predicted
again, and so on until none is left.

Any other language model reads forwards only, so gaps are filled by beam search. A hypothesis fills
all gaps read so far; the hypotheses form a batch. At a gap, every hypothesis is extended by every
symbol, and the `beam` most probable survive. The symbols after the gap then weight them by P(all
read so far). A gap is decided `ahead` symbols after it, by the sum over the hypotheses. For a
single gap and a beam of at least V this is exactly Bayes' rule, P(c | left) P(next `ahead` symbols
| left, c). With `ahead` 0, the model does not use the text after the gap.
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
from charrnn.nn.params import Array, Ids, IntArray, State

_CORE, _MARGIN = 128, 32
_STREAMS = 64
_SEGMENT = 1 << 20  # symbols of a text that are evaluated together
_BLOCK = 1 << 24  # probabilities held at a time


@dataclass(frozen=True)
class Guess:
    """A gap that was filled."""

    at: int
    """Its index in the text."""
    log_p: NDArray[np.float64]
    """Log P(symbol) when the gap was decided: `(V,)`."""

    @property
    def symbol(self) -> int:
        """The symbol it was filled with, the most probable one."""
        return int(self.log_p.argmax())


def fill(
    model: MaskedLanguageModel | LanguageModel, ids: Ids, suppressed: Sequence[int] = ()
) -> Iterator[Guess]:
    """Fill the gaps of a text `(N,)`, in the order of decision, never with `suppressed` symbols."""
    if isinstance(model, MaskedLanguageModel):
        return fill_by_confidence(model, ids, suppressed)
    return fill_left_to_right(model, ids, suppressed)


def fill_by_confidence(
    model: MaskedLanguageModel, ids: Ids, suppressed: Sequence[int] = ()
) -> Iterator[Guess]:
    """Fill the gap the model is most certain of and predict again, until no gap is left.

    In a text of more than 192 symbols, one gap in every window of 128 is filled at a time.
    """
    ids = ids.copy()
    while (ids == model.mask_id).any():
        for places, window, predicted in predict_gaps(model, ids):
            log_p = suppress(predicted, suppressed)
            order = np.lexsort((-log_p.max(axis=1), window))
            _, first = np.unique(window[order], return_index=True)
            for n in order[first]:
                guess = Guess(int(places[n]), log_p[n])
                ids[guess.at] = guess.symbol
                yield guess


def predict_gaps(
    model: MaskedLanguageModel, ids: Ids
) -> Iterator[tuple[IntArray, IntArray, Array]]:
    """Predict each gap of a text `(N,)` while all others are open.

    Yields, batch by batch, the indices of the gaps `(M,)`, the number of the window that each lies
    in `(M,)`, and log P(symbol) `(M, V)`. A window has 128 symbols; the model also reads 32 symbols
    on either side of it.
    """
    width = min(len(ids), _CORE + 2 * _MARGIN)
    core = width if width == len(ids) else _CORE
    starts = np.clip(np.arange(0, len(ids), core) - _MARGIN, 0, len(ids) - width)
    windows = np.unique(np.flatnonzero(ids == model.mask_id) // core)
    streams = max(1, min(_STREAMS, _BLOCK // (width * model.vocab_size)))
    for first in range(0, len(windows), streams):
        batch = windows[first : first + streams]
        text = ids[starts[batch] + np.arange(width)[:, None]]  # (T, B)
        stream, step = np.nonzero((text == model.mask_id).T)
        places = starts[batch][stream] + step
        in_core = places // core == batch[stream]
        yield places[in_core], batch[stream][in_core], model.predict(text)[in_core]


@dataclass(frozen=True)
class MaskedEvaluation:
    """How well masked symbols of a text are predicted, each from all symbols not masked."""

    loss: Loss
    """Over the masked characters."""
    accuracy: float
    """The fraction of masked symbols whose most probable symbol is the true one."""


def evaluate_masked(
    model: MaskedLanguageModel,
    ids: Ids,
    fraction: float,
    seed: int = 0,
    vocabulary: Vocabulary | None = None,
) -> MaskedEvaluation:
    """Mask a fraction of a text `(N,)`, N >= 1, and predict it. The same seed masks the same
    symbols. Without a vocabulary, symbols are characters.
    """
    loss, correct, count = Loss(0.0, 0), 0, 0
    for start in range(0, len(ids), _SEGMENT):
        part = ids[start : start + _SEGMENT]
        masked = hidden_in_text(len(part), fraction, seed)
        for places, _, log_p in predict_gaps(model, hide(part, masked, model.mask_id)):
            truth = part[places].astype(np.intp)
            nats = -float(log_p[np.arange(len(truth)), truth].sum(dtype=np.float64))
            loss += Loss.of(nats, truth, vocabulary)
            correct += int((log_p.argmax(axis=1) == truth).sum())
            count += len(truth)
        drop_pages(ids)
    return MaskedEvaluation(loss, correct / count)


def suppress(log_p: Array, suppressed: Sequence[int]) -> NDArray[np.float64]:
    """The log-probabilities `(..., V)` given that the symbol is none of the suppressed ones."""
    log_p = log_p.astype(np.float64)
    log_p[..., list(suppressed)] = -np.inf
    log_p -= np.logaddexp.reduce(log_p, axis=-1, keepdims=True)
    return log_p


def fill_left_to_right(
    model: LanguageModel,
    ids: Ids,
    suppressed: Sequence[int] = (),
    *,
    ahead: int = 30,
    beam: int = 256,
) -> Iterator[Guess]:
    """Fill gaps from left to right, each decided `ahead` symbols after it, with at most `beam`
    hypotheses.
    """
    search = _BeamSearch(model, suppressed, beam)
    gaps = [*np.flatnonzero(ids == model.vocab_size).tolist(), len(ids)]
    start = 0
    while start < len(ids):
        if start == gaps[0]:
            search.branch(gaps.pop(0))
            end = start + 1
        else:
            decisions = (gap + 1 + ahead for gap in search.open)
            end = min(gaps[0], *decisions, start + search.max_steps)
            search.read(ids[start:end])
        while search.open and (end == len(ids) or search.open[0] + ahead < end):
            yield search.decide()
        start = end


class _BeamSearch:
    """The most probable fillings of the gaps that are still open, K hypotheses in one batch."""

    def __init__(self, model: LanguageModel, suppressed: Sequence[int], beam: int) -> None:
        self.model, self.suppressed, self.beam = model, suppressed, beam
        self.open: list[int] = []
        """The indices of the gaps that are not decided yet."""
        self.symbols: Ids = np.zeros((1, 0), np.intp)
        """The symbols of each hypothesis in the open gaps: `(K, len(open))`."""
        self.log_weight = np.zeros(1)
        """Log P(all read so far) of each hypothesis, up to a constant: `(K,)`."""
        self.state: State = model.initial_state(1)
        self.next = self.model.predict(self.state)
        """Log P(next symbol) of each hypothesis: `(K, V)`."""

    @property
    def max_steps(self) -> int:
        """How many symbols to read at a time, to limit memory."""
        return max(1, _BLOCK // self.next.size)

    def read(self, ids: Ids) -> None:
        """Extend every hypothesis by known symbols `(T,)`."""
        streams = np.repeat(ids[:, None], len(self.log_weight), axis=1)
        after, self.state = self.model.read(streams, self.state)
        log_p = np.concatenate([self.next[None], after[:-1]])  # (T, K, V)
        at_ids = np.take_along_axis(log_p, streams[..., None].astype(np.intp), axis=-1)
        self.log_weight += at_ids[..., 0].sum(axis=0, dtype=np.float64)
        self.next = after[-1]

    def branch(self, gap: int) -> None:
        """Extend every hypothesis by every symbol at this gap; keep the most probable."""
        total = (self.log_weight[:, None] + suppress(self.next, self.suppressed)).ravel()
        best = np.argsort(-total, kind="stable")[: self.beam]
        best = best[total[best] > -np.inf]
        parent, symbol = np.divmod(best, self.model.vocab_size)
        self.open.append(gap)
        self.symbols = np.concatenate([self.symbols[parent], symbol[:, None]], axis=1)
        self.log_weight = total[best]
        after, self.state = self.model.read(symbol[None], tuple(s[parent] for s in self.state))
        self.next = after[-1]

    def decide(self) -> Guess:
        """Decide the gap that has been open longest; drop hypotheses with another symbol there."""
        p_hypothesis = np.exp(self.log_weight - np.logaddexp.reduce(self.log_weight))
        p = np.bincount(self.symbols[:, 0], p_hypothesis, self.model.vocab_size)
        with np.errstate(divide="ignore"):
            guess = Guess(self.open.pop(0), np.log(p))
        agree = self.symbols[:, 0] == guess.symbol
        self.symbols, self.log_weight = self.symbols[agree, 1:], self.log_weight[agree]
        self.state, self.next = tuple(s[agree] for s in self.state), self.next[agree]
        return guess
