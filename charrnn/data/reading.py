"""Reading text: bytes to code points, block by block; errors give the position of a bad byte."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.data.code_points import Unit, code_points
from charrnn.data.encodings import check_encoding, disguised, file_kind, guess_encodings
from charrnn.data.words import last_boundary
from charrnn.errors import CorpusError, os_reason
from charrnn.nn.params import IntArray

_BLOCK = 1 << 20  # bytes
_ASCII_LIKE = ("utf-8", "ascii", "cp1252", "iso8859-1")
_SAMPLE = 1 << 15  # bytes before and after a bad one from which the encoding is guessed


@dataclass(frozen=True)
class TextOptions:
    """How bytes are decoded into symbols."""

    unit: Unit = "char"
    """`char`: decoded code points. `byte`: the bytes of the file. `word`: see `words.cut`."""
    encoding: str = "utf-8"
    keep_newlines: bool = False
    """Keep CRLF and CR instead of converting them to LF."""
    min_count: int = 1
    """Symbols that occur less often become one unknown symbol."""


@dataclass(frozen=True)
class Source:
    """Where text comes from: a file, standard input, or bytes in memory."""

    name: str
    content: bytes | Path | None
    """A path, the bytes themselves, or None for standard input."""
    location: str = ""
    """An absolute path, the name of a corpus, or `-` for standard input; empty for bytes."""

    @classmethod
    def of(cls, path: Source | str | Path) -> Source:
        """A file by its path; `-` is standard input. A source stays as it is."""
        if isinstance(path, Source):
            return path
        if str(path) == "-":
            return cls("stdin", None, "-")
        return cls(str(path), Path(path), str(Path(path).resolve()))

    @property
    def size(self) -> int | None:
        """The number of bytes; None if the source is not a file, or cannot be read twice."""
        if isinstance(self.content, bytes):
            return len(self.content)
        if self.content is None or not self.content.is_file():
            return None
        return self.content.stat().st_size

    def blocks(self) -> Iterator[bytes]:
        """The bytes, a megabyte at a time. Raises CorpusError if the file cannot be read."""
        try:
            with self._open() as stream:
                while block := stream.read(_BLOCK):
                    yield block
                    if len(block) < _BLOCK and stream.isatty():  # do not wait for a second Ctrl-D
                        return
        except OSError as error:
            raise CorpusError(f"Cannot read {self.name}: {os_reason(error)}.") from None

    def _open(self) -> io.BufferedIOBase:
        if self.content is None:
            if sys.stdin is None:
                raise CorpusError("Standard input is closed.")
            return open(sys.stdin.fileno(), "rb", closefd=False)
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open("rb")

    def code_points(self, options: TextOptions) -> Iterator[tuple[bytes, IntArray]]:
        """Each block of bytes with the code points (or byte values) decoded from it.

        For words, the end of a block that may be part of a longer word moves to the next block.
        Raises CorpusError with the position of the first byte that cannot be decoded.
        """
        if options.unit == "byte":
            for block in self.blocks():
                yield block, np.frombuffer(block, np.uint8)
            return
        decoder = _decoder(options)
        done, rest = 0, ""
        for block in self.blocks():
            if not done:
                self._check_start(block, options)
            text = rest + self._decode(decoder, block, done, options)
            end = last_boundary(text) if options.unit == "word" else len(text)
            yield block, code_points(text[:end])
            done, rest = done + len(block), text[end:]
        yield b"", code_points(rest + self._decode(decoder, b"", done, options, final=True))

    def _check_start(self, block: bytes, options: TextOptions) -> None:
        """Refuse a file that is not text, or text whose bytes are valid by accident. A CorpusError
        names what it is.
        """
        if kind := file_kind(block):
            raise CorpusError(f"{self.name} is {kind}, not text; save its content as text.")
        if codecs.lookup(options.encoding).name in _ASCII_LIKE and (name := disguised(block)):
            raise CorpusError(f"{self.name} looks like {name}: try --encoding {name}.")

    def _decode(
        self,
        decoder: codecs.IncrementalDecoder | io.IncrementalNewlineDecoder,
        block: bytes,
        done: int,
        options: TextOptions,
        final: bool = False,
    ) -> str:
        try:
            text = decoder.decode(block, final)
        except UnicodeDecodeError as error:
            if final and error.reason == "unexpected end of data" and options.encoding == "utf-8":
                raise CorpusError(
                    f"{self.name} is UTF-8, cut off in its last character: it ends with "
                    f"{error.object[error.start :].hex(' ')}. Remove or complete that character."
                ) from None
            at = done + len(block) - len(error.object) + error.start
            near = error.object[max(0, error.start - _SAMPLE) : error.start + _SAMPLE]
            raise CorpusError(
                f"{self.name} is not {options.encoding}: byte {at:,} "
                f"(0x{error.object[error.start]:02x}) cannot be decoded; "
                f"{_advice(near, options.encoding)}"
            ) from None
        except UnicodeError as error:
            raise CorpusError(f"{self.name} is not {options.encoding}: {error}.") from None
        if done == 0:
            text = text.removeprefix("\ufeff")
        return text


def _decoder(options: TextOptions) -> codecs.IncrementalDecoder | io.IncrementalNewlineDecoder:
    make = codecs.getincrementaldecoder(check_encoding(options.encoding))
    if options.keep_newlines:
        return make("strict")
    return io.IncrementalNewlineDecoder(make("strict"), translate=True)


def _advice(near: bytes, encoding: str) -> str:
    """What to do about bytes that cannot be decoded; the end of an error message."""
    decoded = near.decode("utf-8", "replace")
    non_ascii = sum(c > "\x7f" for c in decoded)
    if non_ascii > 4 * decoded.count("\ufffd"):
        if codecs.lookup(encoding).name == "utf-8":
            return "the text around it is UTF-8, so the file is damaged there."
        return "it looks like UTF-8: leave out --encoding."
    if guesses := guess_encodings(near):
        best, *others = guesses
        more = "".join(f", or {other.encoding} («{other.text}»)" for other in others)
        return (
            f"it looks like {best.encoding} («{best.text}»){more}: try --encoding {best.encoding}."
        )
    return "set the right encoding with --encoding, or use the bytes themselves with --unit byte."
