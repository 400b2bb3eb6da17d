"""How much of what is written is copied from a corpus, in words and for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np

from charrnn.cli.texts import code_blocks, corpus_source
from charrnn.cli.views.display import clean, print_words
from charrnn.data.code_points import code_points, text_of
from charrnn.language.novelty import Novelty, novelty
from charrnn.nn.params import Ids
from charrnn.runs.checkpoint import Checkpoint

_SHOWN = 60  # symbols of a longer run, half of them its beginning and half its end


class NoveltyReport:
    """Keeps what is written and then compares it with a corpus."""

    def __init__(self, corpus: str, found: Checkpoint, encoding: str | None) -> None:
        """A CorpusError where the corpus, or its beginning, cannot be read."""
        self.corpus = corpus_source(corpus)
        self.unit = found.vocabulary.unit
        blocks = code_blocks(found, self.corpus, encoding)
        self.blocks = chain(list(islice(blocks, 1)), blocks)
        self.written: list[bytearray] = []

    def watch(self, drawn: Iterator[list[bytes]], count: int) -> Iterator[list[bytes]]:
        """The same pieces of `count` samples, of which a copy is kept."""
        self.written = [bytearray() for _ in range(count)]
        for pieces in drawn:
            for sample, piece in zip(self.written, pieces, strict=True):
                sample.extend(piece)
            yield pieces

    @cached_property
    def found(self) -> Novelty:
        """What is copied, now that all is written."""
        samples = [self._codes(bytes(sample)) for sample in self.written]
        return novelty(samples, self.blocks)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "corpus": self.corpus.name,
            "longest": len(self.found.longest),
            "run": self._text(self.found.longest),
            "copied": {str(length): share for length, share in self.found.copied.items()},
        }

    def show(self) -> None:
        """For a person, on standard error."""
        print_words(*self.in_words())

    def in_words(self) -> Iterator[str]:
        """The longest run that is copied; of those of each length the share that is."""
        longest, name = self.found.longest, self.corpus.name
        if not len(longest):
            yield f"Nothing is copied from {name}."
            return
        what = "byte" if self.unit == "byte" else "character"
        count = f"{len(longest):,} {what}{'s' * (len(longest) != 1)}"
        yield f'The longest run copied from {name} has {count}: "{self._shortened(longest)}"'
        shares = [(length, x) for length, x in self.found.copied.items() if x is not None]
        if shares:
            (length, share), *more = shares
            rest = "".join(f", {share:.1%} of those of {length}" for length, share in more)
            yield f"Copied: {share:.1%} of the runs of {length} {what}s{rest}."

    def _shortened(self, run: Ids) -> str:
        text = self._text(run)
        if len(run) > _SHOWN:
            half = _SHOWN // 2
            text = f"{self._text(run[:half])} ... {self._text(run[-half:])}"
        return clean(text.replace("\n", "↵"))

    def _codes(self, written: bytes) -> Ids:
        if self.unit == "byte":
            return np.frombuffer(written, np.uint8)
        return code_points(written.decode())

    def _text(self, codes: Ids) -> str:
        if self.unit == "byte":
            return codes.astype(np.uint8).tobytes().decode("utf-8", "replace")
        return text_of(codes)
