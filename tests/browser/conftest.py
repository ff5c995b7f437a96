"""One browser for all tests of pages: Debian's chromium, without any network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import made_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from browsing import Opened

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if os.environ.get("FALLLINE_NO_BROWSER") == "1":
        pytest.skip("FALLLINE_NO_BROWSER=1: pages are not tested in a browser")
    found = [path for path in map(shutil.which, NAMES) if path]
    assert found, (
        f"pages are tested in a browser, and there is none of {', '.join(NAMES)}: "
        "apt-get install chromium, or set FALLLINE_NO_BROWSER=1 to leave these tests out"
    )
    from playwright.sync_api import sync_playwright

    from browsing import PATIENCE

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found[0], args=list(FLAGS), timeout=PATIENCE
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The file of a page, written when it is first asked for."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def write(name: str, evil: bool = False) -> Path:
        file = folder / f"{'evil ' if evil else ''}{name}.html"
        pages = made_pages.EVIL_PAGES if evil else made_pages.PAGES
        file.write_text(pages[name](), encoding="utf-8")
        return file

    return write


@pytest.fixture(scope="session")
def shown(browser: Browser, written: Callable[..., Path]) -> Iterator[Callable[[str], Opened]]:
    """A page that all its tests look at, as it is: none of them acts on it."""
    from browsing import opened

    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(opened(browser, written(name))))


@pytest.fixture
def fresh(browser: Browser, written: Callable[..., Path]) -> Iterator[Callable[..., Opened]]:
    """A page of a test's own, to act on."""
    from browsing import opened

    with ExitStack() as stack:

        def open_(name: str, *, evil: bool = False) -> Opened:
            return stack.enter_context(opened(browser, written(name, evil)))

        yield open_
