"""Downloads from a server of this test: whole and checked, or not there at all."""

from __future__ import annotations

import gzip
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fallline.data.download import fetch
from fallline.errors import DataError

CONTENT = b"grapes" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        """A path that begins with /to/ leads to the address after it."""
        if not self.path.startswith("/to/"):
            super().do_GET()
            return
        self.send_response(302)
        self.send_header("Location", self.path.removeprefix("/to/"))
        self.end_headers()


@pytest.fixture
def mirror(tmp_path):
    root = tmp_path / "mirror"
    root.mkdir()
    (root / "wine.csv").write_bytes(CONTENT)
    (root / "wine.csv.gz").write_bytes(gzip.compress(CONTENT))
    (root / "bomb.gz").write_bytes(gzip.compress(bytes(2**20)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["wine.csv", "wine.csv.gz"])
def test_a_file_is_fetched_to_its_name(mirror, tmp_path, name):
    path = fetch(f"{mirror}/{name}", tmp_path / "cache" / "wine", MD5)
    assert path == tmp_path / "cache" / "wine" / name
    assert path.read_bytes() == (tmp_path / "mirror" / name).read_bytes()


def test_another_content_is_refused_and_not_kept(mirror, tmp_path):
    with pytest.raises(DataError, match=r"wine\.csv is not the file expected: .* wrong checksum"):
        fetch(f"{mirror}/wine.csv", tmp_path / "cache", "0" * 32)
    assert list((tmp_path / "cache").iterdir()) == []


def test_absent_file_and_absent_server(mirror, tmp_path):
    with pytest.raises(OSError, match="404"):
        fetch(f"{mirror}/beer.csv", tmp_path / "cache", MD5)
    with pytest.raises(OSError, match=r"no connection to 127\.0\.0\.1"):
        fetch("http://127.0.0.1:9/wine.csv", tmp_path / "cache", MD5)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_redirect_is_followed_where_it_is_safe(mirror, tmp_path):
    path = fetch(f"{mirror}/to//wine.csv", tmp_path / "cache", MD5)
    assert path.name == "wine.csv"
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("elsewhere", ["http://example.org/wine.csv", "ftp://example.org/wine.csv"])
def test_a_redirect_out_of_https_is_refused(mirror, tmp_path, elsewhere):
    with pytest.raises(DataError, match=f"leads to {elsewhere}: only https:// is fetched"):
        fetch(f"{mirror}/to/{elsewhere}", tmp_path / "cache", MD5)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("url", ["http://example.org/wine.csv", "file:///etc/hostname"])
def test_only_https_is_asked(tmp_path, url):
    with pytest.raises(DataError, match="only https:// is fetched"):
        fetch(url, tmp_path / "cache", MD5)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a%2Fb", "C:\\x", "?x=1"])
def test_an_address_that_names_no_file_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="names no file"):
        fetch(f"https://example.org/{name}", tmp_path / "cache", MD5)


@pytest.mark.parametrize(("name", "largest"), [("wine.csv", 5999), ("bomb.gz", 100_000)])
def test_too_large_a_file_is_given_up(mirror, tmp_path, name, largest):
    with pytest.raises(DataError, match=f"larger than {largest} bytes"):
        fetch(f"{mirror}/{name}", tmp_path / "cache", MD5, largest=largest)
    assert list((tmp_path / "cache").iterdir()) == []


def test_every_address_of_the_registry_that_is_fetched_is_of_https():
    from fallline.data.sources import SOURCES

    fetched = [file.url for each in SOURCES.values() if each.downloadable for file in each.files]
    assert fetched
    assert all(url.startswith("https://") for url in fetched)
