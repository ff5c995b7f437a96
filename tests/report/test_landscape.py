"""The picture of a walk: its geometry, its levels and axes, its page and its stills."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from fallline.landscapes import Path, Walk, landscape
from fallline.landscapes.surface import Landscape
from fallline.records import Status
from fallline.report import landscape_figure as figure
from fallline.report import landscape_page, landscape_still
from fallline.report import landscape_words as words


def path(
    ground: Landscape, points: list[list[float]], label: str = "sgd", diverged: bool = False
) -> Path:
    """A path through ``points``, with slopes that fall to nothing."""
    at = np.asarray(points, float)
    return Path(
        label=label,
        optimizer="sgd",
        title="Stochastic gradient descent",
        hyperparameters={"learning_rate": 0.1},
        chosen_by="tuned",
        points=at,
        values=ground.values(*at.T),
        slopes=np.linspace(1.0, 0.0, len(at)),
        status=Status.DIVERGED if diverged else Status.DONE,
    )


@pytest.fixture
def walked() -> Walk:
    ground = landscape("quadratic")
    good = path(ground, [[0, 0], [0, 0.5], [0.5, 0.5], [1, 1]], "gd")
    bad = path(ground, [[0, 0], [3, 3], [-50, 1e9]], "bad", diverged=True)
    return Walk(ground, (good, bad), 3)


@pytest.fixture
def on_a_line() -> Walk:
    ground = landscape("1/x + x^2").at(start=(0.5,))
    return Walk(ground, (path(ground, [[0.5], [1.0], [0.8]]),), 2)


def test_segments_are_cut_at_the_edges() -> None:
    points = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 9.0], [-7.5, -1.0], [0.5, 0.5], [np.inf, 1.0]])
    cut = figure.clipped(points, 0.0, 1.0)
    np.testing.assert_allclose(cut[0], [0.5, 0.5, 1.0, 0.5])
    assert np.isnan(cut[1]).all(), "both ends outside, on one side"
    assert np.isnan(cut[2]).all(), "passes beside the box"
    np.testing.assert_allclose(cut[3], [0.0, 0.40625, 0.5, 0.5])
    assert np.isnan(cut[4]).all()


def test_a_leap_across_the_whole_box_is_seen() -> None:
    cut = figure.clipped(np.array([[-1e6, -1e6], [1e6, 1e6]]), 0.0, 1.0)
    np.testing.assert_allclose(cut, [[0.0, 0.0, 1.0, 1.0]], atol=1e-9)


def test_a_step_that_stays_is_a_segment_of_no_length() -> None:
    np.testing.assert_allclose(figure.clipped(np.full((2, 2), 0.3), 0.0, 1.0), [[0.3] * 4])


def test_levels_of_a_bowl_are_as_far_apart_as_its_circles() -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 101), np.linspace(-1, 1, 101))
    radii = np.sqrt(figure.levels(x * x + y * y, 0.0))
    assert len(radii) == figure.LEVELS - 1
    assert np.all(np.diff(radii) > 0)
    assert np.median(x * x + y * y) == pytest.approx(np.median(radii) ** 2, rel=0.15)


def test_levels_of_a_steep_valley_go_by_even_ratios() -> None:
    picture = figure.Picture(Walk(landscape("rosenbrock"), (), 1))
    ratios = picture.levels[1:] / picture.levels[:-1]
    np.testing.assert_allclose(ratios, ratios[0])
    assert picture.levels[-1] > 1e3 * picture.levels[0] > 0


def test_a_plain_has_no_levels() -> None:
    assert figure.levels(np.ones((3, 3)), None).size == 0
    assert figure.levels(np.full((3, 3), np.nan), None).size == 0


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 200, ["0", "50", "100", "150", "200"]),
        (-2, 2, ["−2", "−1", "0", "1", "2"]),
        (0.001, 0.0031, ["0.001", "0.0015", "0.002", "0.0025", "0.003"]),
    ],
)
def test_linear_ticks_are_round(low: float, high: float, wanted: list[str]) -> None:
    ticks = [text for _, text in figure.linear_axis(low, high, "").ticks]
    if wanted != ticks:
        assert set(wanted[::2]) <= set(ticks)
    assert 4 <= len(ticks) <= 8


@pytest.mark.parametrize(("low", "high"), [(1e-12, 1e3), (0.5, 40.0), (17.0, 44.0), (1.0, 1.1)])
def test_log_ticks_are_in_sight_and_several(low: float, high: float) -> None:
    axis = figure.log_axis(low, high, "")
    assert axis.log
    assert 1 <= len(axis.ticks) <= 10
    assert all(axis.low <= at <= axis.high for at, _ in axis.ticks)
    np.testing.assert_allclose(
        axis.share(np.array([10**axis.low, 10**axis.high])), [0, 1], atol=1e-9
    )


def test_a_pole_does_not_flatten_the_curve(on_a_line: Walk) -> None:
    picture = figure.Picture(on_a_line)
    up = picture.axes[1]
    assert np.nanmax(picture.y) > 50 > up.high
    assert up.low < 0 < up.high
    np.testing.assert_allclose(picture.seen(np.array([[1.0]])), [[1.0, 2.0]])


def test_words_say_how_a_path_ended(walked: Walk) -> None:
    good, bad = walked.paths
    ground = walked.landscape
    assert words.outcome(walked, good) == "at the minimum (1, 1)"
    assert words.outcome(walked, bad) == "diverged at step 2"
    away = path(ground, [[0, 0], [0.5, 0], [3, 0], [2, 0]])
    assert words.outcome(walked, away) == "left the box at step 2"
    resting = path(ground, [[0, 0], [0.5, -0.25]])
    assert words.outcome(walked, resting) == "at rest at (0.5, −0.25)"
    moving = replace(resting, slopes=np.ones(2))
    assert words.outcome(walked, moving) == "ended at (0.5, −0.25)"
    two = landscape("polynomial")
    higher = path(two, [[0.0], [2.1031]])
    assert words.outcome(Walk(two, (higher,), 1), higher) == "at a higher minimum x = 2.103"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.0, "0"),
        (-0.5, "−0.5"),
        (12345.6, "12350"),
        (1.23456e-7, "1.23e−7"),
        (-4e9, "−4e9"),
        (float("inf"), "infinite"),
        (float("nan"), "not finite"),
    ],
)
def test_numbers_are_written_shortly(value: float, wanted: str) -> None:
    assert words.number(value) == wanted


def test_equations_are_printed_as_in_a_book() -> None:
    assert words.equation(landscape("rosenbrock")) == "f(x, y) = (1 − x)² + 100·(y − x²)²"
    assert words.equation(landscape("quadratic")) == "f(x₁, x₂) = x₁² + 2·x₂² − 2·x₁·x₂ − 2·x₂"
    assert words.equation(landscape("x**12 - 1e-3*pi*x^0.5")) == "f(x) = x¹² − 1e-3·π·x^0.5"


def content_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def test_the_page_holds_every_step(walked: Walk) -> None:
    content = content_of(landscape_page.render(walked))
    assert content["frames"] == [0, 1, 2, 3]
    good, bad = content["paths"]
    assert good["points"] == [[0, 0], [0, 0.5], [0.5, 0.5], [1, 1]]
    assert good["values"] == [0.0, -0.5, -0.75, -1.0]
    assert [len(each["segments"]) for each in (good, bad)] == [3, 2]
    assert bad["diverged"] == 2
    assert bad["dots"][1] == [None, None], "out of sight"
    assert None not in bad["segments"][0], "drawn until it leaves"
    # (0, 0) to (0, 1/2) goes straight up by a quarter of a box that is 2 wide.
    left, low, right, high = good["segments"][0]
    assert left == right
    assert low - high == pytest.approx(landscape_page.WIDTH / 4, abs=0.1)


def test_the_page_stands_alone_and_is_light(walked: Walk) -> None:
    page = landscape_page.render(walked)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(['"]?http""", page)
    assert len(page) < 400_000
    assert page.count('class="bands"') == 1
    assert "<svg" in page.split("<script")[0], "it is drawn without script"


