"""The loss of a text under a language model, in nats, bits and perplexity per character.

Every symbol of the text is predicted exactly once, the first from the start state. The state is
carried from the first symbol to the last.
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

_CHUNK = 64  # symbols of a stream that are read at a time
_SEGMENT = 1 << 20  # symbols of a text that are evaluated together
_ENTRIES = 1 << 22  # probabilities held at a time


@dataclass(frozen=True)
class Loss:
    """A mean loss and the number of characters it is over.

    In a `ClassificationLoss`, `nats_per_char` and `chars` are per text, not per character.
    """

    per: ClassVar[str] = "char"
    """The unit that `nats_per_char` is a mean over and that `chars` counts."""
    counted: ClassVar[str] = "characters"
    """What people call what `chars` counts."""
    nats_per_char: float
    chars: int
    words: int = 0
    """Number of symbols of a word vocabulary; 0 where a symbol is a character."""
    unknown: int = 0
    """How many of the words were the unknown symbol, whose letters are not predicted."""

    @classmethod
    def of(cls, nats: float, ids: Ids, vocabulary: Vocabulary | None = None) -> Loss:
        """The loss of a text `(N,)` with a total of `nats`. Without a vocabulary, symbols are
        characters.
        """
        if not isinstance(vocabulary, Words):
            return cls(nats / max(1, len(ids)), len(ids))
        chars, unknown_id = vocabulary.chars(ids), vocabulary.unknown_id
        unknown = 0 if unknown_id is None else int(np.count_nonzero(ids == unknown_id))
        return cls(nats / max(1, chars), chars, len(ids), unknown)

    def __add__(self, other: Loss) -> Loss:
        """The loss of two texts together."""
        chars = self.chars + other.chars
        nats = self.nats_per_char * self.chars + other.nats_per_char * other.chars
        unknown = self.unknown + other.unknown
        return Loss(nats / max(1, chars), chars, self.words + other.words, unknown)

    @property
    def nats_per_symbol(self) -> float:
        """Nats per word, or per character where a symbol is a character."""
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
        """e^nats: the number of equally likely characters with the same loss."""
        return math.exp(min(self.nats_per_char, 700.0))

    @property
    def figures(self) -> dict[str, float | None]:
        """The figures to display, nats first."""
        return {
            "nats": self.nats_per_char,
            "bits": self.bits_per_char,
            "perplexity": self.perplexity,
        }

    def to_json(self) -> dict[str, Any]:
        """The three units and the count under their documented keys; word counts for words."""
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
    """The loss of a text `(N,)`, N >= 1. Without a vocabulary, symbols are characters."""
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
    """-log P(symbol | all before it) of every symbol of a text: `(N,)` nats.

    The text is read in segments of `segment` symbols. A segment is read as up to `streams` streams
    in parallel, and a stream in chunks of `chunk` symbols. All three affect speed and memory, and
    the result only by rounding.
    """
    return np.concatenate([np.zeros(0), *_segments(model, ids, streams, chunk, segment)])


def _segments(
    model: LanguageModel, ids: Ids, streams: int, chunk: int, segment: int
) -> Iterator[NDArray[np.float64]]:
    """The nats of a text, one segment at a time, so that memory does not grow with the text."""
    state = model.initial_state(1)
    for start in range(0, len(ids), segment):
        part = ids[start : start + segment]
        nats = np.empty(len(part))
        state = _segment(model, part, nats, state, streams, chunk)
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
    """Write the nats of a segment that starts in `state` `(1, ...)`; return the state after it.

    The segment is cut into `streams` pieces that are read as one batch, which is many times faster
    than one stream and gives the same numbers. At first, every stream but the first starts from the
    wrong state. It is therefore read again from the last state of the stream before, until its
    state agrees with that of the first reading; from there on both readings are the same. If a
    model remembers for too long to agree, the rest is read as one stream.
    """
    streams = max(1, min(streams, len(ids) // (4 * chunk)))
    length = len(ids) // streams
    table = nats[: streams * length].reshape(streams, length)
    text = ids[: streams * length].reshape(streams, length)
    chunks = [slice(start, start + chunk) for start in range(0, length, chunk)]
    states: list[State] = []
    state = tuple(
        np.concatenate([s, z[1:]]) for s, z in zip(state, model.initial_state(streams), strict=True)
    )
    for steps in chunks:
        table[:, steps], state = read_nats(model, text[:, steps], state)
        states.append(state)
    stale = np.arange(1, streams)
    for _ in range(2):
        if len(stale):
            stale = _reread(model, text, table, chunks, states, stale)
    correct = int(stale[0]) if len(stale) else streams  # the first so many streams are correct
    state = _pick(states[-1], np.array([correct - 1]))
    rest = slice(correct * length, None)
    return _stream(model, ids[rest], nats[rest], state, chunk)


def read_nats(model: LanguageModel, ids: Ids, state: State) -> tuple[NDArray[np.float64], State]:
    """The nats `(B, T)` of ids `(B, T)`, each predicted from those before it, and the new state."""
    nats, first = np.empty(ids.shape), model.predict(state)
    steps = max(1, _ENTRIES // (len(ids) * model.vocab_size))
    for start in range(0, ids.shape[1], steps):
        text = ids[:, start : start + steps].T
        after, state = model.read(text, state)
        targets = text[..., None].astype(np.intp)  # (T, B, 1)
        pairs = ((first[None], targets[:1]), (after[:-1], targets[1:]))
        log_p = np.concatenate([np.take_along_axis(p, t, axis=-1)[..., 0] for p, t in pairs])
        nats[:, start : start + steps], first = -log_p.T, after[-1]
    return nats, state


def _stream(
    model: LanguageModel, ids: Ids, nats: NDArray[np.float64], state: State, chunk: int
) -> State:
    """Write the nats of ids `(N,)`, read as one stream; return the state after them."""
    for start in range(0, len(ids), chunk):
        steps = slice(start, start + chunk)
        nats[None, steps], state = read_nats(model, ids[None, steps], state)
    return state


def _reread(
    model: LanguageModel,
    text: Ids,
    table: NDArray[np.float64],
    chunks: list[slice],
    states: list[State],
    streams: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Read these streams again, each from the last state of the stream before, until their states
    no longer change.

    Returns the streams to read again in turn: those whose predecessor changed to its very end.
    """
    state = _pick(states[-1], streams - 1)
    for n, steps in enumerate(chunks):
        table[streams, steps], state = read_nats(model, text[streams, steps], state)
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
    """Which streams have the same state: floats up to rounding, integers exactly."""
    same = np.ones(len(a[0]), bool)
    for x, y in zip(a, b, strict=True):
        tolerance = 0 if x.dtype.kind == "i" else 1e-10 if x.dtype == np.float64 else 1e-5
        near = np.abs(x - y) <= tolerance * np.maximum(1, np.abs(y))
        same &= near.reshape(len(near), -1).all(axis=1)
    return same
