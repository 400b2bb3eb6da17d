"""Filling gaps in strings."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import numpy as np

from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.errors import ConfigError
from charrnn.filling.gaps import Guess, fill
from charrnn.models import LanguageModel, MaskedLanguageModel
from charrnn.models.summary import summary
from charrnn.nn.params import Ids
from charrnn.runs.checkpoint import Checkpoint


@dataclass(frozen=True)
class Gap:
    """A gap that was filled, with one character, one byte or one word and the space before it."""

    at: int
    """The index in the filled text of its first character, from 0."""
    end: int
    """The index after its last character. A gap of one byte spans the whole character."""
    order: int
    """When the gap was decided: 1 is the first."""
    alternatives: list[tuple[str, float]]
    """The most probable symbols with their probabilities at that time, in descending order."""

    @property
    def text(self) -> str:
        """The symbol that fills the gap."""
        return self.alternatives[0][0]

    @property
    def probability(self) -> float:
        """The probability of that symbol."""
        return self.alternatives[0][1]


@dataclass(frozen=True)
class Filled:
    """A text with its gaps filled."""

    text: str
    gaps: list[Gap]
    """In the order of the text; empty if it has none."""
    skipped: int
    """Number of symbols that the model did not read because they are not in its vocabulary."""


class TextFiller:
    """A model that fills gaps in strings: a `MaskedLanguageModel`, or any language model, which
    fills them from left to right.
    """

    def __init__(self, model: MaskedLanguageModel | LanguageModel, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    def __repr__(self) -> str:
        return f"TextFiller({summary(self.model, self.vocabulary)})"

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TextFiller:
        """The model of a checkpoint. A CheckpointError if it is not a model that fills gaps."""
        model = checkpoint.model
        return cls(
            model if isinstance(model, MaskedLanguageModel) else checkpoint.language_model,
            checkpoint.vocabulary,
        )

    def fill(
        self, text: str, gap: str = "_", *, alternatives: int = 4, skip_unknown: bool = False
    ) -> Filled:
        """Replace every `gap`, a character that marks a missing symbol, by a symbol.

        The text is read as a line, between two line ends, and no gap is filled with a line end.
        For a byte vocabulary a gap is one byte. For a word vocabulary it is one word, together with
        the space before it if there is one. A ConfigError if `gap` is not one character. A
        VocabularyError if a character is not in the vocabulary; with `skip_unknown` the model does
        not read it.
        """
        line_end = self.vocabulary.encode("\n", skip_unknown=True)
        parts = self._split(text, gap)
        ids, skipped = self._encode(parts, line_end, skip_unknown)
        guesses = list(fill(self.model, ids, [*self.vocabulary.unwritten, *line_end.tolist()]))
        in_text_order = sorted(range(len(guesses)), key=lambda n: guesses[n].at)
        decoder = codecs.getincrementaldecoder("utf-8")(self._errors("replace"))
        pieces, gaps = [decoder.decode(parts[0])], []
        start = len(pieces[0])
        for n, after in zip(in_text_order, parts[1:], strict=True):
            likeliest = self._likeliest(guesses[n], alternatives)
            width = 1 if self.vocabulary.unit == "byte" else len(likeliest[0][0])
            gaps.append(Gap(start, start + width, n + 1, likeliest))
            pieces.append(decoder.decode(self.vocabulary.token_bytes[guesses[n].symbol] + after))
            start += len(pieces[-1])
        return Filled("".join(pieces) + decoder.decode(b"", True), gaps, skipped)

    def count(self, text: str, gap: str = "_") -> int:
        """The number of gaps in a text. A ConfigError if `gap` is not one character."""
        return len(self._split(text, gap)) - 1

    def _split(self, text: str, gap: str) -> list[bytes]:
        """The parts of a text before, between and after its gaps, in UTF-8."""
        if len(gap) != 1:
            raise ConfigError(f"A gap is marked by one character, not by '{gap}'.")
        mark = re.escape(gap)
        if isinstance(self.vocabulary, Words):
            mark = f" ?{mark}"
        return [part.encode("utf-8", "surrogatepass") for part in re.split(mark, text)]

    def _encode(self, parts: list[bytes], line_end: Ids, skip_unknown: bool) -> tuple[Ids, int]:
        """The ids of the text, with V for every gap, and the number of skipped symbols."""
        gap = np.array([self.model.vocab_size])
        ids, skipped, before = [line_end], 0, 0
        for part in parts:
            codes = self.vocabulary.to_code_points(part.decode("utf-8", "surrogatepass"))
            if skip_unknown:
                skipped += int((~self.vocabulary.knows(codes)).sum())
            ids += [
                self.vocabulary.encode_code_points(codes, skip_unknown=skip_unknown, before=before),
                gap,
            ]
            before += len(codes) + 1
        return np.concatenate([*ids[:-1], line_end]), skipped

    def _errors(self, of_bytes: str) -> str:
        """The decoding error handler: `of_bytes` for a byte vocabulary."""
        return of_bytes if self.vocabulary.unit == "byte" else "surrogatepass"

    def _likeliest(self, guess: Guess, count: int) -> list[tuple[str, float]]:
        """The most probable symbols of a gap that have a probability above 0."""
        order = np.argsort(-guess.log_p, kind="stable")[: max(1, count)]
        texts = [
            self.vocabulary.token_bytes[n].decode("utf-8", self._errors("backslashreplace"))
            for n in order
        ]
        probabilities = np.exp(guess.log_p[order]).tolist()
        return [(text, p) for text, p in zip(texts, probabilities, strict=True) if p > 0]
