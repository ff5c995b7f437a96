"""Downloads over HTTPS: a file is in its place only when it is whole and its checksum is right."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from fallline.data.files import check_md5, content
from fallline.errors import DataError

TIMEOUT = 30.0
"""Seconds without an answer or without data after which a download is given up."""
LARGEST = 2**28
"""Bytes that a download may have, and its content unpacked."""
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)


def fetch(url: str, folder: Path, md5: str, *, largest: int = LARGEST) -> Path:
    """The file at ``url``, stored in ``folder`` under its own name.

    ``md5`` is that of the uncompressed content, of at most ``largest`` bytes. Raises OSError where
    there is no network, no such file or no permission to write, DataError where the content is
    another or too large, and where the address, or one that it leads to, is not of HTTPS.
    """
    import pooch
    import requests

    _check_address(url, url)
    path = folder / _name(url)
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    part = Path(temporary)
    try:
        try:
            with os.fdopen(handle, "wb") as file:
                get = pooch.HTTPDownloader(timeout=TIMEOUT, hooks={"response": _check_redirect})
                get(url, _Limited(file, url, largest), None)
        except (requests.ConnectionError, requests.Timeout):
            # What requests says of it is a paragraph about connection pools.
            raise OSError(f"no connection to {urlsplit(url).hostname}") from None
        try:
            check_md5(content(part, largest=largest), md5, path)
        except DataError as error:
            raise DataError(
                f"{url} is not the file expected: {error}",
                hint="fetch it from elsewhere and give its folder with --data-dir",
            ) from None
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


class _Limited:
    """A file that takes so many bytes and no more."""

    def __init__(self, file: IO[bytes], url: str, largest: int) -> None:
        self._file, self._url, self._largest = file, url, largest
        self._left = largest

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"{self._url} is larger than {self._largest} bytes",
                hint="fetch it from elsewhere and give its folder with --data-dir",
            )
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _name(url: str) -> str:
    """The name of the file at ``url``: one that stays in its folder, and is not hidden there."""
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    if not _NAME.fullmatch(name):
        raise DataError(f"{url} names no file", hint="give the address of a file")
    return name


def _check_address(url: str, origin: str) -> None:
    """Only HTTPS: nobody on the way reads or changes it. To this machine there is no way."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
        return
    leads = "" if url == origin else f"{origin} leads to "
    raise DataError(
        f"{leads}{url}: only https:// is fetched",
        hint="fetch it from elsewhere and give its folder with --data-dir",
    )


def _check_redirect(response: Any, *args: Any, **kwargs: Any) -> None:
    if response.is_redirect:
        _check_address(urljoin(response.url, response.headers["location"]), response.url)
