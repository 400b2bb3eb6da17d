"""Downloads, from a local server."""

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from charrnn.data import catalogue
from charrnn.data.catalogue import Entry
from charrnn.data.fetch import fetch
from charrnn.errors import CorpusError, FetchError

TEXT = ("How now, good fellow? 何事？ " * 9000).encode()
SHA256 = hashlib.sha256(TEXT).hexdigest()


class Server(ThreadingHTTPServer):
    """A server that records its requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        """The path and the range of each request."""


class Handler(BaseHTTPRequestHandler):
    """Serves TEXT at /text. /cut ends the first response halfway; /plain ignores ranges; /endless
    never stops; /drip sends a byte at a time; /range refuses ranges; /file redirects to a file.
    """

    server: Server

    def do_GET(self) -> None:
        start = 0
        byte_range = self.headers.get("Range")
        self.server.requests.append((self.path, byte_range))
        if self.path in ("/endless", "/drip"):
            self._keep_sending()
            return
        if self.path == "/file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        if self.path == "/range" and byte_range:
            self.send_error(416, "Range Not Satisfiable")
            return
        if self.path not in ("/text", "/cut", "/plain", "/range"):
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

    def _keep_sending(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # until the client hangs up
            while True:
                self.wfile.write(TEXT if self.path == "/endless" else b"x")
                if self.path == "/drip":
                    time.sleep(0.05)

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


def test_a_server_that_sends_too_much_is_cut_off(server: Server, cache: Path) -> None:
    with pytest.raises(FetchError, match=f"sends more than the {len(TEXT):,} bytes of play"):
        list(fetch(entry(server, "/endless")))
    assert files_in(cache) == []


def test_a_server_that_sends_too_slowly_is_given_up(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.data.fetch._GRACE", 0.3)
    monkeypatch.setattr("charrnn.data.fetch._MIN_SPEED", 1e9)
    with pytest.raises(FetchError, match=r"is too slow: .* Run the same command again"):
        list(fetch(entry(server, "/drip")))
    assert files_in(cache) == ["play.txt.part"]


def test_a_refused_range_starts_the_download_again(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "play.txt.part").write_bytes(TEXT[:1000])
    list(fetch(entry(server, "/range")))
    assert (cache / "play.txt").read_bytes() == TEXT


def test_a_second_process_waits_for_the_first(server: Server, cache: Path) -> None:
    first, second = fetch(entry(server)), fetch(entry(server))
    next(first)
    assert next(second) <= len(TEXT)
    list(first)
    list(second)
    assert (cache / "play.txt").read_bytes() == TEXT
    assert len(server.requests) == 1


def test_a_redirect_to_a_file_is_not_followed(server: Server, cache: Path) -> None:
    with pytest.raises(FetchError, match="302"):
        list(fetch(entry(server, "/file")))
    assert files_in(cache) == []


def test_a_planted_link_is_not_written_through(server: Server, cache: Path, tmp_path: Path) -> None:
    cache.mkdir()
    (tmp_path / "mine").write_text("precious")
    (cache / "play.txt.part").symlink_to(tmp_path / "mine")
    with pytest.raises(FetchError, match="Cannot write"):
        list(fetch(entry(server)))
    assert (tmp_path / "mine").read_text() == "precious"


def test_an_untrusted_certificate_is_refused(cache: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-keyout", key, "-out", tmp_path / "certificate.pem"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl cannot make a certificate")
    with Server() as secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "certificate.pem", key)
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        thread = threading.Thread(target=secure.serve_forever, daemon=True)
        thread.start()
        url = f"https://localhost:{secure.server_port}/text"
        with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
            list(fetch(Entry("play", "", len(TEXT), "", SHA256, url)))
        secure.shutdown()
        thread.join()
    assert files_in(cache) == []


GOOD = {"name": "play", "title": "A play", "bytes": 9, "licence": "CC0-1.0", "sha256": "A" * 64,
        "url": "https://example.org/play"}  # fmt: skip


def user_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    (tmp_path / "catalogue.json").write_text(json.dumps(content))
    monkeypatch.setenv("CHARRNN_CATALOGUE", str(tmp_path / "catalogue.json"))


def test_a_sha256_may_be_upper_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user_catalogue(tmp_path, monkeypatch, [GOOD])
    found = catalogue.find("play")
    assert found
    assert found.sha256 == "a" * 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../../x"}, "is not a name"),
        ({"name": "/tmp/x"}, "is not a name"),
        ({"name": "a\x1b[31m"}, "is not a name"),
        ({"name": 3}, "name is '3'; it must be str"),
        ({"bytes": "many"}, "bytes is 'many'; it must be int"),
        ({"bytes": True}, "bytes is 'True'; it must be int"),
        ({"bytes": -1}, "bytes of play is -1"),
        ({"sha256": "abc"}, "not 64 hexadecimal digits"),
        ({"url": "file:///etc/passwd"}, "not http or https"),
        ({"url": "ftp://example.org/"}, "not http or https"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_a_bad_catalogue_entry_is_refused(
    change: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_catalogue(tmp_path, monkeypatch, [{**GOOD, **change}])
    with pytest.raises(CorpusError, match=re.escape(message)):
        catalogue.entries()


@pytest.mark.parametrize("content", [3, "x", {"name": "play"}, [3], [None], [[]]])
def test_a_catalogue_that_is_no_list_of_entries_is_refused(
    content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_catalogue(tmp_path, monkeypatch, content)
    with pytest.raises(CorpusError, match="not a valid catalogue"):
        catalogue.entries()
