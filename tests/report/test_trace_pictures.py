"""Pictures of traces: every number is there, none lies on another, files are what they say."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from fallline.errors import InputError
from fallline.report.trace_network import brief, network_picture
from fallline.report.trace_saving import check_path, save
from fallline.report.trace_symmetry import parted, symmetry_picture
from fallline.tracing import Trace, drawn, trace
from fallline.tracing.symmetry import ONE_NEURON_FLOOR, Symmetry, symmetry


def words(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def overlaps(figure) -> list[tuple[str, str]]:
    """The pairs of texts that cover each other, by more than a hair."""
    canvas = figure.canvas.get_renderer()
    boxes = [
        (text.get_text(), text.get_window_extent(canvas))
        for axes in figure.axes
        for text in axes.texts
        if text.get_text()
    ]
    return [
        (first, second)
        for (first, one), (second, other) in itertools.combinations(boxes, 2)
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 3
    ]


def outside(figure) -> list[str]:
    canvas = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    found = []
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent(canvas)
            if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
                found.append(text.get_text())
    return found


LARGEST = (6, 6, 6, 6, 6)


@pytest.fixture(scope="module")
def largest() -> Trace:
    network = drawn(
        LARGEST, hidden="tanh", output="softmax", loss="cross_entropy", bias=True, seed=3
    )
    return trace(network, [0.5, 1, -1, 2, 0.3, -0.7], 2, learning_rate=0.5)


@pytest.fixture(scope="module")
def seen() -> Symmetry:
    return symmetry(steps=60)


def test_the_example_has_every_number_of_the_hand_worked_pass() -> None:
    shown = words(network_picture(trace()))
    for number in ("2", "z 1.50000", "0.81757", "z 0.40879", "0.60080", "y 0.25", "0.02510"):
        assert number in shown
    for number in ("0.13757", "0.72490", "0.36243", "new a 0.57287", "δ 0.16827", "L 0.12306"):
        assert number in shown


def test_no_text_covers_another_or_leaves_the_picture(largest: Trace) -> None:
    small = trace(drawn((2, 3, 1), hidden="tanh", bias=True, seed=1), [0.5, -1], 1)
    tiny = trace(drawn((1, 1)), 1e-4, 0)
    huge = drawn((2, 2, 2, 2), hidden="elu(0.5)", loss="binary_cross_entropy", seed=2)
    wide = trace(huge, [12345.678, -0.25], [1, 0], learning_rate=0.001)
    for shown in (trace(), small, tiny, wide, largest):
        figure = network_picture(shown)
        assert overlaps(figure) == []
        assert outside(figure) == []


@pytest.mark.parametrize(
    ("value", "detailed", "text"),
    [
        (0.817574, True, "0.81757"),
        (-0.817574, False, "−0.818"),
        (-0.0, True, "0.00000"),
        (5323.47135, True, "5323.47"),
        (5323.47135, False, "5323"),
        (12345678.0, True, "1.2e+07"),
        (4.7e-5, True, "4.7e−05"),
        (0.0004, False, "4.0e−04"),
    ],
)
def test_numbers_are_as_long_as_their_places(value: float, detailed: bool, text: str) -> None:
    assert brief(value, detailed) == text


def test_overlaps_are_seen() -> None:
    figure = network_picture(trace())
    figure.axes[0].text(1, 1, "one")
    figure.axes[0].text(1, 1, "other")
    assert ("one", "other") in overlaps(figure)


def test_every_weight_of_the_largest_network_has_an_edge_and_numbers(largest: Trace) -> None:
    figure = network_picture(largest)
    edges = [line for line in figure.axes[0].lines if line.get_alpha() is not None]
    assert len(edges) == 4 * 36
    negative = sum(line.get_linestyle() == "--" for line in edges)
    weights = np.concatenate([layer.weights.ravel() for layer in largest.network.layers])
    assert negative == (weights < 0).sum()
    shown = words(figure)
    first = f"{largest.network.layers[3].weights[5, 5]:.3f}".replace("-", "−")
    assert first in shown


def test_the_second_step_is_drawn_where_it_is_asked_for() -> None:
    shown = trace(steps=2)
    assert f"{shown.steps[1].done.outputs[0, 0]:.5f}" in words(network_picture(shown, step=2))
    with pytest.raises(InputError, match="steps 1 to 2, got 3"):
        network_picture(shown, step=3)


@pytest.mark.parametrize("sizes", [(7, 2, 1), (2, 7, 1), (1, 1, 1, 1, 1, 1)])
def test_larger_networks_are_not_drawn(sizes: tuple[int, ...]) -> None:
    shown = trace(drawn(sizes), np.ones(sizes[0]), 1)
    with pytest.raises(InputError, match="too large for a picture") as caught:
        network_picture(shown)
    assert "at most 4 layers of at most 6" in (caught.value.hint or "")


def test_symmetry_has_two_panels_bars_and_losses(seen: Symmetry) -> None:
    figure = symmetry_picture(seen, float(ONE_NEURON_FLOOR))
    equal, equal_bars, random, random_bars, losses = figure.axes
    assert [axes.get_title() for axes in (equal, random)] == [
        "equal first weights",
        "random first weights",
    ]
    for axes, training in ((equal, seen.equal), (random, seen.random)):
        for neuron, line in enumerate(axes.lines):
            np.testing.assert_array_equal(line.get_ydata(), training.incoming[:, neuron, 0])
    for axes, training in ((equal_bars, seen.equal), (random_bars, seen.random)):
        heights = np.array([bar.get_height() for bar in axes.patches]).reshape(3, 4).T
        np.testing.assert_array_equal(heights, training.incoming[-1])
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), seen.equal.losses)
    assert "1–4" in words(figure)
    assert overlaps(figure) == []


def test_labels_are_parted_evenly_and_no_further_than_needed() -> None:
    assert parted([0.0, 5.0], 1) == [0.0, 5.0]
    assert parted([1.0, 1.0], 1) == [0.5, 1.5]
    assert parted([0.0, 0.9, 1.0, 9.0], 1) == pytest.approx([-0.3667, 0.6333, 1.6333, 9], abs=1e-4)


@pytest.mark.parametrize(
    ("ending", "head"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_files_are_of_their_ending_and_the_same_twice(
    ending: str, head: bytes, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.{ending}" for name in ("one", "two")]
    for path in paths:
        assert save(network_picture(trace()), path) == path
    assert paths[0].read_bytes().startswith(head)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_paths_that_cannot_be_written_are_refused_first(tmp_path: Path) -> None:
    for name, message, hint in (
        ("a.pngg", "unknown format 'pngg'", "did you mean .png?"),
        ("a", "no ending", ".png, .svg, .pdf"),
        ("nowhere/a.svg", "is not there", "make it first"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            check_path(tmp_path / name)
        assert hint in (caught.value.hint or "")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_path(tmp_path / "folder.svg")
    circle = tmp_path / "circle.png"
    circle.symlink_to(circle)
    with pytest.raises(InputError, match="cannot be written"):
        save(network_picture(trace()), circle)
