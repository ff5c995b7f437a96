"""Every page in a browser: it opens offline without a fault, is drawn, and can be read by all."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from browsing import cut_off, empty_charts, opened, walk
from fallline.report.trace_network import network_picture
from fallline.report.trace_saving import save
from fallline.tracing import trace
from made_pages import EVIL_PAGES, IMAGE, PAGES, SCRIPT

AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
CHARTS = {
    "study": 5,
    "stopped study": 1,
    "series": 8,
    "suite": 1,
    "training of images": 4,
    "training on a table": 6,
    "landscape": 2,
}

pages = pytest.mark.parametrize("name", PAGES)


@pages
def test_it_opens_offline_with_every_chart_drawn(shown, name):
    tab = shown(name)
    assert tab.faults == []
    assert tab.page.locator(".chart, svg.picture").count() >= CHARTS[name]
    assert empty_charts(tab.page) == []


@pages
@pytest.mark.parametrize("width", [400, 1600])
def test_no_text_is_cut_off(shown, name, width):
    assert cut_off(shown(name).page, width) == []


@pages
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(shown, name, scheme):
    page = shown(name).page
    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page, options=AXE)
    assert "color-contrast" in {rule["id"] for rule in found.response["passes"]}
    assert found.violations_count == 0, found.generate_report()


@pages
def test_tab_reaches_every_control_and_shows_where_it_is(fresh, name):
    walked = walk(fresh(name).page)
    assert walked.controls > 0
    assert walked.missed == []
    assert walked.unseen == []


def test_the_picture_of_a_trace_opens(browser, tmp_path):
    file = save(network_picture(trace()), tmp_path / "trace.svg")
    with opened(browser, file) as picture:
        assert picture.page.locator("path").count() > 50
        assert picture.faults == []


FAULTY = """<!doctype html><title>faults</title>
<style>
  .short { width: 40px; overflow: hidden; white-space: nowrap }
  .pale { color: #bbb }
  button { outline: none }
</style>
<p class="short">a text that is longer than its place</p>
<p class="pale">a text that can hardly be seen</p>
<div class="chart"></div>
<button>without a ring</button> <button tabindex="-1">left out</button>
<script src="https://example.org/script.js"></script>
<script>console.error("said"); alert(1)</script>
<script>throw new Error("thrown")</script>
"""


def test_faults_are_seen(browser, tmp_path):
    file = tmp_path / "faulty.html"
    file.write_text(FAULTY, encoding="utf-8")
    with opened(browser, file) as faulty:
        for fault in ("request: https://example.org", "console error: said", "error: thrown"):
            assert any(told.startswith(fault) for told in faulty.faults), faulty.faults
        assert "dialog: 1" in faulty.faults
        assert len(empty_charts(faulty.page)) == 1
        assert [text[:7] for text in cut_off(faulty.page, 400)] == ['"a text']
        assert walk(faulty.page).unseen == ["without a ring"]
        found = Axe().run(faulty.page, options=AXE).response["violations"]
        assert {"color-contrast", "html-has-lang"} <= {rule["id"] for rule in found}


@pytest.mark.parametrize("name", EVIL_PAGES)
def test_names_are_shown_and_never_run(fresh, name):
    tab = fresh(name, evil=True)
    text = tab.page.inner_text("body")
    assert (SCRIPT in text) + (IMAGE in text) == (1 if name == "series" else 2)
    assert tab.page.locator("img[src=x]").count() == 0
    assert tab.faults == []
