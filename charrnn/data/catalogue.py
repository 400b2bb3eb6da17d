"""Corpora by name: those bundled with the package, and well-known ones that can be downloaded."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints
from urllib.parse import urlsplit

from charrnn.errors import CorpusError
from charrnn.system.bundled import bundled

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 1 << 40
PUBLIC_DOMAIN = "public domain"


@dataclass(frozen=True)
class Entry:
    """A corpus that can be given by name instead of as a file."""

    name: str
    title: str
    bytes: int
    licence: str
    sha256: str = ""
    url: str = ""
    """The download address; empty for a bundled corpus."""


_KARPATHY = "https://cs.stanford.edu/people/karpathy/char-rnn"
_CANTERBURY = "https://raw.githubusercontent.com/google/brotli/v1.2.0/tests/testdata"

FETCHED = (
    Entry(
        "tinyshakespeare",
        "Tiny Shakespeare: excerpts from the plays, the field's standard small corpus",
        1_115_394,
        PUBLIC_DOMAIN,
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    ),
    Entry(
        "warandpeace",
        "War and Peace, Tolstoy, in the Maudes' translation, as in Karpathy et al. 2015",
        3_258_246,
        PUBLIC_DOMAIN,
        "fb66ba999dafe24017cdd59e04c56d385a9c8466993d374fd4c6f08b2142985e",
        f"{_KARPATHY}/warpeace_input.txt",
    ),
    Entry(
        "shakespeare",
        "Shakespeare's collected works",
        4_573_338,
        PUBLIC_DOMAIN,
        "59a0ad62833b2e15ec811c548618876359e902717431236e52699a0e2bc253ca",
        f"{_KARPATHY}/shakespeare_input.txt",
    ),
    Entry(
        "alice",
        "Alice's Adventures in Wonderland, Lewis Carroll",
        152_089,
        PUBLIC_DOMAIN,
        "7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0",
        f"{_CANTERBURY}/alice29.txt",
    ),
    Entry(
        "paradiselost",
        "Paradise Lost, John Milton",
        481_861,
        PUBLIC_DOMAIN,
        "07e2e0b461af78c7c647cb53dab39de560198e16f799b4516eccf0fbd69f764c",
        f"{_CANTERBURY}/plrabn12.txt",
    ),
    Entry(
        "asyoulikeit",
        "As You Like It, Shakespeare",
        125_179,
        PUBLIC_DOMAIN,
        "eaa3526fe53859f34ecdf255712f9ecf0b2c903451d4755b2edaa2e2599cb0fc",
        f"{_CANTERBURY}/asyoulik.txt",
    ),
    Entry(
        "tinystories",
        "TinyStories (validation part): short stories in simple English",
        19_447_282,
        "CDLA-Sharing-1.0",
        "94e431816c4cce81ff71e4408ff8d3bda9a42e8d2663986697c3954288cb38b4",
        "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/"
        "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64/TinyStories-valid.txt",
    ),
)
_BUNDLED_TITLES = {
    "elizabethan": "Scenes, sonnets and songs in an Elizabethan manner, written for this project",
    "quatrains": "绝句: Chinese quatrains of five and seven characters, written for this project",
}


def entries() -> list[Entry]:
    """All corpora: the bundled ones, those of the user's catalogue, and those to download.

    The environment variable CHARRNN_CATALOGUE may name a JSON file with a list of more entries
    (name, title, bytes, licence, sha256, url). Raises CorpusError if that file is invalid.
    """
    bundled_entries = [
        Entry(name, title, path.stat().st_size, "CC0-1.0")
        for name, title in _BUNDLED_TITLES.items()
        if (path := _bundled_file(name))
    ]
    return [*bundled_entries, *_user_entries(), *FETCHED]


def _user_entries() -> list[Entry]:
    file = os.environ.get("CHARRNN_CATALOGUE")
    if not file:
        return []
    try:
        listed = json.loads(Path(file).read_text("utf-8"))
        if not isinstance(listed, list):
            raise TypeError("it is not a list")
        return [_checked(entry) for entry in listed]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CorpusError(
            f"CHARRNN_CATALOGUE names {file}, which is not a valid catalogue: {error}."
        ) from None


def _checked(entry: object) -> Entry:
    """An entry of the user's catalogue. A ValueError or TypeError says what is wrong with it.

    The name becomes the name of a file and is shown in terminals, so it has only letters, digits
    and `._-`; the URL is http or https.
    """
    if not isinstance(entry, dict):
        raise TypeError(f"{str(entry)[:40]!r} is not an entry")
    types = get_type_hints(Entry)
    if unknown := set(entry) - set(types):
        raise ValueError(f"an entry has an unknown field {min(map(str, unknown))[:40]!r}")
    for name, value in entry.items():
        if type(value) is not types[name]:
            raise TypeError(f"{name} is {str(value)[:40]!r}; it must be {types[name].__name__}")
    checked = Entry(**{**entry, "sha256": entry.get("sha256", "").lower()})
    if not _NAME.fullmatch(checked.name):
        raise ValueError(f"{checked.name[:40]!r} is not a name (letters, digits and ._-)")
    if not 0 < checked.bytes <= _MAX_BYTES:
        raise ValueError(f"bytes of {checked.name} is {checked.bytes}")
    if not checked.url and not checked.sha256:
        return checked  # a file that the user puts into the cache
    if not _SHA256.fullmatch(checked.sha256):
        raise ValueError(f"sha256 of {checked.name} is not 64 hexadecimal digits")
    if urlsplit(checked.url).scheme not in ("http", "https"):
        raise ValueError(f"the URL of {checked.name} is not http or https")
    return checked


def find(name: str) -> Entry | None:
    """The entry with this name, or None."""
    return next((entry for entry in entries() if entry.name == name), None)


def _bundled_file(name: str) -> Path | None:
    folder = bundled("corpora")
    path = folder / f"{name}.txt" if folder else None
    return path if path and path.is_file() else None


def cache_folder() -> Path:
    """The folder of downloaded corpora: CHARRNN_CACHE, or `charrnn` in the user's cache folder."""
    if folder := os.environ.get("CHARRNN_CACHE"):
        return Path(folder)
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "charrnn"


def is_here(entry: Entry) -> bool:
    """Whether the complete corpus is on this machine."""
    path = local_file(entry)
    return path.is_file() and path.stat().st_size == entry.bytes


def local_file(entry: Entry) -> Path:
    """The path of the corpus, whether or not it has been downloaded yet."""
    return _bundled_file(entry.name) or cache_folder() / f"{entry.name}.txt"
