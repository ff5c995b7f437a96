"""The data of a training's pictures, computed without drawing; page and files are made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fallline.analysis import fitting
from fallline.report import formats, training_images
from fallline.report.figures import Axis, Chart, Series
from fallline.report.formats import MetricFormat
from fallline.report.training_portrait import Portrait, Predictions, as_picture, spread

MOST_POINTS = 2000
MOST_UNITS = 64
MOST_COLUMNS = 12
_MOST_NAMED_ROWS = 40
_MOST_TABLE_UNITS = 128
_SMALLEST_LOSS = 1e-9


@dataclass(frozen=True, eq=False)
class Tile:
    """One example: its picture (``(h, w, 3)`` uint8, None for a table) and what is said of it.

    ``right``: whether the prediction is; None where that is not a question.
    """

    picture: np.ndarray | None
    values: tuple[str, ...]
    actual: str
    predicted: str = ""
    detail: str = ""
    right: bool | None = None


@dataclass(frozen=True, eq=False)
class WeightsTile:
    """One unit's weights, ``(h, w, 3)`` uint8."""

    picture: np.ndarray
    name: str


@dataclass(frozen=True, eq=False)
class WeightsFigure:
    """The first layer's weights: a tile per unit, or one heat map of features x units.

    ``rows``: the names of the heat map's rows; empty where there are tiles.
    """

    layer: str
    tiles: tuple[WeightsTile, ...]
    rows: tuple[str, ...]
    limit: float
    """The size of weight that has the strongest colour."""
    units: int
    detail: str


@dataclass(frozen=True, eq=False)
class Residuals:
    """Predicted minus actual: points to draw, a histogram, and figures in the target's units."""

    actual: np.ndarray
    predicted: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    mean: float
    deviation: float
    rmse: float
    left_out: int
    """Points that are not drawn, evenly spread; the histogram has them."""


def form_of(portrait: Portrait) -> MetricFormat:
    """How the task's metric is written."""
    title = {"accuracy": "accuracy", "rmse": "RMSE"}.get(portrait.metric, portrait.metric)
    examples = portrait.predictions.of if portrait.predictions else portrait.train_examples
    digits = (2 if examples >= 5000 else 1) if portrait.share else 3
    return MetricFormat(portrait.metric, title, digits)


def history_charts(portrait: Portrait) -> tuple[Chart, ...]:
    """Loss and metric over the epochs: a series each for training and validation."""
    form = form_of(portrait)
    loss = _chart("loss", "Loss", "loss", portrait, portrait.train_loss, portrait.validation_loss)
    metric = _chart(
        "metric",
        form.title[0].upper() + form.title[1:],
        form.title,
        portrait,
        portrait.train_metric,
        portrait.validation_metric,
    )
    return loss, metric


def _chart(
    key: str,
    title: str,
    y_title: str,
    portrait: Portrait,
    train: np.ndarray,
    validation: np.ndarray,
) -> Chart:
    epochs = np.arange(1, portrait.epochs + 1, dtype=float)
    none = np.full(portrait.epochs, np.nan)
    lines = (("training", train), ("validation", validation))
    is_metric = key == "metric"
    return Chart(
        key=key,
        title=title,
        x_title="epoch",
        x_log=False,
        y_title=y_title,
        metric=is_metric,
        axis=_axis([train, validation], is_metric and portrait.share, portrait),
        series=tuple(
            Series(name, epochs, values, none, none, none * 0, none * 0 + 1)
            for name, values in lines
            if np.isfinite(values).any()
        ),
    )


def _axis(curves: list[np.ndarray], share: bool, portrait: Portrait) -> Axis:
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    if share:
        closest = 0.5 / max(portrait.train_examples, portrait.validation_examples, 1)
        high = min(float(values.max(initial=0.0)), 1.0 - closest)
        return Axis("share", max(min(float(values.min(initial=1.0)), 2.0 * high - 1.0), 0.0), high)
    values = values[values > 0]
    low = max(float(values.min()), _SMALLEST_LOSS) if len(values) else _SMALLEST_LOSS
    high = float(values.max()) if len(values) else 1.0
    # An explosion must not flatten the course before it.
    high = min(high, 1e3 * float(np.median(values))) if len(values) else high
    if high < 1.5 * low:
        low, high = low / 1.2, high * 1.2
    return Axis("log", low, high)


