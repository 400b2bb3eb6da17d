"""The vocabulary: the symbols of a text and their ids."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.data.code_points import Unit, character_name, code_points, text_of, word_name
from charrnn.data.words import cut
from charrnn.errors import VocabularyError
from charrnn.nn.functional import one_hot
from charrnn.nn.params import Array, Ids, IntArray

_BLOCK = 1 << 20  # ids processed at a time
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""The unknown symbol in decoded text."""


class Vocabulary:
    """Symbols in the order of their code points (or byte values), with ids from 0.

    Codes are the code points of a text, or its bytes for a byte vocabulary. Each code is a symbol;
    in the subclass `Words` a symbol consists of several codes.

    With `unknown`, the last id represents all symbols that are not in the vocabulary. It occurs in
    the input of a model, but is never generated.
    """

    def __init__(self, codes: Iterable[int], unit: Unit = "char", unknown: bool = False) -> None:
        self.code_points: IntArray = np.array(sorted(set(codes)), dtype=np.uint32)
        self.unit: Unit = unit
        self.unknown = unknown

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """The vocabulary of the distinct characters of a text."""
        return cls(map(ord, text))

    def __len__(self) -> int:
        return len(self.code_points) + self.unknown

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.unit, self.unknown, self.code_points.tobytes()))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest integer type for all ids."""
        return np.min_scalar_type(max(len(self) - 1, 0))

    @property
    def plural(self) -> str:
        """The word for several symbols in messages: `characters`, `bytes` or `words`."""
        return {"byte": "bytes", "word": "words"}.get(self.unit, "characters")

    def counted(self, count: int) -> str:
        """A number of symbols in messages: `1 character`, `2,000 words`."""
        return f"{count:,} {self.plural.removesuffix('s') if count == 1 else self.plural}"

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown symbol, or None."""
        return len(self.code_points) if self.unknown else None

    @property
    def unwritten(self) -> list[int]:
        """The ids that are never generated: the unknown symbol, if there is one."""
        return [len(self.code_points)] * self.unknown

    @property
    def symbols(self) -> list[str]:
        """Each symbol as readable text."""
        symbols = [chr(c) if self.unit == "char" else f"\\x{c:02x}" for c in self.code_points]
        return [*symbols, REPLACEMENT] if self.unknown else symbols

    @cached_property
    def _id_plus_1_of(self) -> Ids:
        """The id plus 1 of every possible code; 0 if it has none. Pages that were never
        written take no memory.
        """
        size = 0x110000 if self.unit == "char" else 256
        table = np.zeros(size, np.min_scalar_type(len(self.code_points) + 1))
        table[self.code_points] = np.arange(1, len(self.code_points) + 1)
        return table

    def to_code_points(self, text: str) -> IntArray:
        """The code points of a text, or its UTF-8 bytes for a byte vocabulary."""
        if self.unit == "byte":
            return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        return code_points(text)

    def _ids_plus_1(self, codes: IntArray) -> Ids:
        """The id plus 1 of each symbol of a text; 0 if it has none."""
        return self._id_plus_1_of.take(codes)

    def knows(self, codes: IntArray) -> NDArray[np.bool_]:
        """Whether each symbol of a text, given as codes `(N,)`, is in the vocabulary."""
        return np.asarray(self._ids_plus_1(codes) > 0)

    def chars(self, ids: Ids) -> int:
        """The number of characters (or bytes) of these ids. The unknown symbol counts as one."""
        return len(ids)

    def ends(self, ids: Ids) -> NDArray[np.int64]:
        """The number of characters up to the end of each symbol `(N,)`."""
        return np.arange(1, len(ids) + 1)

    def up_to(self, ids: Ids, chars: int | None) -> Ids:
        """The first of these ids, up to about `chars` characters; all of them for None."""
        return ids[:chars]

    def encode_code_points(
        self,
        codes: IntArray,
        *,
        skip_unknown: bool = False,
        where: str = "the text",
        before: int = 0,
    ) -> Ids:
        """Code points (or byte values) to ids of type `dtype`.

        A symbol that is not in the vocabulary is left out with `skip_unknown`; otherwise it becomes
        the unknown symbol. If there is no unknown symbol, raises VocabularyError with the missing
        symbol and its position in the text `where`, in which `before` codes come before these.
        """
        ids = self._ids_plus_1(codes)  # unsigned, so 0 and not -1 marks a missing symbol
        if len(ids) and not ids.min():
            missing = ids == 0
            if skip_unknown:
                ids = ids[~missing]
            elif self.unknown:
                ids[missing] = len(self.code_points) + 1
            else:
                raise VocabularyError(self._unknown_message(codes, missing, where, before))
        ids -= 1
        return ids.astype(self.dtype, copy=False)

    def encode(self, text: str, *, skip_unknown: bool = False) -> Ids:
        """The ids `(N,)` of a text. See `encode_code_points` for unknown symbols."""
        return self.encode_code_points(self.to_code_points(text), skip_unknown=skip_unknown)

    def decode(self, ids: Iterable[int] | Ids) -> str:
        """The text of these ids. Bytes are decoded as UTF-8, with U+FFFD for invalid ones."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int] | Ids) -> bytes:
        """The text of these ids in UTF-8, or the bytes themselves for a byte vocabulary."""
        numbers = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.intp)
        if self.unit == "byte":
            return self.code_points[numbers].astype(np.uint8).tobytes()
        table = np.append(self.code_points, ord(REPLACEMENT)).astype("<u4")
        return table[numbers].tobytes().decode("utf-32-le", "surrogatepass").encode()

    @cached_property
    def token_bytes(self) -> list[bytes]:
        """The result of `decode_bytes` for each id alone."""
        return [self.decode_bytes([n]) for n in range(len(self))]

    def one_hot(self, ids: Ids, dtype: DTypeLike = np.float32) -> Array:
        """One-hot vectors of ids: `(...)` to `(..., V)`."""
        return one_hot(ids, len(self), dtype)

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as plain data, for a checkpoint."""
        return {"unit": self.unit, "unknown": self.unknown, "codes": self.code_points.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Vocabulary:
        """The inverse of `to_json`. A KeyError, TypeError or ValueError if the data are of no
        vocabulary.
        """
        unit, unknown = data["unit"], data["unknown"]
        symbols = data["words" if unit == "word" else "codes"]
        if unit not in get_args(Unit) or type(unknown) is not bool or type(symbols) is not list:
            raise TypeError("its vocabulary has no unit, codes or words")
        kind = str if unit == "word" else int
        if not all(type(symbol) is kind for symbol in symbols):
            raise TypeError(f"its vocabulary holds something else than {kind.__name__}")
        if len(set(symbols)) < len(symbols) or not len(symbols) + unknown:
            raise ValueError("its vocabulary is empty or has a symbol twice")
        if unit == "word":
            return Words(symbols, unknown)
        most = 0xFF if unit == "byte" else 0x10FFFF
        if not all(0 <= code <= most and not 0xD800 <= code <= 0xDFFF for code in symbols):
            raise ValueError("its vocabulary has a code that is no character")
        return cls(symbols, unit, unknown)

    def _unknown_message(self, codes: IntArray, missing: Any, where: str, before: int) -> str:
        at = np.flatnonzero(missing)
        first = character_name(int(codes[at[0]]), self.unit)
        others = len(np.unique(codes[at])) - 1
        also = f" (and {others} other{'s' * (others > 1)} later)" if others else ""
        number = before + at[0] + 1
        return f"The model has never seen {first}, number {number:,} of {where}{also}."


class Words(Vocabulary):
    """Words and punctuation as `words.cut` splits them, in the order of their code points."""

    def __init__(self, words: Iterable[str], unknown: bool = False) -> None:
        self.words = sorted(set(words))
        super().__init__(range(len(self.words)), "word", unknown)
        self._word_ids = {word: n for n, word in enumerate(self.words, 1)}  # plus 1

    @classmethod
    def of(cls, text: str) -> Words:
        """The vocabulary of the distinct words of a text."""
        return cls(cut(text))

    @property
    def symbols(self) -> list[str]:
        return [*self.words, REPLACEMENT] if self.unknown else list(self.words)

    @cached_property
    def _lengths(self) -> IntArray:
        return np.array([len(s) for s in self.symbols], np.int64)

    def _ids_plus_1(self, codes: IntArray) -> Ids:
        pieces = cut(text_of(codes))
        return np.array([self._word_ids.get(piece, 0) for piece in pieces], np.intp)

    def chars(self, ids: Ids) -> int:
        blocks = (ids[at : at + _BLOCK] for at in range(0, len(ids), _BLOCK))
        return sum(int(self._lengths[block].sum()) for block in blocks)

    def ends(self, ids: Ids) -> NDArray[np.int64]:
        return np.cumsum(self._lengths[ids])

    def up_to(self, ids: Ids, chars: int | None) -> Ids:
        if chars is None:
            return ids
        return ids[: max(1, int(np.searchsorted(self.ends(ids[:chars]), chars, "right")))]

    def decode_bytes(self, ids: Iterable[int] | Ids) -> bytes:
        return b"".join(map(self.token_bytes.__getitem__, ids))

    @cached_property
    def token_bytes(self) -> list[bytes]:
        return [symbol.encode("utf-8", "replace") for symbol in self.symbols]

    def to_json(self) -> dict[str, Any]:
        return {"unit": self.unit, "unknown": self.unknown, "words": self.words}

    def _unknown_message(self, codes: IntArray, missing: Any, where: str, before: int) -> str:
        pieces, places = cut(text_of(codes)), np.flatnonzero(missing)
        first = word_name(pieces[places[0]])
        others = len({pieces[n] for n in places}) - 1
        also = f" (and {others} other{'s' * (others > 1)} later)" if others else ""
        at = before + sum(map(len, pieces[: places[0]])) + 1
        return f"The model has never seen {first}, at character {at:,} of {where}{also}."
