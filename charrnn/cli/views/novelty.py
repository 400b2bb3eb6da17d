"""How much of the samples is copied from a corpus, as sentences and for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np

from charrnn.cli.foreign import printable
from charrnn.cli.texts import corpus_source
from charrnn.cli.views.display import print_words
from charrnn.data.code_points import code_points, text_of
from charrnn.language.novelty import Novelty, novelty
from charrnn.nn.params import Ids, IntArray
from charrnn.runs.checkpoint import Checkpoint
from charrnn.runs.reading import code_blocks

_SHOWN = 60  # symbols shown of a longer substring: half from its start, half from its end


class NoveltyReport:
    """Collects samples while they are written, then compares them with a corpus."""

    def __init__(self, corpus: str, checkpoint: Checkpoint, encoding: str | None) -> None:
        """Reads the first block. A CorpusError if the corpus cannot be read."""
        self.corpus = corpus_source(corpus)
        self.unit = checkpoint.vocabulary.unit
        blocks = code_blocks(checkpoint, self.corpus, encoding)
        self.blocks = chain(list(islice(blocks, 1)), blocks)
        self.written: list[bytearray] = []

    def watch(self, drawn: Iterator[list[bytes]], count: int) -> Iterator[list[bytes]]:
        """Pass the pieces of `count` samples through and record them."""
        self.written = [bytearray() for _ in range(count)]
        for pieces in drawn:
            for sample, piece in zip(self.written, pieces, strict=True):
                sample.extend(piece)
            yield pieces

    @cached_property
    def result(self) -> Novelty:
        """The comparison, made when all samples are written."""
        samples = [self._codes(bytes(sample)) for sample in self.written]
        return novelty(samples, self.blocks)

    def to_json(self) -> dict[str, Any]:
        """The comparison under its documented keys."""
        return {
            "corpus": self.corpus.name,
            "longest": len(self.result.longest),
            "run": self._text(self.result.longest),
            "copied": {str(length): x for length, x in self.result.copied.items()},
        }

    def show(self) -> None:
        """Print the comparison on standard error."""
        print_words(*self.in_words())

    def in_words(self) -> Iterator[str]:
        """The longest copied substring, and the fraction of substrings of each length copied."""
        longest, name = self.result.longest, self.corpus.name
        if not len(longest):
            yield f"Nothing is copied from {name}."
            return
        unit = "byte" if self.unit == "byte" else "character"
        count = f"{len(longest):,} {unit}{'s' * (len(longest) != 1)}"
        yield f'The longest substring copied from {name} has {count}: "{self._shortened(longest)}"'
        copied = [(length, x) for length, x in self.result.copied.items() if x is not None]
        if copied:
            (length, fraction), *longer = copied
            rest = "".join(f", {x:.1%} of those of {n}" for n, x in longer)
            yield f"Copied: {fraction:.1%} of the substrings of {length} {unit}s{rest}."

    def _shortened(self, copied: Ids) -> str:
        text = self._text(copied)
        if len(copied) > _SHOWN:
            half = _SHOWN // 2
            text = f"{self._text(copied[:half])} ... {self._text(copied[-half:])}"
        return printable(text.replace("\n", "↵"))

    def _codes(self, written: bytes) -> IntArray:
        if self.unit == "byte":
            return np.frombuffer(written, np.uint8)
        return code_points(written.decode())

    def _text(self, codes: IntArray) -> str:
        if self.unit == "byte":
            return codes.astype(np.uint8).tobytes().decode("utf-8", "replace")
        return text_of(codes)
