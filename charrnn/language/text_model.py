"""A trained model with its vocabulary: strings in, strings out."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.data.lines import split_lines
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.errors import ConfigError, CorpusError
from charrnn.language.evaluate import Loss, evaluate, surprisal
from charrnn.language.sampling import SamplingConfig, sample_ids
from charrnn.language.score import Score, score
from charrnn.models import LanguageModel
from charrnn.models.summary import summary
from charrnn.nn.params import Ids


class TextModel:
    """A language model that takes and returns strings."""

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    def __repr__(self) -> str:
        return f"TextModel({summary(self.model, self.vocabulary)})"

    def generate(
        self,
        seed_text: str = "",
        length: int = 1000,
        *,
        stop: str = "",
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        **options: Any,
    ) -> Iterator[str]:
        """Continue `seed_text` by `length` symbols, or up to (and without) `stop`, piece by piece.

        How symbols are drawn is set by `sampling`, by the fields of `SamplingConfig` as keywords
        (`temp=0.8, top_k=40`), or by both; a keyword overrides the field. The same `seed` gives the
        same text. A ConfigError names a value out of range, a VocabularyError a character of
        `seed_text` that is not in the vocabulary.
        """
        if length < 1 or seed < 0:
            raise ConfigError(
                f"length is {length} and seed {seed}; they must be at least 1 and at least 0."
            )
        sampling = replace(sampling or SamplingConfig(), **options)
        pieces = self.stream(self.prompt_ids(seed_text), length, [seed], sampling, stop)
        return codecs.iterdecode((sample for (sample,) in pieces), "utf-8", "replace")

    def prompt_ids(self, seed_text: str, *, skip_unknown: bool = False) -> Ids:
        """The ids `(N,)` the model reads before the first draw: those of the seed text.

        Without a seed text it reads a line end, so that the text starts like a new line.
        """
        ids = self.vocabulary.encode(seed_text, skip_unknown=skip_unknown)
        return ids if len(ids) else self.vocabulary.encode("\n", skip_unknown=True)

    def stream(
        self,
        ids: Ids,
        length: int,
        seeds: Sequence[Any],
        sampling: SamplingConfig,
        stop: str = "",
    ) -> Iterator[list[bytes]]:
        """Continue ids `(N,)` once for every seed, as one batch.

        Yields, symbol by symbol, the new bytes of every sample (UTF-8, or raw for a byte
        vocabulary), which are empty after a sample has reached `stop`. Ends when all have.
        """
        rngs = [np.random.default_rng(seed) for seed in seeds]
        if not isinstance(self.vocabulary, Words):
            self.vocabulary.encode(stop)  # raises for a character the model can never write
        filters, token_bytes = [_Stop(stop.encode()) for _ in seeds], self.vocabulary.token_bytes
        unknown_id = self.vocabulary.unknown_id
        for drawn in sample_ids(self.model, ids, length, rngs, sampling, unknown_id):
            yield [f.feed(token_bytes[n]) for f, n in zip(filters, drawn.tolist(), strict=True)]
            if all(f.reached for f in filters):
                return
        yield [f.held for f in filters]

    def surprisal(self, text: str, *, skip_unknown: bool = False) -> NDArray[np.float64]:
        """-log P(symbol | all before it) of every symbol of a text: `(N,)` nats."""
        return surprisal(self.model, self._encode(text, skip_unknown))

    def evaluate(self, text: str, *, skip_unknown: bool = False) -> Loss:
        """The loss of a text in nats, bits and perplexity."""
        return evaluate(self.model, self._encode(text, skip_unknown), self.vocabulary)

    def perplexity(self, text: str) -> float:
        """e^(mean nats per character)."""
        return self.evaluate(text).perplexity

    def score(
        self, lines: str | Iterable[str], *, context: bool = False, skip_unknown: bool = False
    ) -> list[Score]:
        """The surprisal of each line, or of each line of a text, and of each of its characters.

        Every line is read from the start state, as a new line, and its end is counted. With
        `context` it is read after all the lines before it. A VocabularyError names a character that
        is not in the vocabulary.
        """
        if isinstance(lines, str):
            lines = split_lines(lines)
        codes = [self.vocabulary.to_code_points(line.removesuffix("\n")) for line in lines]
        return list(
            score(self.model, self.vocabulary, codes, context=context, skip_unknown=skip_unknown)
        )

    def _encode(self, text: str, skip_unknown: bool) -> Ids:
        ids = self.vocabulary.encode(text, skip_unknown=skip_unknown)
        if not len(ids):
            raise CorpusError("There is no text to evaluate.")
        return ids


class _Stop:
    """Cuts one sample off at the stop sequence; holds back bytes that may be part of it."""

    def __init__(self, sequence: bytes) -> None:
        self.sequence = sequence
        self.held = b""
        self.reached = False

    def feed(self, new: bytes) -> bytes:
        """Add new bytes; return those that are certainly not part of the stop sequence."""
        if self.reached or not self.sequence:
            return b"" if self.reached else new
        held = self.held + new
        start = held.find(self.sequence)
        if start >= 0:
            self.held, self.reached = b"", True
            return held[:start]
        overlap = min(len(held), len(self.sequence) - 1)
        while not self.sequence.startswith(held[len(held) - overlap :]):
            overlap -= 1
        self.held = held[len(held) - overlap :]
        return held[: len(held) - overlap]