class Outline(HTMLParser):
    """Which elements a page has, and with which attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_names_are_escaped_everywhere(walked: Walk) -> None:
    evil = '</script><script>alert("1")</script><img src=x onerror=alert(2)>'
    expression = replace(walked.landscape.expression, text=evil)
    ground = replace(walked.landscape, title=evil, note=evil, source=evil, expression=expression)
    paths = tuple(replace(each, label=evil, title=f'"{evil}') for each in walked.paths)
    page = landscape_page.render(Walk(ground, paths, 3))
    outline = Outline()
    outline.feed(page)
    assert [tag for tag, _ in outline.tags].count("script") == 2
    assert not [tag for tag, _ in outline.tags if tag == "img"]
    assert not any(name.startswith("on") for _, found in outline.tags for name in found)
    assert content_of(page)["paths"][0]["label"] == evil


def test_the_page_can_be_used_by_keyboard(walked: Walk) -> None:
    outline = Outline()
    outline.feed(landscape_page.render(walked))
    buttons = [found for tag, found in outline.tags if tag == "button"]
    assert len(buttons) == 3 + len(walked.paths)
    assert [each["aria-pressed"] for each in buttons if "data-path" in each] == ["true", "true"]
    slider = next(found for tag, found in outline.tags if tag == "input")
    assert (slider["type"], slider["min"], slider["max"]) == ("range", "0", "3")
    pictures = [found for tag, found in outline.tags if found.get("role") == "img"]
    assert len(pictures) == 2
    assert all(each["aria-label"] for each in pictures)


@pytest.mark.parametrize(
    "text", ["0*x + 0*y", "1e300*x^9*y^9", "exp(exp(x + y))", "1e-300*x + y", "1/(x*y)", "log(x)*y"]
)
def test_odd_functions_are_drawn_too(text: str) -> None:
    ground = landscape(text).at(start=(0.5, 0.5))
    walked = Walk(ground, (path(ground, [[0.5, 0.5], [0.5, 0.6], [-1e300, 1e9]]),), 2)
    assert "nan" not in landscape_page.render(walked).partition("<main>")[2].partition("<script")[0]
    assert landscape_still.draw(walked).axes


def test_of_long_walks_some_steps_are_shown() -> None:
    kept = landscape_page.frames(Walk(landscape("booth"), (), 9999))
    assert len(kept) <= landscape_page.MOST_FRAMES + 1
    assert (kept[0], kept[-1]) == (0, 9999)
    assert set(np.diff(kept[:-1])) == {10}


def test_a_walk_on_a_line_has_a_curve(on_a_line: Walk) -> None:
    page = landscape_page.render(on_a_line)
    assert 'class="bands"' not in page
    curve = re.search(r'class="curve" d="([^"]+)"', page)
    assert curve
    assert curve[1].count("M") == 2, "broken at the pole"


@pytest.mark.parametrize(
    ("form", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_stills_are_of_their_format_and_the_same_every_time(
    walked: Walk, form: str, begins: bytes
) -> None:
    paths = tuple(replace(each, label=f"$x_{{{each.label}$") for each in walked.paths)
    odd = replace(walked, paths=paths)
    drawn = landscape_still.render(odd, form)
    assert drawn.startswith(begins)
    if form == "svg":
        assert drawn == landscape_still.render(odd, form)


def test_the_still_draws_what_the_page_draws(walked: Walk, on_a_line: Walk) -> None:
    drawn = landscape_still.draw(walked)
    view, heights = drawn.axes
    assert (view.get_xlabel(), view.get_ylabel()) == ("x1", "x2")
    assert heights.get_ylabel() == "f(x1, x2) above its minimum"
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["gd: at the minimum (1, 1)", "bad: diverged at step 2"]
    curve = landscape_still.draw(on_a_line).axes[0]
    assert (curve.get_xlabel(), curve.get_ylabel()) == ("x", "f(x)")
