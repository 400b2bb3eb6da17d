"""The store of encodings: reuse, invalidation, damage, concurrency and eviction."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn.data import store
from charrnn.data.corpus import Corpus
from charrnn.data.encode import encode
from charrnn.data.reading import Source, TextOptions
from charrnn.data.store import Encoded
from charrnn.errors import CorpusError
from charrnn.nn.params import Ids
from tests.conftest import LONG_TEXT, as_read

CHAR = TextOptions()


def entries(encodings: Path) -> list[str]:
    return sorted(p.name for p in encodings.iterdir()) if encodings.exists() else []


def text_of(encoded: Encoded) -> str:
    return encoded.vocabulary.decode(encoded.ids)


def test_a_second_read_uses_the_store(encodings: Path, long_text: Path, decoded: list[str]) -> None:
    first = Corpus.read([long_text])
    second = Corpus.read([long_text])
    assert decoded == [str(long_text)]
    assert (second.sha256, second.vocabulary) == (first.sha256, first.vocabulary)
    for a, b in zip(first.parts.values(), second.parts.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_text_under_another_name_is_the_same_text(
    encodings: Path, long_text: Path, decoded: list[str]
) -> None:
    encode([Source.of(long_text)], CHAR, "text")
    encode([Source.of(long_text.rename(long_text.with_name("other.txt")))], CHAR, "text")
    assert len(decoded) == 1


@pytest.mark.parametrize(
    "change", [{"unit": "byte"}, {"keep_newlines": True}, {"min_count": 2}, {"encoding": "gb18030"}]
)
def test_other_options_are_another_encoding(
    change: dict[str, Any], encodings: Path, long_text: Path, decoded: list[str]
) -> None:
    long_text.write_bytes("白日依山尽。\r\n".encode("gb18030") * 40 + b"x")
    before = TextOptions(encoding="cp437")
    encode([Source.of(long_text)], before, "text")
    encode([Source.of(long_text)], dataclasses.replace(before, **change), "text")
    assert len(decoded) == len(entries(encodings)) == 2


def test_a_change_with_the_same_size_and_time_is_detected(encodings: Path, long_text: Path) -> None:
    encode([Source.of(long_text)], CHAR, "text")
    times = long_text.stat().st_atime_ns, long_text.stat().st_mtime_ns
    changed = LONG_TEXT.replace("sweet", "swart", 1).encode()
    with long_text.open("r+b") as file:
        file.write(changed)
    os.utime(long_text, ns=times)
    assert text_of(encode([Source.of(long_text)], CHAR, "text")) == as_read(changed)


def test_the_same_bytes_cut_into_other_files_are_another_encoding(encodings: Path) -> None:
    data = LONG_TEXT.encode()
    for cut in (200, 201):
        encoded = encode([Source("a", data[:cut]), Source("b", data[cut:])], CHAR, "text")
        assert encoded.ends == [len(as_read(data[:cut])), len(encoded.ids)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_damaged_entry_is_replaced(
    place: float, bit: int, encodings: Path, long_text: Path, decoded: list[str]
) -> None:
    encode([Source.of(long_text)], CHAR, "text")
    (entry,) = encodings.iterdir()
    good = entry.read_bytes()
    bad = bytearray(good)
    bad[int(place * len(bad))] ^= 1 << bit
    entry.write_bytes(bad)
    decoded.clear()
    assert text_of(encode([Source.of(long_text)], CHAR, "text")) == as_read(LONG_TEXT.encode())
    assert len(decoded) == 1
    assert entry.read_bytes() == good


@pytest.mark.parametrize("left", [0, 3, 4, 64, 500, -4, -1])
@pytest.mark.parametrize("filling", [b"", b"\0"])
def test_a_truncated_entry_is_replaced(
    left: int, filling: bytes, encodings: Path, long_text: Path
) -> None:
    encode([Source.of(long_text)], CHAR, "text")
    (entry,) = encodings.iterdir()
    good = entry.read_bytes()
    entry.write_bytes(good[:left] + filling * len(good[left:]))
    assert text_of(encode([Source.of(long_text)], CHAR, "text")) == as_read(LONG_TEXT.encode())
    assert entry.read_bytes() == good


def test_an_entry_of_another_text_is_not_used(encodings: Path, long_text: Path) -> None:
    encode([Source.of(long_text)], CHAR, "text")
    (entry,) = encodings.iterdir()
    other = LONG_TEXT.replace("lord", "king").encode()
    where = encode([Source("other", other)], CHAR, "other").identity.entry
    entry.replace(where)
    assert text_of(encode([Source("other", other)], CHAR, "other")) == as_read(other)


CHILD = """
import hashlib, sys
from charrnn.data import token_buffer
from charrnn.errors import CharRNNError
from charrnn.data.corpus import Corpus
token_buffer.SMALL = 1000
sys.stdin.readline()
try:
    print(hashlib.sha256(Corpus.read([sys.argv[1]]).train).hexdigest())
