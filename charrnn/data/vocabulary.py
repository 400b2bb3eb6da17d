"""The vocabulary: which symbols a text is made of, and which number each one has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.data.code_points import Unit, character_name, code_points, text_of, word_name
from charrnn.data.words import cut
from charrnn.errors import VocabularyError
from charrnn.nn.functional import one_hot
from charrnn.nn.params import Array, Ids

_BLOCK = 1 << 20  # ids looked at together
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What the unknown symbol looks like in text."""


class Vocabulary:
    """Symbols in the order of their code points (or byte values), numbered from 0.

    Text comes as codes: code points, or for a byte vocabulary bytes. Here each is a symbol; in
    `Words` a symbol is several.

    With `unknown`, one more symbol, the last, stands for every character that is not in the list;
    it is read but never written.
    """

    def __init__(self, codes: Iterable[int], unit: Unit = "char", unknown: bool = False) -> None:
        self.code_points: Ids = np.array(sorted(set(codes)), dtype=np.uint32)
        self.unit: Unit = unit
        self.unknown = unknown

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """The vocabulary of a text: its distinct characters."""
        return cls(map(ord, text))

    def __len__(self) -> int:
        return len(self.code_points) + self.unknown

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.unit, self.unknown, self.code_points.tobytes()))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest integer type that holds every id."""
        return np.min_scalar_type(max(len(self) - 1, 0))

    @property
    def plural(self) -> str:
        """What people call several symbols: `characters`, `bytes` or `words`."""
        return {"byte": "bytes", "word": "words"}.get(self.unit, "characters")

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown symbol, None where there is none."""
        return len(self.code_points) if self.unknown else None

    @property
    def unwritten(self) -> list[int]:
        """The ids that stand for no symbol in particular."""
        return [len(self.code_points)] * self.unknown

    @property
    def symbols(self) -> list[str]:
        """Each symbol as a person reads it."""
        shown = [chr(c) if self.unit == "char" else f"\\x{c:02x}" for c in self.code_points]
        return [*shown, REPLACEMENT] if self.unknown else shown

    @cached_property
    def _place_of(self) -> Ids:
        """The id of each code plus 1; 0, which takes no memory here, where there is none."""
        size = 0x110000 if self.unit == "char" else 256
        table = np.zeros(size, np.min_scalar_type(len(self.code_points) + 1))
        table[self.code_points] = np.arange(1, len(self.code_points) + 1)
        return table

    def to_code_points(self, text: str) -> Ids:
        """The code points, or for a byte vocabulary the UTF-8 bytes, of a text."""
        if self.unit == "byte":
            return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        return code_points(text)

    def _places(self, codes: Ids) -> Ids:
        """The id of each symbol of a text plus 1; 0 for one that has none."""
        return self._place_of.take(codes)

    def knows(self, codes: Ids) -> NDArray[np.bool_]:
        """Which symbols of the codes `(N,)` of a text have an id of their own."""
        return np.asarray(self._places(codes) > 0)

    def chars(self, ids: Ids) -> int:
        """How many characters (or bytes) these ids stand for; the unknown symbol is one."""
        return len(ids)

    def ends(self, ids: Ids) -> NDArray[np.int64]:
        """Where in the text each symbol ends `(N,)`: its characters, and all those before it."""
        return np.arange(1, len(ids) + 1)

    def up_to(self, ids: Ids, chars: int | None) -> Ids:
        """The first of these ids, about as many as stand for so many characters; None is all."""
        return ids[:chars]

    def encode_code_points(
        self, codes: Ids, *, skip_unknown: bool = False, where: str = "the text", before: int = 0
    ) -> Ids:
        """Code points (or byte values) to ids, in the smallest type that holds them.

        A symbol that the vocabulary lacks becomes the unknown symbol if there is one, is left out
        with `skip_unknown`, and is otherwise a VocabularyError that names it and its place in
        `where`, of which `before` codes have been encoded before these.
        """
        places = self._places(codes)
        if len(places) and not places.min():
            missing = places == 0
            if skip_unknown:
                places = places[~missing]
            elif self.unknown:
                places[missing] = len(self.code_points) + 1
            else:
                raise VocabularyError(self._complaint(codes, missing, where, before))
        places -= 1
        return places.astype(self.dtype, copy=False)

    def encode(self, text: str, *, skip_unknown: bool = False) -> Ids:
        """The ids `(N,)` of a text. See `encode_code_points` for symbols that are not known."""
        return self.encode_code_points(self.to_code_points(text), skip_unknown=skip_unknown)

    def decode(self, ids: Iterable[int] | Ids) -> str:
        """The text of these ids; bytes are read as UTF-8, with U+FFFD for what is not."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int] | Ids) -> bytes:
        """The text of these ids in UTF-8; for a byte vocabulary, exactly those bytes."""
        numbers = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.intp)
        if self.unit == "byte":
            return self.code_points[numbers].astype(np.uint8).tobytes()
        table = np.append(self.code_points, ord(REPLACEMENT)).astype("<u4")
        return table[numbers].tobytes().decode("utf-32-le", "surrogatepass").encode()

    @cached_property
    def token_bytes(self) -> list[bytes]:
        """What `decode_bytes` makes of each id alone."""
        return [self.decode_bytes([n]) for n in range(len(self))]

    def one_hot(self, ids: Ids, dtype: DTypeLike = np.float32) -> Array:
        """Each id as a vector of V - 1 zeros and a single one: `(...)` to `(..., V)`."""
        return one_hot(ids, len(self), dtype)

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as plain data, for a checkpoint."""
        return {"unit": self.unit, "unknown": self.unknown, "codes": self.code_points.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Vocabulary:
        """The inverse of `to_json`."""
        if data["unit"] == "word":
            return Words(data["words"], data["unknown"])
        return cls(data["codes"], data["unit"], data["unknown"])

    def _complaint(self, codes: Ids, missing: Any, where: str, before: int) -> str:
        places = np.flatnonzero(missing)
        first = character_name(int(codes[places[0]]), self.unit)
        others = len(np.unique(codes[places])) - 1
        also = f" (and {others} other{'s' * (others > 1)} later)" if others else ""
        number = before + places[0] + 1
        return f"The model has never seen {first}, number {number:,} of {where}{also}."


class Words(Vocabulary):
    """Pieces of text, as `words.cut` makes them, in the order of their code points."""

    def __init__(self, words: Iterable[str], unknown: bool = False) -> None:
        self.words = sorted(set(words))
        super().__init__(range(len(self.words)), "word", unknown)
        self._numbers = {word: n for n, word in enumerate(self.words, 1)}

    @classmethod
    def of(cls, text: str) -> Words:
        """The vocabulary of a text: its distinct pieces."""
        return cls(cut(text))

    @property
    def symbols(self) -> list[str]:
        return [*self.words, REPLACEMENT] if self.unknown else list(self.words)

    @cached_property
    def _lengths(self) -> Ids:
        return np.array([len(s) for s in self.symbols], np.int64)

    def _places(self, codes: Ids) -> Ids:
        pieces = cut(text_of(codes))
        return np.array([self._numbers.get(piece, 0) for piece in pieces], np.intp)

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

    def _complaint(self, codes: Ids, missing: Any, where: str, before: int) -> str:
        pieces, places = cut(text_of(codes)), np.flatnonzero(missing)
        first = word_name(pieces[places[0]])
        others = len({pieces[n] for n in places}) - 1
        also = f" (and {others} other{'s' * (others > 1)} later)" if others else ""
        at = before + sum(map(len, pieces[: places[0]])) + 1
        return f"The model has never seen {first}, at character {at:,} of {where}{also}."
