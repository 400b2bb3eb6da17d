"""What several tests lean on: one BLAS thread, examples without deadlines, and a small text."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from charrnn.data import token_buffer
from charrnn.data.corpus import Corpus
from charrnn.data.reading import Source
from charrnn.data.split import Split

# A shared machine may stop a test for a second, which says nothing about the code.
settings.register_profile("charrnn", deadline=None)
settings.load_profile("charrnn")

ROOT = Path(__file__).parent.parent
VERSE = (ROOT / "corpora" / "elizabethan.txt").read_text("utf-8")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def small_corpus() -> Corpus:
    """Six thousand characters of verse, 80/10/10."""
    return Corpus.of_text(VERSE[:6000], Split(0.8, 0.1, 0.1), "verse")


def pretend_it_is_here(folder: Path) -> Path:
    """Put a text called tinyshakespeare into the cache; returns the catalogue that lists it."""
    text = VERSE[:5000].encode()
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    (cache / "tinyshakespeare.txt").write_bytes(text)
    entry = {"name": "tinyshakespeare", "title": "t", "bytes": len(text), "licence": "CC0-1.0"}
    catalogue = folder / "catalogue.json"
    catalogue.write_text(json.dumps([entry]), "utf-8")
    return catalogue


LONG_TEXT = "Good morrow, sweet my lord.\r\n白日依山尽，黄河入海流。\n" * 30


@pytest.fixture
def encodings(tmp_path, monkeypatch):
    """The folder of encodings. Everything above a hundred bytes goes to disk."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(token_buffer, "SMALL", 100)
    monkeypatch.setattr("charrnn.data.reading._BLOCK", 64)
    return tmp_path / "cache" / "encoded"


@pytest.fixture
def long_text(tmp_path):
    """A file that is long for `encodings`."""
    path = tmp_path / "text.txt"
    path.write_bytes(LONG_TEXT.encode())
    return path


@pytest.fixture
def decoded(monkeypatch):
    """The names of the sources that were decoded, in order."""
    names, codes = [], Source.code_points
    monkeypatch.setattr(
        Source, "code_points", lambda self, options: names.append(self.name) or codes(self, options)
    )
    return names


def as_read(data: bytes) -> str:
    """The text that reading makes of a file."""
    return data.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


NAMES = {
    "German": "Bergmann Schneider Vogel Krause Lehmann Winkler Schulze Pfeiffer Brandt Seidel",
    "Italian": "Rossi Bianchi Esposito Romano Colombo Ricci Marino Greco Conti Gallo",
    "Japanese": "Satoshi Tanaka Yamada Kobayashi Nakamura Ishikawa Fujimoto Hayashi Mori Okada",
}


def write_names(folder: Path) -> None:
    """A folder `names` with a file of names for each of three languages."""
    (folder / "names").mkdir()
    for language, names in NAMES.items():
        (folder / "names" / f"{language}.txt").write_text(names.replace(" ", "\n"), "utf-8")
