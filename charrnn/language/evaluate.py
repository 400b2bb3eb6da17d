"""How surprising a text is to a language model: nats, bits and perplexity per character.

Every symbol of the text is predicted exactly once, the first from the start state, and the state is
carried from the first to the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.data.token_buffer import drop_pages
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.models.base import LanguageModel
from charrnn.nn.params import Ids, State

_CHUNK = 64
_SEGMENT = 1 << 20
_ENTRIES = 1 << 22  # probabilities held at a time


@dataclass(frozen=True)
class Loss:
    """A loss over a number of characters, in the three units of the field."""

    per: ClassVar[str] = "char"
    """What `nats_per_char` is a mean over, and what `chars` counts."""
    nats_per_char: float
    chars: int
    words: int = 0
    """Where symbols are words, how many of them that is; 0 where a symbol is a character."""
    unknown: int = 0
    """How many of the words were the unknown symbol, whose letters cost nothing."""

    @classmethod
    def of(cls, nats: float, ids: Ids, vocabulary: Vocabulary | None = None) -> Loss:
        """The loss of a text `(N,)` of so many nats in all; no vocabulary, no words."""
        if not isinstance(vocabulary, Words):
            return cls(nats / max(1, len(ids)), len(ids))
        chars, unknown = vocabulary.chars(ids), vocabulary.unknown_id
        missing = 0 if unknown is None else int(np.count_nonzero(ids == unknown))
        return cls(nats / max(1, chars), chars, len(ids), missing)

    def __add__(self, other: Loss) -> Loss:
        """The loss of two texts together."""
        chars = self.chars + other.chars
        nats = self.nats_per_char * self.chars + other.nats_per_char * other.chars
        unknown = self.unknown + other.unknown
        return Loss(nats / max(1, chars), chars, self.words + other.words, unknown)

    @property
    def nats_per_symbol(self) -> float:
        """Nats per word, or where a symbol is a character, per character."""
        return self.nats_per_char * self.chars / self.words if self.words else self.nats_per_char

    @property
    def perplexity_per_symbol(self) -> float:
        """e^(nats per symbol)."""
        return math.exp(min(self.nats_per_symbol, 700.0))

    @property
    def bits_per_char(self) -> float:
        """Nats / ln 2."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """e^nats: the number of equally likely characters that would be as hard to guess."""
        return math.exp(min(self.nats_per_char, 700.0))

    @property
    def figures(self) -> dict[str, float | None]:
        """What a person is shown of it, nats first."""
        return {
            "nats": self.nats_per_char,
            "bits": self.bits_per_char,
            "perplexity": self.perplexity,
        }

    def to_json(self) -> dict[str, Any]:
        """The three units and the count, under their documented keys; of words, more."""
        data = {
            "nats_per_char": self.nats_per_char,
            "bits_per_char": self.bits_per_char,
            "perplexity": self.perplexity,
            "chars": self.chars,
        }
        if self.words:
            data |= {"perplexity_per_word": self.perplexity_per_symbol}
            data |= {"words": self.words, "unknown": self.unknown}
        return data


def evaluate(
    model: LanguageModel, ids: Ids, vocabulary: Vocabulary | None = None, *, streams: int = 64
) -> Loss:
    """The loss of a text `(N,)`, N >= 1; without a vocabulary every symbol is a character."""
    total = sum(float(nats.sum()) for nats in _segments(model, ids, streams, _CHUNK, _SEGMENT))
    return Loss.of(total, ids, vocabulary)


def surprisal(
    model: LanguageModel,
    ids: Ids,
    *,
    streams: int = 64,
    chunk: int = _CHUNK,
    segment: int = _SEGMENT,
) -> NDArray[np.float64]:
    """-log P(symbol | all before it) for every symbol of a text: `(N,)` nats."""
    return np.concatenate([np.zeros(0), *_segments(model, ids, streams, chunk, segment)])


def _segments(
    model: LanguageModel, ids: Ids, streams: int, chunk: int, segment: int
) -> Iterator[NDArray[np.float64]]:
    """The nats of a text, a segment at a time, so that memory need not grow with the text."""
    state = model.initial_state(1)
    for at in range(0, len(ids), segment):
        piece = ids[at : at + segment]
        nats = np.empty(len(piece))
        state = _segment(model, piece, nats, state, streams, chunk)
        yield nats
        drop_pages(ids)


def _segment(
    model: LanguageModel,
    ids: Ids,
    nats: NDArray[np.float64],
    state: State,
    streams: int,
    chunk: int,
) -> State:
    """The nats of a segment, read from `state` of one stream on; returns the state after it.

    It is read as `streams` pieces side by side, which is many times faster than one stream and
    gives the same numbers. No stream but the first knows at the beginning what came before it; so
    each is then read again from its true state, the end of the stream before, until its state
    agrees with that of the first reading, from where on the two are the same. Where a model
    remembers for so long that they do not come to agree, the rest is read as one stream.
    """
    streams = max(1, min(streams, len(ids) // (4 * chunk)))
    length = len(ids) // streams
    table = nats[: streams * length].reshape(streams, length)
    text = ids[: streams * length].reshape(streams, length)
    cuts = [slice(at, at + chunk) for at in range(0, length, chunk)]
    states: list[State] = []
    state = tuple(
        np.concatenate([s, z[1:]]) for s, z in zip(state, model.initial_state(streams), strict=True)
    )
    for cut in cuts:
        table[:, cut], state = read_nats(model, text[:, cut], state)
        states.append(state)
    stale = np.arange(1, streams)
    for _ in range(2):
        if len(stale):
            stale = _reread(model, text, table, cuts, states, stale)
    right = int(stale[0]) if len(stale) else streams  # streams that are known to be right
    state = _pick(states[-1], np.array([right - 1]))
    rest = slice(right * length, None)
    return _stream(model, ids[rest], nats[rest], state, chunk)


def read_nats(model: LanguageModel, ids: Ids, state: State) -> tuple[NDArray[np.float64], State]:
    """Nats `(B, T)` of ids `(B, T)`, each predicted from what is before it, and the new state."""
    nats, first = np.empty(ids.shape), model.predict(state)
    steps = max(1, _ENTRIES // (len(ids) * model.vocab_size))
    for at in range(0, ids.shape[1], steps):
        text = ids[:, at : at + steps].T
        after, state = model.read(text, state)
        seen = text[..., None].astype(np.intp)  # (T, B, 1)
        pairs = ((first[None], seen[:1]), (after[:-1], seen[1:]))
        log_p = np.concatenate([np.take_along_axis(p, s, axis=-1)[..., 0] for p, s in pairs])
        nats[:, at : at + steps], first = -log_p.T, after[-1]
    return nats, state


def _stream(
    model: LanguageModel, ids: Ids, nats: NDArray[np.float64], state: State, chunk: int
) -> State:
    for at in range(0, len(ids), chunk):
        cut = slice(at, at + chunk)
        nats[None, cut], state = read_nats(model, ids[None, cut], state)
    return state


def _reread(
    model: LanguageModel,
    text: Ids,
    table: NDArray[np.float64],
    cuts: list[slice],
    states: list[State],
    streams: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Read these streams again from the end of the stream before each, until nothing changes any
    more.

    Returns the streams whose true beginning changed in turn, because the stream before them did not
    come to agree before its end.
    """
    state = _pick(states[-1], streams - 1)
    for n, cut in enumerate(cuts):
        table[streams, cut], state = read_nats(model, text[streams, cut], state)
        changed = ~_agree(state, _pick(states[n], streams))
        for old, new in zip(states[n], state, strict=True):
            old[streams] = new
        streams, state = streams[changed], _pick(state, changed)
        if not len(streams):
            return streams
    return streams[streams + 1 < len(text)] + 1


def _pick(state: State, streams: NDArray[Any]) -> State:
    return tuple(s[streams] for s in state)


def _agree(a: State, b: State) -> NDArray[np.bool_]:
    """Which streams have the same state: fractions up to rounding, whole numbers exactly."""
    same = np.ones(len(a[0]), bool)
    for x, y in zip(a, b, strict=True):
        tolerance = 0 if x.dtype.kind == "i" else 1e-10 if x.dtype == np.float64 else 1e-5
        near = np.abs(x - y) <= tolerance * np.maximum(1, np.abs(y))
        same &= near.reshape(len(near), -1).all(axis=1)
    return same
