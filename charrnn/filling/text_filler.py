"""Texts with gaps: strings in, strings out."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import numpy as np

from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.errors import ConfigError
from charrnn.filling.gaps import Guess, fill
from charrnn.models import LanguageModel, MaskedLanguageModel
from charrnn.nn.params import Ids
from charrnn.runs.checkpoint import Checkpoint


@dataclass(frozen=True)
class Gap:
    """A symbol that was missing: a character, a byte or a word with the space before it."""

    at: int
    """The index of its first character in the filled text, from 0."""
    end: int
    """The index after its last; a byte takes the whole character that it is part of."""
    order: int
    """Whether it was decided first, 1, second, and so on."""
    alternatives: list[tuple[str, float]]
    """What could stand there and how probable each is, when it was decided, the likeliest first."""

    @property
    def text(self) -> str:
        """What stands there now."""
        return self.alternatives[0][0]

    @property
    def probability(self) -> float:
        """How probable that is."""
        return self.alternatives[0][1]


@dataclass(frozen=True)
class Filled:
    """A text whose gaps are filled."""

    text: str
    gaps: list[Gap]
    """In the order of the text; none if it had none."""
    skipped: int
    """Symbols that the model was not shown, since it has never seen them."""


class TextFiller:
    """A model that fills the gaps of strings: a `MaskedLanguageModel`, or from the left any
    language model.
    """

    def __init__(self, model: MaskedLanguageModel | LanguageModel, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    @classmethod
    def of(cls, found: Checkpoint) -> TextFiller:
        """The model of a checkpoint; a CheckpointError if it can do nothing of the kind."""
        model = found.model
        return cls(
            model if isinstance(model, MaskedLanguageModel) else found.language_model,
            found.vocabulary,
        )

    def fill(
        self, text: str, gap: str = "_", *, alternatives: int = 4, skip_unknown: bool = False
    ) -> Filled:
        """Put a symbol in the place of every `gap`, the character that stands for a missing one.

        The text is read as a line, between two line ends, and no gap is filled with a line end. For
        a byte vocabulary a gap is a byte; for one of words it is a word, with the space before it
        if there is one. A ConfigError if `gap` is not one character, a VocabularyError if a symbol
        was never seen, which `skip_unknown` hides from the model.
        """
        end = self.vocabulary.encode("\n", skip_unknown=True)
        between = self._cut(text, gap)
        ids, skipped = self._encode(between, end, skip_unknown)
        guesses = list(fill(self.model, ids, [*self.vocabulary.unwritten, *end.tolist()]))
        place = sorted(range(len(guesses)), key=lambda n: guesses[n].at)
        whole = codecs.getincrementaldecoder("utf-8")(self._errors("replace"))
        pieces, gaps = [whole.decode(between[0])], []
        at = len(pieces[0])
        for n, after in zip(place, between[1:], strict=True):
            likeliest = self._likeliest(guesses[n], alternatives)
            width = 1 if self.vocabulary.unit == "byte" else len(likeliest[0][0])
            gaps.append(Gap(at, at + width, n + 1, likeliest))
            pieces.append(whole.decode(self.vocabulary.token_bytes[guesses[n].symbol] + after))
            at += len(pieces[-1])
        return Filled("".join(pieces) + whole.decode(b"", True), gaps, skipped)

    def count(self, text: str, gap: str = "_") -> int:
        """How many gaps a text has; a ConfigError if `gap` is not one character."""
        return len(self._cut(text, gap)) - 1

    def _cut(self, text: str, gap: str) -> list[bytes]:
        """What stands between the gaps, and before and after them."""
        if len(gap) != 1:
            raise ConfigError(f"A gap is marked by one character, not by '{gap}'.")
        mark = re.escape(gap)
        if isinstance(self.vocabulary, Words):
            mark = f" ?{mark}"
        return [piece.encode("utf-8", "surrogatepass") for piece in re.split(mark, text)]

    def _encode(self, between: list[bytes], end: Ids, skip: bool) -> tuple[Ids, int]:
        """The ids of the text, V for every gap, and how many symbols were left out."""
        gap = np.array([self.model.vocab_size])
        ids, skipped, before = [end], 0, 0
        for piece in between:
            codes = self.vocabulary.to_code_points(piece.decode("utf-8", "surrogatepass"))
            if skip:
                skipped += int((~self.vocabulary.knows(codes)).sum())
            ids += [
                self.vocabulary.encode_code_points(codes, skip_unknown=skip, before=before),
                gap,
            ]
            before += len(codes) + 1
        return np.concatenate([*ids[:-1], end]), skipped

    def _errors(self, of_bytes: str) -> str:
        """What becomes of bytes that are no UTF-8, where symbols are bytes."""
        return of_bytes if self.vocabulary.unit == "byte" else "surrogatepass"

    def _likeliest(self, guess: Guess, count: int) -> list[tuple[str, float]]:
        order = np.argsort(-guess.log_p, kind="stable")[: max(1, count)]
        texts = [
            self.vocabulary.token_bytes[n].decode("utf-8", self._errors("backslashreplace"))
            for n in order
        ]
        chances = np.exp(guess.log_p[order]).tolist()
        return [(text, p) for text, p in zip(texts, chances, strict=True) if p > 0]
