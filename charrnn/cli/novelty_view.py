"""How much of what is written is copied from a corpus, in words and for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from charrnn.checkpoint import Checkpoint
from charrnn.cli.display import clean
from charrnn.cli.texts import code_blocks, corpus_source
from charrnn.novelty import Novelty, novelty
from charrnn.params import Ids

_SHOWN = 60  # symbols of a longer run, half of them its beginning and half its end


class Judge:
    """Keeps what is written and then compares it with a corpus."""

    def __init__(self, corpus: str, found: Checkpoint, encoding: str | None) -> None:
        self.corpus = corpus_source(corpus)
        self.checkpoint = found
        self.encoding = encoding
        self.unit = found.vocabulary.unit
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
        return novelty(samples, code_blocks(self.checkpoint, self.corpus, self.encoding))

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "corpus": self.corpus.name,
            "longest": len(self.found.longest),
            "run": self._text(self.found.longest),
            "copied": {str(length): share for length, share in self.found.copied.items()},
        }

    def in_words(self) -> str:
        """A line for a person."""
        longest, name = self.found.longest, self.corpus.name
        unit = "character" if self.unit == "char" else self.unit
        count = f"{len(longest):,} {unit}{'s' * (len(longest) != 1)}"
        if len(longest) > _SHOWN:
            half = _SHOWN // 2
            run = f"{self._text(longest[:half])} ... {self._text(longest[-half:])}"
        else:
            run = self._text(longest)
        run = clean(run.replace("\n", "\\n"))
        parts = [
            f"of the runs of {length} {100 * share:.1f} %"
            for length, share in self.found.copied.items()
            if share is not None
        ]
        shares = f"; {', '.join(parts)}" if parts else ""
        return f'Copied from {name}: at most {count} in a row, "{run}"{shares}.'

    def _codes(self, written: bytes) -> Ids:
        if self.unit == "byte":
            return np.frombuffer(written, np.uint8)
        return self.checkpoint.vocabulary.codes_of(written.decode())

    def _text(self, codes: Ids) -> str:
        if self.unit == "byte":
            return codes.astype(np.uint8).tobytes().decode("utf-8", "replace")
        return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
