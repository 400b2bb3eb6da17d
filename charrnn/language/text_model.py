"""A trained model with its vocabulary: text in, text out. What `import charrnn` users hold."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.data.lines import split_lines
from charrnn.data.vocabulary import Vocabulary, Words
from charrnn.errors import ConfigError, CorpusError
from charrnn.language.evaluate import Loss, evaluate, surprisal
from charrnn.language.sampling import SamplingConfig, write
from charrnn.language.score import Score, score
from charrnn.models import CharRNN, LanguageModel
from charrnn.nn.params import Ids
from charrnn.runs import checkpoint
from charrnn.runs.run import find_checkpoint


class TextModel:
    """A language model that speaks in strings."""

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    def generate(
        self,
        seed_text: str = "",
        length: int = 1000,
        *,
        temp: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: str = "",
        seed: int = 0,
    ) -> Iterator[str]:
        """Continue `seed_text` by `length` symbols, or up to (and without) `stop`, piece by piece.

        The same `seed` gives the same text. A ConfigError names a value that makes no sense, a
        VocabularyError a character of `seed_text` that the model never saw.
        """
        if length < 1 or seed < 0:
            raise ConfigError(
                f"length is {length} and seed {seed}; they must be 1, and 0, or more."
            )
        ids = self.beginning(seed_text)
        style = SamplingConfig(temp, top_k, top_p)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for piece in self.stream(ids, length, [seed], style, stop):
            yield decoder.decode(piece[0])
        yield decoder.decode(b"", True)

    def beginning(self, seed_text: str, *, skip_unknown: bool = False) -> Ids:
        """What is read before the first symbol is drawn: the ids of the seed text, or where there
        is none, of the end of a line, since a text rarely begins in the midst of a word.
        """
        ids = self.vocabulary.encode(seed_text, skip_unknown=skip_unknown)
        return ids if len(ids) else self.vocabulary.encode("\n", skip_unknown=True)

    def stream(
        self, ids: Ids, length: int, seeds: Sequence[Any], style: SamplingConfig, stop: str = ""
    ) -> Iterator[list[bytes]]:
        """Continue ids `(N,)` once for every seed, side by side.

        Yields, symbol by symbol, the new bytes (UTF-8, or raw for a byte vocabulary) of every
        sample: nothing for one that has met `stop`. Ends when all have.
        """
        rngs = [np.random.default_rng(seed) for seed in seeds]
        if not isinstance(self.vocabulary, Words):
            self.vocabulary.encode(stop)  # a character that is never written is a mistake
        stops, written = [_Stop(stop.encode()) for _ in seeds], self.vocabulary.token_bytes
        for drawn in write(self.model, ids, length, rngs, style, self.vocabulary.unknown_id):
            yield [s.feed(written[n]) for s, n in zip(stops, drawn.tolist(), strict=True)]
            if all(s.met for s in stops):
                return
        yield [s.held for s in stops]

    def surprisal(self, text: str, *, skip_unknown: bool = False) -> NDArray[np.float64]:
        """-log P of every symbol given all before it: `(N,)` nats."""
        return surprisal(self.model, self._encode(text, skip_unknown))

    def evaluate(self, text: str, *, skip_unknown: bool = False) -> Loss:
        """The loss of a text in nats, bits and perplexity."""
        return evaluate(self.model, self._encode(text, skip_unknown), self.vocabulary)

    def perplexity(self, text: str) -> float:
        """e^(mean nats per character): between how many symbols the model hesitates."""
        return self.evaluate(text).perplexity

    def score(
        self, lines: str | Iterable[str], *, context: bool = False, skip_unknown: bool = False
    ) -> list[Score]:
        """The surprise of each line (or of each line of a text), and of each of its characters.

        Every line stands alone, begun as a new line and with its end counted, or with `context` is
        read with all the lines before it. A VocabularyError names a character never seen.
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
    """Watches one sample for the stop sequence, holding back what may become part of it."""

    def __init__(self, sequence: bytes) -> None:
        self.sequence = sequence
        self.held = b""
        self.met = False

    def feed(self, written: bytes) -> bytes:
        """What may be shown now that this was written."""
        if self.met or not self.sequence:
            return b"" if self.met else written
        held = self.held + written
        at = held.find(self.sequence)
        if at >= 0:
            self.held, self.met = b"", True
            return held[:at]
        keep = min(len(held), len(self.sequence) - 1)
        while not self.sequence.startswith(held[len(held) - keep :]):
            keep -= 1
        self.held = held[len(held) - keep :]
        return held[: len(held) - keep]


def load(where: str | Path | None = None, *others: str | Path) -> TextModel:
    """Load a run directory or checkpoint file; without one, the newest run under ./checkpoints,
    and failing that the model that ships with the package. A CheckpointError says what is wrong.

    With `others` it is the ensemble of all of them, which must have one vocabulary: a
    VocabularyError otherwise.
    """
    named = [Path(each) if each is not None else None for each in (where, *others)]
    paths = [find_checkpoint(path, tasks=(CharRNN.task,)) for path in named]
    found = [checkpoint.load(path) for path in paths]
    return TextModel(checkpoint.together(paths, found), found[0].vocabulary)
