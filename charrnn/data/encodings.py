"""Recognizing the encoding of a text, and files that are not text.

An excerpt is decoded in every plausible encoding. Each outcome is scored by how much it looks like
a language written in that encoding: how many of its letters are common there, whether they belong
to its script, and whether capitals stand inside words, as they do after a wrong decoding.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from charrnn.errors import ConfigError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NULLS = 8  # zero bytes, in fewer of which there is no pattern
_EXCERPT = 1 << 16  # bytes that are looked at
_LEAST = 0.3  # score of a decoding worth showing
_MARGIN = 0.25  # a decoding that scores so much less than the best is not shown
_SHOWN = 28  # characters of a decoding that are shown
_SIMPLIFIED = (
    "的一是不了在人有我他这那之来以上大为和国中到说时们个你地出也就要会可生能对学着下自年过发后"
    "作里用道行所然家事成方多经么去法当起与好看看无明月春风山水花天日云夜"
)
_TRADITIONAL = (
    "的一是不了在人有我他這那之來以上大為和國中到說時們個你地出也就要會可生能對學著下自年過發後"
    "作裡用道行所然家事成方多經麼去法當起與好看無明月春風山水花天日雲夜"
)
_JAPANESE = (
    "日一人年大十二本中長出三時行見月後前生五間上東四今金九入学高円子外八六下来気小七山話女北午"
    "百書先名川千水半男西電校語土木聞食車何南万毎白天母火右読友左休父雨私思言事国"
)
_KOREAN = (
    "이다는을가에의고하지로한은를도사기리나서어자그시아인일대해전라부수있었게과정보들만스도으여면"
)
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґў"
_GREEK = "αοιετσνηυρπκμλςάόίέήύδγωθχφβώξζψ"
_HEBREW = "יוהלארתבמשנעדקפחצגזטסכןםךףץ"
_ARABIC = "الينمروتبةعدسفهكقحجشصطخذثزضغظءأإىئؤپچگ"
_PUNCTUATION = "‘’“”„–—…«»¿¡°§№\u00a0·。、，：；！？「」『』（）《》"


class Language(NamedTuple):
    """Letters that are common in a language and not in ASCII, and the encodings used for it."""

    letters: str
    script: str
    """How the Unicode names of its letters begin."""
    encodings: tuple[str, ...]


_WESTERN, _CENTRAL = ("cp1252",), ("cp1250", "iso-8859-2")
_LANGUAGES = (
    Language(_SIMPLIFIED, "CJK", ("gb18030",)),
    Language(_TRADITIONAL, "CJK", ("big5",)),
    Language(_JAPANESE, "HIRAGANA KATAKANA CJK", ("shift_jis", "euc-jp")),
    Language(_KOREAN, "HANGUL", ("euc-kr",)),
    Language(_CYRILLIC, "CYRILLIC", ("cp1251", "koi8-r", "iso-8859-5", "cp866")),
    Language(_GREEK, "GREEK", ("cp1253", "iso-8859-7")),
    Language(_HEBREW, "HEBREW", ("cp1255", "iso-8859-8")),
    Language(_ARABIC, "ARABIC", ("cp1256", "iso-8859-6")),
    Language("éèàçêôâîûëïùœ", "LATIN", _WESTERN),
    Language("äöüß", "LATIN", _WESTERN),
    Language("áéíóúñü", "LATIN", _WESTERN),
    Language("ãõáéíóúâêôçà", "LATIN", _WESTERN),
    Language("åäöøæé", "LATIN", _WESTERN),
    Language("àèéìòù", "LATIN", _WESTERN),
    Language("þðæöáéíóúý", "LATIN", _WESTERN),
    Language("ąćęłńóśźż", "LATIN", _CENTRAL),
    Language("áčďéěíňóřšťúůýžľĺŕôä", "LATIN", _CENTRAL),
    Language("áéíóöőúüű", "LATIN", _CENTRAL),
    Language("ăâîşţ", "LATIN", _CENTRAL),
    Language("čćđšž", "LATIN", _CENTRAL),
    Language("çğıİöşüâî", "LATIN", ("cp1254",)),
)
_MAGIC = (
    (b"%PDF", "a PDF file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"SQLite format", "an SQLite database"),
    (b"\x7fELF", "a program"),
)


class Guess(NamedTuple):
    """A plausible encoding, and what the excerpt looks like in it."""

    encoding: str
    text: str
    score: float


def file_kind(data: bytes) -> str | None:
    """What a file that is not text is, by its first bytes: `a PDF file`; None for text."""
    if data.startswith(b"PK\x03\x04"):
        documents = ((b"word/", "a Word document"), (b"opendocument", "an OpenDocument file"),
                     (b"xl/", "an Excel file"), (b"epub", "an EPUB book"))  # fmt: skip
        head = data[: 1 << 14]
        return next((kind for mark, kind in documents if mark in head), "a zip archive")
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def disguised(data: bytes) -> str | None:
    """The encoding of bytes that are valid UTF-8 but hardly meant to be: UTF-16 or UTF-32 without a
    byte order mark, ISO-2022-JP, HZ. None for everything else.
    """
    sample = data[:_EXCERPT]
    few, many = sorted((sample[::2].count(0), sample[1::2].count(0)))
    if (
        many >= _NULLS
        and many > len(sample) // 50
        and (few < many // 10 or few + many > len(sample) // 5)
    ):
        return _wide(sample)
    if re.search(rb"\x1b\$[@B].+?\x1b\([BJ]", sample, re.S) and _decodes(sample, "iso2022_jp"):
        return "iso-2022-jp"
    segments = re.findall(rb"~\{((?:[!-w][!-~])+)~\}", sample)
    if sum(map(len, segments)) >= 8 and _decodes(sample, "hz"):
        return "hz"
    return None


def guess_encodings(data: bytes) -> list[Guess]:
    """Up to three plausible encodings of text that is not UTF-8, the likeliest first."""
    sample = data[:_EXCERPT]
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return [Guess(name, _excerpt(sample.decode(name, "ignore")), 1.0)]
    if sample.count(0) > len(sample) // 20:
        name = _wide(sample)
        return [Guess(name, _excerpt(sample.decode(name, "ignore")), 1.0)]
    best: dict[str, Guess] = {}
    for guess in _guesses(sample):
        if guess.score > best.get(guess.text, guess).score or guess.text not in best:
            best[guess.text] = guess
    ranked = sorted(best.values(), key=lambda guess: -guess.score)
    return [g for g in ranked if g.score > max(_LEAST, ranked[0].score - _MARGIN)][:3]


def guess_encoding(data: bytes) -> str | None:
    """The likeliest encoding of text that is not UTF-8; None if it cannot be guessed."""
    guesses = guess_encodings(data)
    return guesses[0].encoding if guesses else None


def _wide(sample: bytes) -> str:
    """UTF-16 or UTF-32, by where the zero bytes are."""
    zeros = [sample[n::4].count(0) for n in range(4)]
    most = 0.9 * len(sample) / 4
    if min(zeros[2:]) > most:
        return "utf-32-le"
    if min(zeros[:2]) > most:
        return "utf-32-be"
    return "utf-16-le" if zeros[1] + zeros[3] >= zeros[0] + zeros[2] else "utf-16-be"


def _guesses(sample: bytes) -> Iterator[Guess]:
    """The score of every encoding in which the sample can be decoded, for every language."""
    for language in _LANGUAGES:
        for encoding in language.encodings:
            if _decodes(sample, encoding):
                text = sample.decode(encoding, "ignore")
                yield Guess(encoding, _excerpt(text), _score(text, language))


def _score(text: str, language: Language) -> float:
    """How much a text looks like a language; about 1 for a text that certainly is.

    Each character beyond ASCII counts by how common it is in the language. Symbols inside words,
    two scripts inside a word, and capitals after small letters count against it.
    """
    scripts = language.script.split()
    rank = {c: n / len(language.letters) for n, c in enumerate(language.letters)}
    ideographs = len(scripts[-1]) == len("CJK") or scripts == ["HANGUL"]
    points, count = 0.0, 0
    for c in text:
        if c < "\x80":
            continue
        count += 1
        if (at := rank.get(c.lower())) is not None:
            points += 1 if ideographs else 1.1 - 0.5 * at
        elif c in _PUNCTUATION:
            points += 0.3
        elif unicodedata.name(c, "?").split()[0] in scripts:
            points += 0.6 if c in _KANA else 0.2
        else:
            points -= 1
    pairs = [(a, b) for a, b in pairwise(text) if max(a, b) > "\x7f"]
    wrong = sum(_symbol_in_word(a, b) or _mixed(a, b, scripts) for a, b in pairs)
    letters = sum(a.isalpha() and b.isalpha() for a, b in pairs)
    inner = sum(a.islower() and b.isupper() for a, b in pairs)
    bonus = _VALID if ideographs else 0.0
    return bonus + (points - wrong) / max(1, count) - 2 * inner / max(1, letters)


_KANA = {chr(c) for c in range(0x3041, 0x30FF)}
_VALID = 0.35  # for pairs of bytes that are all valid, which is rarely by chance


def _symbol_in_word(a: str, b: str) -> bool:
    """Whether a symbol beyond ASCII that is neither letter nor punctuation touches a letter."""
    return any(
        symbol > "\x7f" and letter.isalpha() and unicodedata.category(symbol)[0] not in "LM"
        and symbol not in _PUNCTUATION
        for symbol, letter in ((a, b), (b, a))
    )  # fmt: skip


def _mixed(a: str, b: str, scripts: list[str]) -> bool:
    """Whether an ASCII letter touches a letter of an alphabet that is not Latin."""
    if scripts[0] not in ("CYRILLIC", "GREEK", "HEBREW", "ARABIC"):
        return False
    return any(x.isascii() and x.isalpha() and y.isalpha() for x, y in ((a, b), (b, a)))


def _decodes(sample: bytes, name: str) -> bool:
    """Whether the sample is valid apart from an incomplete character at its end."""
    try:
        sample.decode(name)
    except UnicodeDecodeError as error:
        return error.start >= len(sample) - 4
    return True


def _excerpt(text: str) -> str:
    """A few words around the first character beyond ASCII, on one line."""
    at = next((n for n, c in enumerate(text) if c > "\x7f"), 0)
    start = max(text.rfind("\n", 0, at) + 1, at - 12)
    words = text[start : start + _SHOWN].partition("\n")[0]
    return "".join(c if c.isprintable() else " " for c in words).strip()


def check_encoding(name: str) -> str:
    """The codec's name of a text encoding. A ConfigError if there is no such encoding."""
    try:
        codec = codecs.lookup(name).name
        codecs.getincrementaldecoder(codec)
        "a".encode(codec)  # codecs from bytes to bytes, such as hex, reject text
    except (LookupError, UnicodeError, ValueError):
        raise ConfigError(
            f"There is no text encoding {name!r}; try utf-8, gb18030, big5, cp1252."
        ) from None
    return codec
