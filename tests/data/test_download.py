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


@pytest.fixture
def mirror(tmp_path):
    root = tmp_path / "mirror"
    root.mkdir()
    (root / "wine.csv").write_bytes(CONTENT)
    (root / "wine.csv.gz").write_bytes(gzip.compress(CONTENT))
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
