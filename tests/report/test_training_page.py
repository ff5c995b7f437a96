"""The page of a training: self-contained, escaped, sized, with every picture that there is."""

from __future__ import annotations

import html.parser
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from fallline.report.training_page import render
from portraits import EVIL, evil, images, table


class Outline(html.parser.HTMLParser):
    """What a page loads, says, draws and runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.places: list[str] = []
        self.words: list[str] = []
        self.content = ""
        self.scripts = 0
        self.wrong = 0
        self._in: str | None = None
        self._id = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.loads += [value for name, value in attrs if name in ("src", "href")]
        self.places += [given["data-chart"]] if "data-chart" in given else []
        self.wrong += tag in ("li", "tr") and given.get("class") == "wrong"
        self.scripts += tag == "script"
        if tag in ("script", "style"):
            self._in, self._id = tag, given.get("id", "")

    def handle_endtag(self, tag):
        if tag == self._in:
            self._in = None

    def handle_data(self, data):
        if self._in is None:
            self.words.append(data)
        elif self._id == "content":
            self.content += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def outline() -> Outline:
    return Outline(render(images()))


def test_nothing_is_loaded_from_elsewhere(outline: Outline) -> None:
    assert outline.loads
    assert all(address.startswith("data:") for address in outline.loads)


def test_every_chart_has_a_place_and_every_place_a_chart(outline: Outline) -> None:
    charts = [chart["key"] for chart in json.loads(outline.content)["charts"]]
    assert charts == outline.places == ["loss", "metric", "gap-loss", "gap-metric"]


def test_the_diagnosis_stands_with_its_rule(outline: Outline) -> None:
    assert "Over-fitting since epoch 4." in outline.text
    assert "lowest in epoch 3 (0.5) and has risen by 23 % since" in outline.text
    assert "6 times the epoch-to-epoch noise" in outline.text


def test_mistakes_are_marked_with_both_labels(outline: Outline) -> None:
    # Two of the 25 predictions, and the same two as the mistakes that it was surest of.
    assert outline.wrong == 4
    assert re.search(r"✗ dog is cat · 90 %", outline.text)
    assert "cat taken for dog: 1" in outline.text


def test_report_network_and_weights_are_there(outline: Outline) -> None:
    assert "weighted by support 0.936 0.933 0.933 30" in outline.text
    assert re.search(r"Dense_0 Dense 16 1,552 parameters frozen", outline.text)
    assert "Conv_0: 8 kernels" in outline.text
    # 25 + 25 + 2 pictures, 8 kernels, the icon.
    assert len(outline.loads) == 61


def test_the_page_stays_below_five_megabytes() -> None:
    draw = np.random.default_rng(0)
    given = images()
    x = draw.integers(0, 256, (25, 28, 28), dtype=np.uint8)
    held = replace(given.predictions, x=x, surest_x=x[:2])
    large = replace(
        given,
        input_shape=(28, 28),
        examples=replace(given.examples, x=x),
        predictions=held,
        first_weights=replace(
            given.first_weights, values=draw.normal(size=(128, 28, 28)), kernel=False
        ),
    )
    assert len(render(large).encode()) < 5_000_000 + 64 * 28 * 28 * 3, "noise packs worst"
    assert len(render(given).encode()) < 4_950_000


def test_names_that_a_user_chose_are_text() -> None:
    page = render(evil())
    assert EVIL not in page
    plain = Outline(page)
    assert plain.scripts == Outline(render(images())).scripts
    assert plain.text.count(EVIL) >= 10
    json.loads(plain.content)


def test_a_regression_has_errors_instead_of_classes() -> None:
    found = Outline(render(table()))
    charts = [chart["key"] for chart in json.loads(found.content)["charts"]]
    assert charts == [*found.places[:4], "scatter", "residuals"] == found.places
    assert "Confusion matrix" not in found.text
    assert "mean of +0.1 and a standard deviation of 0.400" in found.text
    assert "length" in found.text


def test_many_classes_are_a_picture() -> None:
    names = tuple(f"class {at}" for at in range(30))
    page = render(images(classes=names))
    assert 'class="matrix"' in page
    assert "class 29" in page


def test_a_diverged_training_has_a_page_without_predictions() -> None:
    given = images(
        predictions=None,
        first_weights=None,
        diverged=True,
        status="diverged",
        train_loss=np.array([1.0, np.nan]),
        train_metric=np.array([0.5, 0.1]),
        validation_loss=np.array([1.0, np.inf]),
        validation_metric=np.array([0.5, np.nan]),
    )
    found = Outline(render(given))
    assert "Diverged." in found.text
    assert "nothing that they could predict" in found.text


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_training_without_a_course_has_a_page(epochs: int) -> None:
    curve = np.full(epochs, 0.5)
    given = images(
        train_loss=curve, train_metric=curve, validation_loss=curve, validation_metric=curve
    )
    assert Outline(render(given)).places


def test_without_validation_there_is_no_gap() -> None:
    none = np.full(6, np.nan)
    found = Outline(render(images(validation_loss=none, validation_metric=none)))
    assert found.places == ["loss", "metric"]
    assert "Without a validation split" not in found.text or "Fit cannot be told" in found.text
