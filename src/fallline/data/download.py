"""Downloads over HTTP: a file is in its place only when it is whole and its checksum is right."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from fallline.data.files import check_md5, content
from fallline.errors import DataError

TIMEOUT = 30.0
"""Seconds without an answer or without data after which a download is given up."""


def fetch(url: str, folder: Path, md5: str) -> Path:
    """The file at ``url``, stored in ``folder`` under its own name.

    ``md5`` is that of the uncompressed content. Raises OSError where there is no network, no
    such file or no permission to write, DataError where the content is another.
    """
    import pooch
    import requests

    path = folder / url.rsplit("/", 1)[1]
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    os.close(handle)
    part = Path(temporary)
    try:
        try:
            pooch.HTTPDownloader(timeout=TIMEOUT)(url, str(part), None)
        except (requests.ConnectionError, requests.Timeout):
            # What requests says of it is a paragraph about connection pools.
            raise OSError(f"no connection to {urlsplit(url).hostname}") from None
        try:
            check_md5(content(part), md5, path)
        except DataError as error:
            raise DataError(
                f"{url} is not the file expected: {error}",
                hint="fetch it from elsewhere and give its folder with --data-dir",
            ) from None
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
