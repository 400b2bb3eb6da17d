"""Fetching, against a server on this machine."""

import hashlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from charrnn.data import catalogue
from charrnn.data.catalogue import Entry
from charrnn.data.fetch import fetch
from charrnn.errors import FetchError

TEXT = ("How now, good fellow? 何事？ " * 9000).encode()
SHA256 = hashlib.sha256(TEXT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves TEXT at /text; /cut stops halfway once; /plain knows no ranges."""

    asked: list[str]

    def do_GET(self):
        start = 0
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.path not in ("/text", "/cut", "/plain"):
            self.send_error(404, "Not Found")
            return
        if wanted and self.path != "/plain":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        body = TEXT[start:]
        if self.path == "/plain":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/cut" and not wanted:
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(server, path="/text", sha256=SHA256):
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return Entry("play", "A play", len(TEXT), "CC0-1.0", sha256, url)


def files_in(cache):
    return sorted(f.name for f in cache.iterdir())


def test_a_text_is_fetched_whole(server, cache):
    progress = list(fetch(entry(server)))
    assert progress[-1] == len(TEXT)
    assert (cache / "play.txt").read_bytes() == TEXT
    assert files_in(cache) == ["play.txt"]


def test_a_cut_connection_is_an_error_and_the_next_fetch_goes_on(server, cache):
    with pytest.raises(FetchError, match=r"broke after .* run the same command again"):
        list(fetch(entry(server, "/cut")))
    assert files_in(cache) == ["play.txt.part"]
    list(fetch(entry(server, "/cut")))
    assert (cache / "play.txt").read_bytes() == TEXT
    assert server.asked[-1] == ("/cut", f"bytes={len(TEXT) // 2}-")


def test_a_server_without_ranges_is_read_from_the_start(server, cache):
    cache.mkdir()
    (cache / "play.txt.part").write_bytes(TEXT[:1000])
    list(fetch(entry(server, "/plain")))
    assert (cache / "play.txt").read_bytes() == TEXT


def test_a_wrong_hash_leaves_nothing(server, cache):
    with pytest.raises(FetchError, match="not the expected text of play"):
        list(fetch(entry(server, sha256="0" * 64)))
    assert files_in(cache) == []


def test_a_missing_page_leaves_nothing(server, cache):
    with pytest.raises(FetchError, match="404 Not Found"):
        list(fetch(entry(server, "/nowhere")))
    assert files_in(cache) == []


def test_no_server_is_an_error(cache):
    nobody = Entry("play", "", 10, "", "", "http://127.0.0.1:9/")
    with pytest.raises(FetchError, match="Cannot fetch play"):
        list(fetch(nobody))


def test_a_folder_that_cannot_be_written_is_an_error(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(FetchError, match="Cannot write"):
        list(fetch(entry(server)))


def test_training_by_name_fetches_and_then_just_works(server, tmp_path, cache):
    listed = tmp_path / "catalogue.json"
    listed.write_text(json.dumps([vars(entry(server))]))
    command = [sys.executable, "-m", "charrnn", "train", "play", "--steps", "2", "--hidden", "8",
               "--out", str(tmp_path)]  # fmt: skip
    env = {"CHARRNN_CATALOGUE": str(listed), "CHARRNN_CACHE": str(cache), "PATH": ""}
    for fetched in (True, False):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("Fetching play" in done.stderr) == fetched
    assert len(server.asked) == 1


def test_a_fetch_that_fails_is_one_line(server, tmp_path):
    listed = tmp_path / "catalogue.json"
    listed.write_text(json.dumps([vars(entry(server, "/nowhere"))]))
    env = {"CHARRNN_CATALOGUE": str(listed), "CHARRNN_CACHE": str(tmp_path / "c"), "PATH": ""}
    command = [sys.executable, "-m", "charrnn", "corpora", "fetch", "play"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: http://127.0.0.1")
    assert "Traceback" not in done.stderr


def test_every_entry_is_complete():
    for e in catalogue.entries():
        assert e.title
        assert e.bytes > 10_000
        assert e.licence
        assert not e.url or len(bytes.fromhex(e.sha256)) == 32