except CharRNNError as error:
    print(error)
"""


def start(long_text: Path, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", before + CHILD, str(long_text)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_processes_can_encode_the_same_text_at_once(encodings: Path, long_text: Path) -> None:
    long_text.write_bytes(LONG_TEXT.encode() * 500)
    children = [start(long_text) for _ in range(3)]
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    hashes = {child.communicate()[0] for child in children}
    assert len(hashes) == 1
    assert len(entries(encodings)) == 1
    child = start(long_text)
    assert {child.communicate("go\n")[0]} == hashes


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
@pytest.mark.parametrize("room", [1500, 100_050])
def test_a_full_disk_is_a_one_line_error_and_leaves_nothing(
    room: int, encodings: Path, long_text: Path
) -> None:
    """The text has 100 kB: the disk fills while reading it or while writing its ids."""
    long_text.write_bytes(b"ab" * 50_000)
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({room}, {room}))\n"
    said = start(long_text, limit).communicate("go\n")[0]
    assert said.startswith(f"Cannot write the encoded text to {encodings}: ")
    assert "CHARRNN_CACHE" in said
    assert len(said.splitlines()) == 1
    assert entries(encodings) == []


def test_a_folder_that_cannot_be_written_stops_long_texts_only(
    encodings: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(CorpusError, match=r"Cannot write .*CHARRNN_CACHE"):
        encode([Source("a", LONG_TEXT.encode())], CHAR, "a")
    assert len(encode([Source("a", b"ab" * 20)], CHAR, "a").ids) == 40


def test_an_interrupted_write_leaves_nothing(encodings: Path) -> None:
    def pieces() -> Iterator[Ids]:
        yield np.zeros(10, np.uint8)
        raise KeyboardInterrupt

    identity = store.Identity("0" * 64, [10], CHAR)
    vocabulary = encode([Source("a", b"ab")], CHAR, "a").vocabulary
    with pytest.raises(KeyboardInterrupt):
        store.save(identity, vocabulary, [20], pieces())
    assert entries(encodings) == []


def test_concurrent_writes_of_the_same_text_succeed(
    encodings: Path, rng: np.random.Generator
) -> None:
    first, second = rng.integers(0, 2, (2, 100)).astype(np.uint8)
    identity = store.Identity("0" * 64, [200], CHAR)
    vocabulary = encode([Source("a", b"ab")], CHAR, "a").vocabulary

    def pieces(overtaken: bool) -> Iterator[Ids]:
        yield first
        if overtaken:
            store.save(identity, vocabulary, [200], pieces(False))
        yield second

    saved = store.save(identity, vocabulary, [200], pieces(True))
    loaded = store.load(identity)
    for encoded in (saved, loaded):
        assert encoded
        np.testing.assert_array_equal(encoded.ids, np.concatenate([first, second]))
    assert entries(encodings) == [identity.entry.name]


def test_the_least_recently_used_encoding_is_evicted(
    encodings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [Source(c, LONG_TEXT.replace("lord", c * 4).encode()) for c in "abcd"]
    made = []
    for when, source in enumerate(sources[:3]):
        made.append(encode([source], CHAR, "a").identity.entry)
        os.utime(made[-1], (when, when))
    encode([sources[0]], CHAR, "a")  # used again
    monkeypatch.setattr(store, "MAX_BYTES", 3 * made[0].stat().st_size + 100)
    made.append(encode([sources[3]], CHAR, "a").identity.entry)
    assert [path.exists() for path in made] == [True, False, True, True]
    monkeypatch.setattr(store, "MAX_BYTES", 1)
    newest = encode([Source("e", LONG_TEXT.encode() * 2)], CHAR, "a")
    assert entries(encodings) == [newest.identity.entry.name]
    assert text_of(newest) == as_read(LONG_TEXT.encode() * 2)


def test_unfinished_files_are_removed_after_a_day(encodings: Path, long_text: Path) -> None:
    encodings.mkdir(parents=True)
    for name in ("old.part", "new.part", "old.txt"):
        (encodings / name).write_text("")
    for name in ("old.part", "old.txt"):
        os.utime(encodings / name, (1, 1))
    entry = encode([Source.of(long_text)], CHAR, "text").identity.entry.name
    assert entries(encodings) == sorted([entry, "new.part", "old.txt"])