def gap_series(portrait: Portrait) -> tuple[tuple[str, np.ndarray], ...]:
    """``(name, values (epochs,))``: validation minus training loss, and metric; none without."""
    if not portrait.course.validated:
        return ()
    found = fitting.gaps(portrait.course)
    return (("loss", found["loss"]), (form_of(portrait).title, found["metric"]))


def gap_range(values: np.ndarray) -> tuple[float, float]:
    """The ends of a gap's axis: with 0, and without the first tenth of five epochs or more.

    The first epochs' gap is that of an untrained network's average, and flattens all that follows.
    """
    kept = values[-(-len(values) // 10) :] if len(values) >= 5 else values
    kept = kept[np.isfinite(kept)]
    low, high = float(kept.min(initial=0.0)), float(kept.max(initial=0.0))
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin


def example_tiles(portrait: Portrait) -> tuple[Tile, ...]:
    """The training examples with their labels."""
    given = portrait.examples
    pictures = _pictures(portrait, given.x)
    return tuple(
        Tile(picture, _cells(portrait, x), target_text(portrait, y))
        for picture, x, y in zip(pictures, given.x, given.y, strict=True)
    )


def prediction_tiles(portrait: Portrait) -> tuple[Tile, ...]:
    """Held-out examples with actual and predicted label."""
    held = portrait.predictions
    return () if held is None else _tiles(portrait, held, held.shown, held.x)


def surest_mistakes(portrait: Portrait) -> tuple[Tile, ...]:
    """The mistakes that the network was surest of, surest first."""
    held = portrait.predictions
    return () if held is None else _tiles(portrait, held, held.surest, held.surest_x)


def _tiles(
    portrait: Portrait, held: Predictions, rows: np.ndarray, x: np.ndarray
) -> tuple[Tile, ...]:
    return tuple(
        Tile(
            picture,
            _cells(portrait, example),
            target_text(portrait, held.actual[row]),
            target_text(portrait, held.predicted[row]),
            *_judged(portrait, held, row),
        )
        for row, picture, example in zip(rows, _pictures(portrait, x), x, strict=True)
    )


def _judged(portrait: Portrait, held: Predictions, row: int) -> tuple[str, bool | None]:
    if held.probabilities is not None:
        sure = float(held.probabilities[row].max())
        text = f"{100 * sure:.0f} %" if sure < 0.995 else "> 99 %"
        return text, bool(held.actual[row] == held.predicted[row])
    error = np.asarray(held.predicted[row], float) - held.actual[row]
    return ", ".join(f"{value:+.3g}" for value in np.atleast_1d(error)), None


def target_text(portrait: Portrait, value: np.ndarray | float) -> str:
    """A target for people: a class's name, or a number."""
    if portrait.classification:
        return portrait.class_name(int(value))
    return ", ".join(f"{each:.4g}" for each in np.atleast_1d(value))


def _pictures(portrait: Portrait, x: np.ndarray) -> list[np.ndarray | None]:
    if not as_picture(portrait.input_shape):
        return [None] * len(x)
    return list(training_images.shown(x))


def _cells(portrait: Portrait, x: np.ndarray) -> tuple[str, ...]:
    if as_picture(portrait.input_shape):
        return ()
    return tuple(f"{value:.4g}" for value in np.ravel(x)[:MOST_COLUMNS])


def columns(portrait: Portrait) -> tuple[str, ...]:
    """The names of the columns that tiles without a picture hold."""
    if as_picture(portrait.input_shape):
        return ()
    return tuple(
        portrait.feature_name(at)
        for at in range(min(MOST_COLUMNS, math.prod(portrait.input_shape)))
    )


def residuals(portrait: Portrait) -> Residuals | None:
    """A regression's errors; several targets of an example count one by one."""
    held = portrait.predictions
    if held is None or portrait.classification:
        return None
    actual = np.ravel(held.actual).astype(float)
    predicted = np.ravel(held.predicted).astype(float)
    errors = predicted - actual
    middle, reach = float(errors.mean()), float(np.ptp(errors))
    level = 1e-6 * max(float(np.abs(actual).max()), 1e-12)
    between = None if reach > level else (middle - 50 * level, middle + 50 * level)
    bins = min(40, max(5, math.isqrt(len(errors))))
    counts, edges = np.histogram(errors, bins=bins, range=between)
    drawn = spread(len(errors), MOST_POINTS)
    return Residuals(
        actual=actual[drawn],
        predicted=predicted[drawn],
        edges=edges,
        counts=counts,
        mean=middle,
        deviation=float(errors.std()),
        rmse=float(np.sqrt(np.mean(np.square(errors)))),
        left_out=len(errors) - len(drawn),
    )


def held_out_metric(portrait: Portrait) -> float:
    """The metric of the predictions; NaN without them."""
    held = portrait.predictions
    if held is None:
        return math.nan
    if portrait.classification:
        return float(np.mean(held.actual == held.predicted))
    return float(np.sqrt(np.mean(np.square(held.predicted - held.actual))))


def weights_figure(portrait: Portrait) -> WeightsFigure | None:
    """The first layer's weights, coloured around zero; None where they cannot be drawn."""
    given = portrait.first_weights
    if given is None:
        return None
    values, units = given.values, len(given.values)
    limit = training_images.signed_limit(values)
    if not given.kernel and not as_picture(portrait.input_shape):
        flat = values.reshape(units, -1).T
        if len(flat) > _MOST_NAMED_ROWS:
            flat = flat[:_MOST_NAMED_ROWS]
        flat = flat[:, :_MOST_TABLE_UNITS]
        heat = WeightsTile(training_images.signed(flat, limit), "")
        names = tuple(portrait.feature_name(at) for at in range(len(flat)))
        inputs = values[0].size
        left = f"{len(flat)} of {inputs} inputs, " if len(flat) < inputs else ""
        detail = f"{left}{_some(flat.shape[1], units)} units, a column each"
        return WeightsFigure(given.layer, (heat,), names, limit, units, detail)
    channels = values.shape[3] if values.ndim == 4 else 1
    pictures = values if values.ndim == 4 else values[..., None]
    drawn = min(units, max(1, MOST_UNITS // channels)) if channels <= 4 else min(units, 16)
    kept = min(channels, 4)
    tiles = tuple(
        WeightsTile(
            training_images.signed(pictures[unit, ..., channel], limit),
            f"{unit}" if kept == 1 else f"{unit}, input {channel}",
        )
        for unit in range(drawn)
        for channel in range(kept)
    )
    what = "kernels" if given.kernel else "units"
    detail = f"{_some(drawn, units)} {what}"
    return WeightsFigure(given.layer, tiles, (), limit, units, detail)


def _some(drawn: int, there: int) -> str:
    return f"{there:,}" if drawn == there else f"the first {drawn:,} of {there:,}"


def tiles(portrait: Portrait) -> tuple[tuple[str, str, str], ...]:
    """The figures at the head of the page: what it is, the number, a detail."""
    form, held = form_of(portrait), portrait.predictions
    found = []
    if held is not None:
        detail = f"{formats.count(len(held.actual))} examples"
        if len(held.actual) < held.of:
            detail += f" of {formats.count(held.of)}"
        found.append((f"{held.split} {form.title}", form.figure(held_out_metric(portrait)), detail))
    if portrait.epochs:
        found.append((f"training {form.title}", form.figure(portrait.train_metric[-1]), _last()))
        if portrait.course.validated:
            figure = form.figure(portrait.validation_metric[-1])
            found.append((f"validation {form.title}", figure, _last()))
    parameters = sum(block.parameters for block in portrait.blocks)
    found.append(("parameters", formats.count(parameters), f"{len(portrait.blocks)} layers"))
    return tuple(found)


def _last() -> str:
    return "in the last epoch"
