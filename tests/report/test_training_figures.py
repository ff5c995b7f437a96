"""The data of a training's pictures, worked out by hand."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from fallline.report import training_classes as classes
from fallline.report import training_figures as figures
from fallline.report import training_images, training_interactive
from fallline.report import training_network as network
from fallline.report.training_portrait import (
    Block,
    FirstWeights,
    as_picture,
    constant_figure,
    spread,
)
from portraits import images, table


def test_tiles_say_what_is_right_and_what_is_wrong() -> None:
    tiles = figures.prediction_tiles(images())
    assert len(tiles) == 25
    assert [tile.right for tile in tiles[:3]] == [False, False, True]
    assert (tiles[0].actual, tiles[0].predicted, tiles[0].detail) == ("cat", "dog", "90 %")
    assert tiles[0].picture is not None
    assert tiles[0].picture.shape == (4, 3, 3)
    mistakes = figures.surest_mistakes(images())
    assert [(tile.actual, tile.predicted) for tile in mistakes] == [("cat", "dog"), ("dog", "hen")]


def test_training_examples_have_their_labels_and_no_prediction() -> None:
    tiles = figures.example_tiles(images())
    assert [tile.actual for tile in tiles[:4]] == ["cat", "dog", "hen", "cat"]
    assert all(tile.right is None and not tile.predicted for tile in tiles)


def test_a_table_has_cells_and_names_instead_of_pictures() -> None:
    given = table()
    assert figures.columns(given) == ("length", "width", "weight")
    assert figures.columns(replace(given, features=())) == ("x0", "x1", "x2")
    tile = figures.prediction_tiles(given)[0]
    assert tile.picture is None
    assert tile.right is None
    assert tile.values == tuple(f"{value:.4g}" for value in given.predictions.x[0])
    assert tile.detail == "-0.3"


def test_confusion_matrix_and_report_rows() -> None:
    matrix = classes.confusion(images())
    assert matrix.tolist() == [[9, 1, 0], [0, 9, 1], [0, 0, 10]]
    rows = classes.report_rows(matrix, ("cat", "dog", "hen"))
    assert rows[0]["figures"] == ["1.000", "0.900", "0.947"]
    assert [row["support"] for row in rows] == ["10", "10", "10", "30", "30"]
    assert [row["average"] for row in rows] == [False, False, False, True, True]
    assert classes.confusion(table()) is None
    pixels = classes.pixels(matrix).astype(int)
    assert pixels[0, 0, 2] > pixels[0, 0, 0], "what is right is blue"
    assert pixels[0, 1, 0] > pixels[0, 1, 2], "a mistake is red"
    assert pixels[0, 2].tolist() == [247, 247, 247], "what never happened is white"


def test_residuals_of_a_regression() -> None:
    found = figures.residuals(table())
    assert found is not None
    assert found.mean == pytest.approx(0.1)
    assert found.deviation == pytest.approx(0.4)
    assert found.rmse == pytest.approx(np.sqrt((0.5**2 + 0.3**2) / 2))
    assert found.counts.sum() == 50
    assert found.counts[0] == found.counts[-1] == 25
    assert found.left_out == 0
    assert figures.residuals(images()) is None
    assert figures.held_out_metric(table()) == pytest.approx(found.rmse)
    assert figures.held_out_metric(images()) == pytest.approx(28 / 30)


def test_more_points_than_are_drawn_are_thinned_and_counted() -> None:
    given = table()
    held = given.predictions
    many = 5000
    actual = np.linspace(0, 1, many)
    found = figures.residuals(
        replace(given, predictions=replace(held, actual=actual, predicted=actual + 1))
    )
    assert found is not None
    assert (len(found.actual), found.left_out) == (2000, 3000)
    assert found.counts.sum() == many


def test_history_has_a_series_for_what_was_measured() -> None:
    loss, metric = figures.history_charts(images())
    assert [series.optimizer for series in loss.series] == ["training", "validation"]
    assert metric.axis.kind == "share"
    assert (loss.axis.low, loss.axis.high) == (0.1, 1.0)
    none = np.full(6, np.nan)
    alone = replace(images(), validation_loss=none, validation_metric=none, validation_examples=0)
    assert [len(chart.series) for chart in figures.history_charts(alone)] == [1, 1]
    assert figures.gap_series(alone) == ()
    (_, loss_gap), (name, metric_gap) = figures.gap_series(images())
    assert name == "accuracy"
    assert loss_gap[-1] == pytest.approx(0.6)
    assert metric_gap[-1] == pytest.approx(-0.2)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [1.0, 1.0], [0.0, 0.0], [0.81, 0.82, 0.83]])
def test_every_axis_has_ends_apart_and_ticks(values: list[float]) -> None:
    curve = np.array(values)
    given = replace(
        images(),
        train_loss=curve,
        train_metric=curve,
        validation_loss=curve,
        validation_metric=curve,
    )
    for chart in figures.history_charts(given):
        places = training_interactive.drawn(chart, figures.form_of(given))["layout"]["yaxis"]
        assert places["range"][0] != places["range"][1]
        assert len(places["tickvals"]) >= 2, chart.key
        low, high = sorted(places["range"])
        assert all(low - 1e-9 <= np.log10(tick) <= high + 1e-9 for tick in places["tickvals"])


def test_a_gap_is_drawn_with_zero_and_without_its_first_tenth() -> None:
    low, high = figures.gap_range(np.array([-9.0, 0.1, 0.2, 0.3, 0.5]))
    assert (low, high) == pytest.approx((-0.03, 0.53))
    assert figures.gap_range(np.array([-9.0, 1.0]))[0] < -9
    assert figures.gap_range(np.array([np.nan])) == pytest.approx((-0.01, 0.01))


def test_an_explosion_does_not_flatten_the_course_before_it() -> None:
    curve = np.array([1.0, 0.9, 0.8, 0.7, 1e9])
    given = replace(images(), train_loss=curve, validation_loss=curve)
    assert figures.history_charts(given)[0].axis.high < 1000


def test_network_blocks_scale_with_what_they_give() -> None:
    found = network.blocks(images())
    assert [block.name for block in found] == ["input", "Conv_0", "Dense_0", "Dense_1"]
    assert [block.sheets for block in found] == [1, 4, 0, 0]
    assert [block.trainable for block in found] == [None, True, False, True]
    assert found[1].shape == "4 × 3 × 8"
    assert found[2].detail == "1,552 parameters"
    assert found[2].height == 1.0 > found[3].height
    for block in found:
        for left, top, width, height in network.drawing(block):
            assert min(left, top) >= 0
            assert max(left + width, top + height) <= 110


def test_a_layer_of_unknown_shape_is_drawn_too() -> None:
    given = replace(images(), blocks=(Block("odd", "Odd", None, 3), Block("out", "Dense", (), 1)))
    assert [block.shape for block in network.blocks(given)] == ["4 × 3", "?", "?"]


def test_first_weights_of_a_convolution_are_a_tile_per_kernel() -> None:
    found = figures.weights_figure(images())
    assert found is not None
    assert (len(found.tiles), found.rows, found.units) == (8, (), 8)
    assert found.tiles[0].picture.shape == (3, 3, 3)


def test_first_weights_of_coloured_pictures_are_a_tile_per_channel() -> None:
    weights = FirstWeights("Conv_0", np.ones((100, 3, 3, 3)), kernel=True)
    found = figures.weights_figure(replace(images(), first_weights=weights))
    assert found is not None
    assert len(found.tiles) == 63
    assert found.tiles[1].name == "0, input 1"
    assert found.detail == "the first 21 of 100 kernels"


def test_first_weights_of_a_table_are_a_heat_map_with_its_names() -> None:
    given = table()
    found = figures.weights_figure(given)
    assert found is not None
    assert found.rows == ("length", "width", "weight")
    assert found.tiles[0].picture.shape == (3, 16, 3)
    expected = training_images.signed(given.first_weights.values.T, found.limit)
    np.testing.assert_array_equal(found.tiles[0].picture, expected)


def test_signed_colours_are_white_at_zero_and_symmetric_in_strength() -> None:
    blue, white, red = training_images.signed(np.array([-2.0, 0.0, 2.0]), 1.0).tolist()
    assert white == [247, 247, 247]
    assert blue == [33, 102, 172]
    assert red == [178, 24, 43]
    assert training_images.signed_limit(np.zeros(4)) == 1.0
    assert training_images.signed_limit(np.array([-3.0, 1.0])) == pytest.approx(2.99)


@pytest.mark.parametrize("grey", [True, False])
def test_png_is_read_back_as_it_was(grey: bool) -> None:
    from matplotlib.image import imread

    pixels = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    pixels = np.repeat(pixels[..., :1], 3, axis=-1) if grey else pixels
    read = imread(io.BytesIO(training_images.png(pixels)), format="png")
    read = np.repeat(read[..., None], 3, axis=-1) if read.ndim == 2 else read[..., :3]
    np.testing.assert_array_equal(np.round(255 * read).astype(np.uint8), pixels)


def test_pictures_of_any_numbers_are_spread_and_large_ones_thinned() -> None:
    small = training_images.shown(np.array([[[0.0, 8.0], [16.0, 4.0]]]))
    assert small[0, ..., 0].tolist() == [[0, 128], [255, 64]]
    dark = np.full((1, 2, 2), 64, np.uint8)
    assert training_images.shown(dark).max() == 64, "bytes are shown as they are"
    assert max(training_images.shown(np.zeros((1, 200, 130, 3), np.uint8)).shape[1:3]) <= 32
    assert training_images.shown(np.zeros((0, 4, 4))).shape == (0, 4, 4, 3)


def test_what_counts_as_a_picture() -> None:
    assert as_picture((8, 8))
    assert as_picture((32, 32, 3))
    assert not as_picture((64,))
    assert not as_picture((32, 32, 2))
    assert not as_picture((1, 20))


def test_examples_are_spread_over_all_of_them() -> None:
    assert spread(4, 25).tolist() == [0, 1, 2, 3]
    assert spread(100, 4).tolist() == [0, 25, 50, 75]
    assert spread(0, 4).tolist() == []


def test_the_figure_of_a_constant_answer() -> None:
    assert constant_figure(np.array([0, 1, 1, 2]), "classification") == 0.5
    assert constant_figure(np.array([1.0, 3.0]), "regression") == 1.0
