"""Downloads, from a local server."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from charrnn.data import catalogue
from charrnn.data.catalogue import Entry
from charrnn.data.fetch import fetch
from charrnn.errors import FetchError

TEXT = ("How now, good fellow? 何事？ " * 9000).encode()
SHA256 = hashlib.sha256(TEXT).hexdigest()


class Server(ThreadingHTTPServer):
    """A server that records its requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        """The path and the range of each request."""


class Handler(BaseHTTPRequestHandler):
    """Serves TEXT at /text. /cut ends the first response halfway; /plain ignores ranges."""

    server: Server

    def do_GET(self) -> None:
        start = 0
        byte_range = self.headers.get("Range")
        self.server.requests.append((self.path, byte_range))
        if self.path not in ("/text", "/cut", "/plain"):
            self.send_error(404, "Not Found")
            return
        if byte_range and self.path != "/plain":
            start = int(byte_range.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        body = TEXT[start:]
        if self.path == "/plain":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/cut" and not byte_range:
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(server: Server, path: str = "/text", sha256: str = SHA256) -> Entry:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return Entry("play", "A play", len(TEXT), "CC0-1.0", sha256, url)


def files_in(cache: Path) -> list[str]:
    return sorted(f.name for f in cache.iterdir())


def test_a_text_is_fetched_whole(server: Server, cache: Path) -> None:
    progress = list(fetch(entry(server)))
    assert progress[-1] == len(TEXT)
    assert (cache / "play.txt").read_bytes() == TEXT
    assert files_in(cache) == ["play.txt"]


def test_an_interrupted_download_is_an_error_and_the_next_resumes_it(
    server: Server, cache: Path
) -> None:
    with pytest.raises(FetchError, match=r"run the same command again|cut"):
        list(fetch(entry(server, "/cut")))
    assert files_in(cache) == ["play.txt.part"]
    list(fetch(entry(server, "/cut")))
    assert (cache / "play.txt").read_bytes() == TEXT
    assert server.requests[-1] == ("/cut", f"bytes={len(TEXT) // 2}-")


def test_a_server_without_ranges_is_read_from_the_start(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "play.txt.part").write_bytes(TEXT[:1000])
    list(fetch(entry(server, "/plain")))
    assert (cache / "play.txt").read_bytes() == TEXT


def test_a_wrong_hash_leaves_nothing(server: Server, cache: Path) -> None:
    with pytest.raises(FetchError, match="is not the expected text of play"):
        list(fetch(entry(server, sha256="0" * 64)))
    assert files_in(cache) == []


def test_a_missing_page_leaves_nothing(server: Server, cache: Path) -> None:
    with pytest.raises(FetchError, match="404 Not Found"):
        list(fetch(entry(server, "/nowhere")))
    assert files_in(cache) == []


def test_no_server_is_an_error(cache: Path) -> None:
    nobody = Entry("play", "", 10, "", "", "http://127.0.0.1:9/")
    with pytest.raises(FetchError, match="Cannot fetch play"):
        list(fetch(nobody))


def test_a_folder_that_cannot_be_written_is_an_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(FetchError, match="Cannot write"):
        list(fetch(entry(server)))


def test_training_by_name_fetches_the_text_once(
    server: Server, tmp_path: Path, cache: Path
) -> None:
    listed = tmp_path / "catalogue.json"
    listed.write_text(json.dumps([vars(entry(server))]))
    command = [sys.executable, "-m", "charrnn", "train", "play", "--steps", "2", "--hidden", "8",
               "--out", str(tmp_path)]  # fmt: skip
    env = {**os.environ, "CHARRNN_CATALOGUE": str(listed), "CHARRNN_CACHE": str(cache)}
    for fetched in (True, False):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("Fetching play" in done.stderr) == fetched
    assert len(server.requests) == 1


def test_a_failed_download_is_a_one_line_error(server: Server, tmp_path: Path) -> None:
    listed = tmp_path / "catalogue.json"
    listed.write_text(json.dumps([vars(entry(server, "/nowhere"))]))
    env = {
        **os.environ,
        "CHARRNN_CATALOGUE": str(listed),
        "CHARRNN_CACHE": str(tmp_path / "c"),
    }
    command = [sys.executable, "-m", "charrnn", "corpora", "fetch", "play"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: http://127.0.0.1")
    assert "Traceback" not in done.stderr


def test_every_entry_is_complete() -> None:
    for e in catalogue.entries():
        assert e.title
        assert e.bytes > 10_000
        assert e.licence
        assert not e.url or len(bytes.fromhex(e.sha256)) == 32
