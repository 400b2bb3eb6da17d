"""Texts with gaps: strings in, strings out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn import checkpoint as files
from charrnn.errors import ConfigError
from charrnn.gaps import Guess, fill
from charrnn.models import Filler, LanguageModel
from charrnn.params import Ids
from charrnn.run import find_checkpoint
from charrnn.vocabulary import Vocabulary


@dataclass(frozen=True)
class Gap:
    """A character that was missing."""

    at: int
    """Its index in the filled text, from 0."""
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
    """Characters that the model was not shown, since it has never seen them."""


class TextFiller:
    """A model that fills the gaps of strings: a `Filler`, or from the left any language model."""

    def __init__(self, model: Filler | LanguageModel, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    @classmethod
    def of(cls, found: files.Checkpoint) -> TextFiller:
        """The model of a checkpoint; a CheckpointError if it can do nothing of the kind."""
        model = found.model
        return cls(model if isinstance(model, Filler) else found.language_model, found.vocabulary)

    def fill(
        self, text: str, gap: str = "_", *, alternatives: int = 4, skip_unknown: bool = False
    ) -> Filled:
        """Put a symbol in the place of every `gap`, a character that stands for a missing one.

        The text is read as a line, between two line ends, and no gap is filled with a line end. For
        a byte vocabulary a gap is a byte. A ConfigError if `gap` is not one symbol, a
        VocabularyError if a character was never seen, which `skip_unknown` hides from the model.
        """
        codes = self.vocabulary.codes_of(text)
        holes = codes == self.mark(gap)
        shown = ~holes
        if skip_unknown:
            shown &= self.vocabulary.knows(codes)
        known = self._encode(codes, holes, shown)
        end = self.vocabulary.encode("\n", skip_unknown=True)
        ids = np.concatenate([end, known, end])
        places = np.flatnonzero(holes | shown)  # in the text, of what the model reads
        guesses = fill(self.model, ids, [*self.vocabulary.unwritten, *end.tolist()])
        found = [(int(places[guess.at - len(end)]), guess) for guess in guesses]
        codes = codes.copy()
        for at, guess in found:
            codes[at] = self.vocabulary.codes[guess.symbol]
        gaps = [
            Gap(self._index(codes, at), n, self._likeliest(guess, alternatives))
            for n, (at, guess) in enumerate(found, 1)
        ]
        gaps.sort(key=lambda g: g.at)
        return Filled(self._decode(codes, "replace"), gaps, int((~holes & ~shown).sum()))

    def mark(self, gap: str) -> int:
        """The code point, or the byte, that marks a gap; a ConfigError if it is not one."""
        codes = self.vocabulary.codes_of(gap)
        if len(codes) != 1:
            unit = "byte" if self._are_bytes else "character"
            raise ConfigError(f"A gap is marked by one {unit}, not by '{gap}'.")
        return int(codes[0])

    def _encode(self, codes: Ids, holes: Ids, shown: Ids) -> Ids:
        """The ids of what is shown, and V for every hole."""
        kept = holes | shown
        blank = np.where(holes, self.vocabulary.codes[0], codes)[kept]
        ids = self.vocabulary.encode_codes(blank)
        return np.where(holes[kept], self.model.symbols, ids.astype(np.intp))

    def _likeliest(self, guess: Guess, count: int) -> list[tuple[str, float]]:
        order = np.argsort(-guess.log_p, kind="stable")[: max(1, count)]
        return [
            (self._decode(self.vocabulary.codes[n : n + 1]), float(np.exp(guess.log_p[n])))
            for n in order
            if guess.log_p[n] > -np.inf
        ]

    @property
    def _are_bytes(self) -> bool:
        return self.vocabulary.unit == "byte"

    def _decode(self, codes: Ids, errors: str = "backslashreplace") -> str:
        """The text of some code points, or bytes."""
        if self._are_bytes:
            return codes.astype(np.uint8).tobytes().decode("utf-8", errors)
        return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")

    def _index(self, codes: Ids, at: int) -> int:
        """In which character of the text a code lies; for bytes, the one that it is part of."""
        return len(self._decode(codes[:at], "ignore")) if self._are_bytes else at


def load_filler(where: str | Path | None = None) -> TextFiller:
    """Load a run directory or checkpoint file; without one, the newest run under ./checkpoints that
    was trained to fill gaps. A CheckpointError says what is wrong.
    """
    path = find_checkpoint(Path(where) if where is not None else None, tasks=(Filler.task,))
    return TextFiller.of(files.load(path))
