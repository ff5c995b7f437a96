"""The figures for a paper: what is drawn, from the tables; that labels leave each other room."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fallline.analysis.reading import read
from fallline.errors import InputError
from fallline.report import figure_tables, figures, formats, paper, study_static
from fallline.report.pictures import COLOURS

FEW = ("adam", "rmsprop", "sgd", "gd_exact")


@pytest.fixture(scope="module")
def few(make_reading):
    return make_reading(optimizers=FEW)


@pytest.fixture(scope="module")
def data(few):
    return figure_tables.tables(few)


@pytest.fixture(scope="module")
def drawn(few, data):
    return dict(study_static.draw(few, data))


@pytest.fixture(scope="module")
def crowd(reading):
    tables = figure_tables.tables(reading)
    del tables["diverged"]
    return dict(study_static.draw(reading, tables))


@pytest.fixture(scope="module")
def errors(few):
    """The same study with a metric of which less is better."""
    runs = few.runs.drop(columns=["last_metric", "last_loss", "diverged"])
    for name in ("train_metric", "validation_metric", "test_metric"):
        runs[name] = runs[name].map(lambda value: 1.5 * (1 - value) + 0.6)
    task = msgspec.structs.replace(few.document.task, metric="rmse", higher_is_better=False)
    return read(runs, msgspec.structs.replace(few.document, task=task), timing=few.timing)


def lines_of(axis, optimizer):
    return [line for line in axis.get_lines() if line.get_label() == optimizer]


def legend_of(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def test_every_figure_is_drawn_at_the_width_of_a_column(drawn):
    assert list(drawn) == list(study_static.PICTURES)
    for name, figure in drawn.items():
        assert figure.get_size_inches()[0] == 3.4, name
        assert not figure.get_suptitle(), name
        assert not any(axis.get_title() for axis in figure.axes), name


def test_two_columns_are_wider(few, data):
    chosen = {name: data[name] for name in ("curves", "expected_best")}
    wide = dict(study_static.draw(few, chosen, width="double"))
    assert {figure.get_size_inches()[0] for figure in wide.values()} == {7.0}
    assert [axis.get_xlabel() for axis in wide["expected-best"].axes] == ["trials", "training time"]
    assert [axis.get_xlabel() for axis in wide["curves"].axes] == ["epoch", "epoch"]
    with pytest.raises(InputError, match="unknown width 'doubel'") as caught:
        list(study_static.draw(few, data, width="doubel"))
    assert "did you mean 'double'" in (caught.value.hint or "")


def test_what_has_no_table_is_left_out(make_reading):
    two = ("adam", "sgd")
    fresh = make_reading(
        optimizers=two, searched=False, edit=lambda runs: runs[runs["phase"] == "final"]
    )
    names = [name for name, _ in study_static.draw(fresh, figure_tables.tables(fresh))]
    assert names == ["ranking", "curves", "curves-training", "profile", "pairwise", "time"]


@pytest.mark.parametrize(
    ("name", "split"), [("curves", "validation"), ("curves-training", "train")]
)
def test_curves_are_the_means_with_the_seeds_bands(drawn, data, name, split):
    word = {"validation": "validation", "train": "training"}[split]
    axes = drawn[name].axes
    assert [axis.get_ylabel() for axis in axes] == [f"{word} accuracy", f"{word} loss"]
    assert [axis.get_xlabel() for axis in axes] == ["", "epoch"]
    for axis, figure in zip(axes, ("metric", "loss"), strict=True):
        assert len(axis.get_lines()) == len(axis.collections) == len(FEW)
        low, high = axis.get_ylim()
        for optimizer in FEW:
            own = data["curves"][data["curves"]["optimizer"] == optimizer]
            (line,) = lines_of(axis, optimizer)
            expected = own[f"{split}_{figure}"].clip(low, high)
            np.testing.assert_allclose(line.get_ydata(), expected)
            np.testing.assert_array_equal(line.get_xdata(), own["epoch"])


def test_lines_look_as_on_the_page_and_can_be_told_apart_without_colours(few, drawn):
    (axis, _) = drawn["curves"].axes
    for style in figures.styles(few.summary):
        (line,) = lines_of(axis, style.optimizer)
        assert line.get_color() == COLOURS[style.colour]
    markers = [lines_of(axis, name)[0].get_marker() for name in FEW]
    assert len(set(markers)) == len(FEW)
    assert legend_of(drawn["curves"]) == list(few.summary["optimizer"])


def test_in_a_crowd_the_best_have_colours_and_the_others_one_grey(crowd, reading):
    bright = [style.optimizer for style in figures.styles(reading.summary) if style.emphasised]
    for name in ("curves", "expected-best", "profile"):
        others = crowd[name].axes[0].get_lines()
        assert sum(line.get_color() == paper.FAINT for line in others) == 17 - len(bright)
        assert legend_of(crowd[name]) == [*bright, f"{17 - len(bright)} others"]


def test_sensitivity_has_crosses_where_seeds_diverged(drawn, data):
    (axis,) = drawn["sensitivity"].axes
    assert axis.get_xscale() == "log"
    crosses = [line for line in axis.get_lines() if line.get_marker() == "x"]
    crossed = sorted(x for line in crosses for x in line.get_xdata())
    table = data["sensitivity"]
    assert crossed == sorted(table.loc[table["diverged"] > 0, "learning_rate"])
    assert len(crossed) > 0
    (line,) = lines_of(axis, "adam")
    own = table[table["optimizer"] == "adam"]
    np.testing.assert_array_equal(line.get_xdata(), own["learning_rate"])
    np.testing.assert_allclose(line.get_ydata(), own["mean"].clip(*axis.get_ylim()))
    assert legend_of(drawn["sensitivity"])[-1] == "some seeds diverged"


def test_expected_best_rises_with_the_trials(drawn, data):
    (axis,) = drawn["expected-best"].axes
    table = data["expected_best"]
    own = table[table["optimizer"] == "sgd"]
    (line,) = lines_of(axis, "sgd")
    np.testing.assert_array_equal(line.get_xdata(), own["trials"])
    np.testing.assert_allclose(line.get_ydata(), own["expected"].clip(*axis.get_ylim()))
    assert axis.get_ylabel() == "expected best accuracy"


def test_profile_is_a_step_function(drawn, data):
    (axis,) = drawn["profile"].axes
    own = data["profile"][data["profile"]["optimizer"] == "adam"]
    (line,) = lines_of(axis, "adam")
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(line.get_ydata()[:-1], 100 * own["share"])
    np.testing.assert_allclose(line.get_xdata()[:-1], own["factor"])


def test_ranking_has_a_row_each_the_best_at_the_top(drawn, few, data):
    axis, numbers = drawn["ranking"].axes
    table = data["ranking"]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(table["optimizer"])
    assert axis.get_ylim()[0] > axis.get_ylim()[1]
    dots = [line for line in axis.get_lines() if line.get_linestyle() == "None"]
    np.testing.assert_allclose([line.get_xdata()[0] for line in dots], table["test_metric"])
    form = formats.metric_format(few.document.task)
    written = [label.get_text() for label in numbers.get_yticklabels()]
    columns = (table[name] for name in ("test_metric", "test_low", "test_high"))
    assert written == [
        form.with_interval(*row).replace(" %", "") for row in zip(*columns, strict=True)
    ]
    assert legend_of(drawn["ranking"]) == list(dict.fromkeys(table["relation"]))


def test_pairs_have_their_difference_and_colour(drawn, few, data):
    (axis,) = drawn["pairwise"].axes
    names = list(dict.fromkeys(data["pairwise"]["optimizer"]))
    assert [label.get_text() for label in axis.get_yticklabels()] == names
    assert [label.get_text() for label in axis.get_xticklabels()] == names
    texts = {(*map(round, text.get_position()),): text.get_text() for text in axis.texts}
    assert len(texts) == len(names) * (len(names) - 1)
    pixels = axis.get_images()[0].get_array()
    form = formats.metric_format(few.document.task)
    for row in data["pairwise"].to_dict("records"):
        across, down = names.index(row["other"]), names.index(row["optimizer"])
        assert texts[across, down] == form.difference(row["difference"]).replace("-", "−")
        red, _, blue = pixels[down, across]
        sign = {"better": 1, "worse": -1}.get(row["relation"], 0)
        assert np.sign(round(blue - red, 6)) == sign, row


def test_of_many_pairs_the_signs_are_left(crowd):
    texts = [text.get_text() for text in crowd["pairwise"].axes[0].texts]
    assert len(texts) == 17 * 16
    assert set(texts) == {"+", "−", "·"}
    assert texts.count("+") == texts.count("−") > 0


def test_map_of_divergence_marks_every_rate(drawn, data):
    (axis,) = drawn["diverged"].axes
    table = data["diverged"]
    found = {line.get_label(): len(line.get_xdata()) for line in axis.get_lines()}
    shares = table["share"]
    assert found == {
        "none diverged": int((shares == 0).sum()),
        "some": int(((shares > 0) & (shares < 1)).sum()),
    }
    assert found["some"] > 0
    assert [label.get_text() for label in axis.get_yticklabels()] == ["adam", "rmsprop", "sgd"]


def test_times_are_written_beside_their_dots(drawn, data):
    steps, epochs = drawn["time"].axes
    for axis, column in ((steps, "seconds_per_step"), (epochs, "epoch_seconds")):
        texts = [text.get_text() for text in axis.texts]
        assert texts == [formats.duration(value) for value in data["time"][column]]
        (dots,) = axis.get_lines()
        np.testing.assert_allclose(dots.get_xdata(), data["time"][column])


def test_errors_are_drawn_in_their_units(errors):
    tables = figure_tables.tables(errors)
    chosen = {name: tables[name] for name in ("curves", "sensitivity", "expected_best", "pairwise")}
    found = dict(study_static.draw(errors, chosen))
    assert found["curves"].axes[0].get_ylabel() == "validation RMSE"
    for name in ("curves", "sensitivity", "expected-best"):
        labels = [label.get_text() for label in found[name].axes[0].get_yticklabels()]
        assert len(labels) >= 2
        assert not any("%" in label for label in labels)
    # A smaller error is ahead: its row is blue.
    names = [label.get_text() for label in found["pairwise"].axes[0].get_yticklabels()]
    pixels = found["pairwise"].axes[0].get_images()[0].get_array()
    last = pixels[names.index("adam"), names.index("gd_exact")]
    assert last[2] > last[0]
    assert to_rgb(COLOURS[0])[2] > to_rgb(COLOURS[0])[0]


@pytest.mark.parametrize("name", ["ranking", "curves", "sensitivity", "pairwise", "time"])
def test_labels_leave_each_other_room(crowd, name):
    figure = crowd[name]
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axis in figure.axes:
        for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
            boxes = [
                each.get_window_extent(renderer)
                for each in labels
                if each.get_visible() and each.get_text()
            ]
            for one, two in itertools.pairwise(sorted(boxes, key=lambda box: (box.y0, box.x0))):
                assert not one.shrunk(0.98, 0.9).overlaps(two), name
    whole = figure.bbox
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert box.x0 >= whole.x0 - 1
        assert box.x1 <= whole.x1 + 1


def test_files_repeat_to_the_byte_and_hold_no_date(few, data):
    one = {"ranking": data["ranking"]}
    first = dict(study_static.render(few, one, ("png", "svg", "pdf")))
    second = dict(study_static.render(few, one, ("svg", "pdf")))
    assert list(first) == ["ranking.png", "ranking.svg", "ranking.pdf"]
    assert {name: first[name] for name in second} == second
    assert first["ranking.png"].startswith(b"\x89PNG")
    assert b"CreationDate" not in first["ranking.pdf"]
    assert b"/Type3" not in first["ranking.pdf"]
    assert b"/FontFile2" in first["ranking.pdf"]
    assert b"<dc:date>" not in first["ranking.svg"]
    assert b"<text" not in first["ranking.svg"]
