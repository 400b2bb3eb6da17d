"""Long texts: the same ids from disk as from memory, and memory that does not grow with them."""

import json
import os
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn.cli.commands.eval import command
from charrnn.data import token_buffer
from charrnn.data.corpus import Corpus
from charrnn.data.encode import encode
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import Split
from charrnn.data.token_buffer import TokenBuffer, drop_pages
from charrnn.errors import VocabularyError
from tests.conftest import LONG_TEXT, as_read

STATUS = Path("/proc/self/status")
CHAR = TextOptions()
ALPHABET = st.sampled_from("ab\r\n\ufeffé天地\U0001f469")


def text_of(encoded):
    return encoded.vocabulary.decode(encoded.ids)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(ALPHABET, min_size=40), min_size=1, max_size=3),
    least=st.integers(1, 3),
    unit=st.sampled_from(["char", "byte"]),
)
def test_the_ids_are_the_same_from_memory_from_disk_and_from_the_store(
    texts, least, unit, encodings, monkeypatch
):
    options = TextOptions(unit, min_count=least)
    sources = [Source("a", (t + "ab" * 3).encode()) for t in texts]
    ways = []
    for small in (1 << 25, 10, 10):
        monkeypatch.setattr(token_buffer, "SMALL", small)
        ways.append(encode(sources, options, "a"))
    for other in ways[1:]:
        assert other.vocabulary == ways[0].vocabulary
        assert other.ids.dtype == ways[0].ids.dtype == ways[0].vocabulary.dtype
        assert other.identity == ways[0].identity
        assert other.ends == ways[0].ends
        np.testing.assert_array_equal(other.ids, ways[0].ids)
    if unit == "char" and least == 1:
        assert text_of(ways[0]) == "".join(as_read(s.content) for s in sources)
        assert ways[0].ends[0] == len(as_read(sources[0].content))


def test_the_ids_of_a_long_text_are_read_from_its_entry(encodings, long_text):
    encoded = encode([Source.of(long_text)], CHAR, "text")
    (entry,) = encodings.iterdir()
    drop_pages(encoded.ids)
    base = encoded.ids
    while isinstance(base, np.ndarray):
        base = base.base
    assert bytes(base) == entry.read_bytes()
    assert encoded.ids.ctypes.data % 64 == 0
    assert text_of(encoded) == as_read(LONG_TEXT.encode())


def test_each_part_is_cut_from_the_file_it_was_given(encodings, tmp_path):
    texts = {"main": "abc" * 70, "valid": "def" * 40, "test": "fgh" * 50}
    paths = {name: tmp_path / name for name in texts}
    for name, path in paths.items():
        path.write_text(texts[name])
    for _ in range(2):
        corpus = Corpus.read([paths["main"]], valid=paths["valid"], test=paths["test"])
        found = [corpus.vocabulary.decode(part) for part in corpus.parts.values()]
        assert found == list(texts.values())


def test_short_texts_need_no_folder(encodings):
    encode([Source("a", b"ab" * 50)], CHAR, "a")
    assert not encodings.exists()


def test_what_can_be_read_only_once_is_read_once_and_kept(encodings, long_text, tmp_path, decoded):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(LONG_TEXT.encode()))
    writer.start()
    piped = encode([Source.of(pipe)], CHAR, "pipe")
    writer.join()
    found = encode([Source.of(long_text)], CHAR, "text")
    assert decoded == [str(pipe)]
    np.testing.assert_array_equal(piped.ids, found.ids)


def test_standard_input_may_be_long(encodings, long_text, monkeypatch):
    with long_text.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        corpus = Corpus.read(["-"], split=Split(1, 0, 0))
    assert corpus.vocabulary.decode(corpus.train) == as_read(LONG_TEXT.encode())


@pytest.mark.parametrize("kind", ["ascii", "chinese"])
def test_memory_does_not_grow_with_the_text(kind, encodings, long_text, monkeypatch):
    monkeypatch.setattr("charrnn.data.reading._BLOCK", 1 << 16)
    monkeypatch.setattr("charrnn.data.store._BLOCK", 1 << 16)
    piece = ("the quick brown fox\n" if kind == "ascii" else "白日依山尽，黄河\n") * 4000
    peaks = []
    for size in (10, 40):
        long_text.write_bytes(piece.encode() * size)
        for _ in range(2):
            tracemalloc.start()
            Corpus.read([long_text])
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    first, second, longer, longer_second = peaks
    assert longer < first + 200_000
    assert longer_second < second + 200_000


def test_a_spool_gives_back_what_was_written(encodings, rng, monkeypatch):
    kinds = [(50, np.uint8), (0, np.uint8), (30, np.uint32), (70, np.uint16)]
    pieces = [rng.integers(0, 200, n).astype(kind) for n, kind in kinds]
    for small in (0, 60, 1 << 20):
        monkeypatch.setattr(token_buffer, "SMALL", small)
        with TokenBuffer() as spooled:
            for piece in pieces:
                spooled.write(piece)
            for _ in range(2):
                for a, b in zip(spooled.pieces(), pieces, strict=True):
                    assert a.dtype == b.dtype
                    np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not STATUS.exists(), reason="Linux tells, others do not")
def test_released_pages_are_given_back_and_read_anew(encodings):
    def in_files():
        lines = STATUS.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))

    with TokenBuffer() as spooled:
        for n in range(16):
            spooled.write(np.full(1 << 20, n, np.uint8))
        ids = spooled.whole(np.uint8)[5:]
    before = in_files()
    total = ids.sum()
    assert in_files() > before + 15_000
    drop_pages(ids)
    assert in_files() < before + 2000
    assert ids.sum() == total
    drop_pages(np.zeros(3))


def test_eval_reads_a_long_text_as_it_reads_a_short_one(encodings, tmp_path, monkeypatch):
    sonnet = tmp_path / "sonnet.txt"
    sonnet.write_text("Shall I compare thee to a summer's day?\n" * 9)
    found = []
    for small in (1 << 25, 10):
        monkeypatch.setattr(token_buffer, "SMALL", small)
        done = CliRunner().invoke(command, [str(sonnet), "--json"], catch_exceptions=False)
        found.append(json.loads(done.stdout))
    assert found[0]["nats_per_char"] == found[1]["nats_per_char"]
    assert found[1]["chars"] == 360
    sonnet.write_text("Shall I compare thee to a summer's day?\n" * 5 + "é and ß")
    with pytest.raises(VocabularyError, match=r"'é' .*number 201 of the text"):
        CliRunner().invoke(command, [str(sonnet)], catch_exceptions=False)
