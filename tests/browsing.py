"""A page in a browser: what went wrong while it was open, and what a reader meets in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROBES = Path(__file__).parent / "browser" / "probes.js"
WIDTH, HEIGHT = 1280, 900
PATIENCE = 120_000
"""Milliseconds: a busy machine is no fault of a page."""


@dataclass(frozen=True)
class Opened:
    """An open page, and what must not have happened in it so far."""

    page: Page
    faults: list[str]
    """Errors and warnings on the console, uncaught errors, dialogs, requests for other files."""


@contextmanager
def opened(browser: Browser, file: Path, *, width: int = WIDTH) -> Iterator[Opened]:
    """The page of ``file`` in a window of its own, without any network."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, offline=True)
    context.add_init_script(path=PROBES)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []

    def said(message: Any) -> None:
        if message.type in ("error", "warning"):
            faults.append(f"console {message.type}: {message.text}")

    def asked(request: Any) -> None:
        if request.url != file.as_uri() and not request.url.startswith(("data:", "blob:")):
            faults.append(f"request: {request.url}")

    def spoke(dialog: Any) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("dialog", spoke)
    page.on("request", asked)
    page.goto(file.as_uri())
    yield Opened(page, faults)
    context.close()


def empty_charts(page: Page) -> list[str]:
    """The places of charts in which nothing is drawn."""
    return page.evaluate("probes.emptyCharts()")


def cut_off(page: Page, width: int) -> list[str]:
    """Texts that a window of ``width`` pixels does not show whole; the page if it scrolls aside."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.wait_for_function("probes.settled()")
    found: list[str] = []
    for _ in range(20):  # charts follow the window after a moment
        found = page.evaluate("probes.cutOff()")
        if not found:
            break
        page.wait_for_timeout(200)
    return found


@dataclass(frozen=True)
class Walk:
    """A way through a page with the Tab key."""

    controls: int
    missed: list[str]
    """Controls that Tab did not reach."""
    unseen: list[str]
    """What had the focus without a ring that shows it."""


def walk(page: Page) -> Walk:
    """Press Tab until every control had its turn."""
    controls = page.evaluate("probes.watch()")
    for _ in range(controls + 1):
        page.keyboard.press("Tab")
    for _ in range(controls):  # a frame that scrolls is a stop of its own
        if not page.evaluate("probes.walked()")["missed"]:
            break
        page.keyboard.press("Tab")
    return Walk(controls, **page.evaluate("probes.walked()"))
