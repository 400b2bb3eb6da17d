"""Shared fixtures and helper functions: one BLAS thread, no deadlines, small texts."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from charrnn.config.train_config import TrainConfig
from charrnn.data import token_buffer
from charrnn.data.corpus import Corpus
from charrnn.data.dataset import Dataset
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import Split
from charrnn.models import CharRNN
from charrnn.nn.params import Ids
from charrnn.runs import checkpoint
from charrnn.runs.run import Run
from charrnn.tasks import make_task
from charrnn.training.events import Finished
from charrnn.training.network_trainer import NetworkTrainer
from charrnn.training.parallel.group import ProcessGroup

# A busy machine can pause a test for a second.
settings.register_profile("charrnn", deadline=None)
settings.load_profile("charrnn")

if sys.platform == "win32":  # these are about signals and process groups
    collect_ignore = ["test_compare_stop.py", "test_kill.py", "test_mpi.py", "test_workers.py"]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="uses signals or a POSIX shell")

ROOT = Path(__file__).parent.parent
VERSE = (ROOT / "corpora" / "elizabethan.txt").read_text("utf-8")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def small_corpus() -> Corpus:
    """The first 6,000 characters of the bundled verse, split 80/10/10."""
    return Corpus.of_text(VERSE[:6000], Split(0.8, 0.1, 0.1), "verse")


def put_into_cache(folder: Path) -> Path:
    """Put a text called tinyshakespeare into the cache. Returns the catalogue that lists it."""
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
def encodings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of stored encodings. Texts of more than 100 bytes are stored."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(token_buffer, "SMALL", 100)
    monkeypatch.setattr("charrnn.data.reading._BLOCK", 64)
    return tmp_path / "cache" / "encoded"


@pytest.fixture
def long_text(tmp_path: Path) -> Path:
    """A file long enough to be stored in `encodings`."""
    path = tmp_path / "text.txt"
    path.write_bytes(LONG_TEXT.encode())
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the sources decoded so far, in order."""
    names: list[str] = []
    decode = Source.code_points

    def note_and_decode(source: Source, options: TextOptions) -> Iterator[tuple[bytes, Ids]]:
        names.append(source.name)
        return decode(source, options)

    monkeypatch.setattr(Source, "code_points", note_and_decode)
    return names


def as_read(data: bytes | Path | None) -> str:
    """The text that charrnn reads from the bytes of a file."""
    assert isinstance(data, bytes)
    return data.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def network_in(path: Path) -> CharRNN:
    """The network in a checkpoint."""
    model = checkpoint.load(path).model
    assert isinstance(model, CharRNN)
    return model


def last_event(events: Iterable[object]) -> Finished:
    """The event that ends training."""
    *_, last = events
    assert isinstance(last, Finished)
    return last


NAMES = {
    "German": "Bergmann Schneider Vogel Krause Lehmann Winkler Schulze Pfeiffer Brandt Seidel",
    "Italian": "Rossi Bianchi Esposito Romano Colombo Ricci Marino Greco Conti Gallo",
    "Japanese": "Satoshi Tanaka Yamada Kobayashi Nakamura Ishikawa Fujimoto Hayashi Mori Okada",
}


def write_names(folder: Path) -> None:
    """Write a folder `names` with one file of names for each of three languages."""
    (folder / "names").mkdir()
    for language, names in NAMES.items():
        (folder / "names" / f"{language}.txt").write_text(names.replace(" ", "\n"), "utf-8")


def network_trainer(
    dataset: Dataset, config: TrainConfig, run: Run | None = None, group: ProcessGroup | None = None
) -> NetworkTrainer:
    return NetworkTrainer(make_task(dataset, config), run, group)


def resume_network(
    run: Run, dataset: Dataset, config: TrainConfig, group: ProcessGroup | None = None
) -> NetworkTrainer:
    return NetworkTrainer.resume(run, make_task(dataset, config), group)
