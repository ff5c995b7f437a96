"""The page of a walk: one HTML file that opens offline, animated by a few lines of script.

The picture is drawn here as SVG, with every path whole; the script shows a part of it. So the page
prints, and can be read without JavaScript.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fallline.landscapes.paths import Path, Walk
from fallline.report import landscape_words as words
from fallline.report import templates
from fallline.report.landscape_figure import Axis, Picture, linear_axis, style

MOST_FRAMES = 1000
"""Of longer walks not every step is shown."""
WIDTH = 640
HEIGHTS_WIDTH = 520


@dataclass(frozen=True)
class Frame:
    """The inside of a chart in its SVG, in the SVG's units; y grows downwards."""

    width: float
    height: float
    left: float = 64.0
    top: float = 14.0
    right: float = 18.0
    bottom: float = 54.0

    @property
    def size(self) -> tuple[float, float]:
        """Of the whole SVG."""
        return self.width + self.left + self.right, self.height + self.top + self.bottom

    def x(self, share: Any) -> Any:
        return self.left + self.width * share

    def y(self, share: Any) -> Any:
        return self.top + self.height * (1 - share)


def render(walk: Walk) -> str:
    """The whole page. Nothing in it is loaded from elsewhere."""
    picture = Picture(walk)
    view = map_frame(picture)
    heights = Frame(HEIGHTS_WIDTH, view.height)
    kept = frames(walk)
    drawn = [_drawn(picture, path, at, view, heights, kept) for at, path in enumerate(walk.paths)]
    return templates.page(
        "landscape.html.jinja",
        ground=walk.landscape,
        equation=words.equation(walk.landscape),
        about=words.about(walk),
        flat=picture.flat,
        every=int(kept[1] - kept[0]),
        steps=walk.steps,
        view=view,
        axes=[_ticks(axis, view, at) for at, axis in enumerate(picture.axes)],
        bands=bands(picture, view) if picture.flat else [],
        curve=curve(picture, view),
        minima=_marks(picture, [each.at for each in walk.landscape.minima], view),
        start=_marks(picture, [walk.landscape.start], view),
        heights=heights,
        height_axis=_ticks(picture.height_axis, heights, 1),
        step_axis=_ticks(_step_axis(walk.steps), heights, 0),
        logarithmic=picture.height_axis.log,
        paths=drawn,
        content={
            "paths": [each["script"] for each in drawn],
            "frames": kept.tolist(),
            "left": heights.left,
            "perStep": heights.width / walk.steps,
            "variables": list(walk.landscape.variables),
        },
    )


def map_frame(picture: Picture) -> Frame:
    """The map's frame: in the box's own proportions where these are near to a square."""
    if not picture.flat:
        return Frame(WIDTH, 0.66 * WIDTH)
    across, along = picture.walk.landscape.box.size
    return Frame(WIDTH, WIDTH * min(max(along / across, 0.62), 1.0))


def frames(walk: Walk) -> np.ndarray:
    """The steps that the page can show: all, or of a long walk every so many; int, rising."""
    every = -(-walk.steps // MOST_FRAMES)
    kept = np.arange(0, walk.steps + 1, every)
    return kept if kept[-1] == walk.steps else np.append(kept, walk.steps)


def _step_axis(steps: int) -> Axis:
    axis = linear_axis(0, steps, "step")
    whole = tuple((at, text) for at, text in axis.ticks if float(at).is_integer())
    return Axis(axis.low, axis.high, False, axis.title, whole)


def _ticks(axis: Axis, frame: Frame, direction: int) -> dict[str, Any]:
    """An axis as the template draws it; ``direction`` 0 is horizontal."""
    place = frame.y if direction else frame.x
    values = np.array([at for at, _ in axis.ticks], float)
    shares = (values - axis.low) / (axis.high - axis.low)
    marks = [
        {"at": round(float(place(share)), 1), "text": text}
        for share, (_, text) in zip(shares, axis.ticks, strict=True)
    ]
    return {"title": axis.title, "marks": marks}


def bands(picture: Picture, frame: Frame) -> list[dict[str, str]]:
    """The areas between contours, lowest first: their outlines and how dark they are."""
    heights = picture.levels
    if not heights.size:
        return []
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    masked = np.ma.masked_invalid(picture.z)
    areas = axes.contourf(picture.x, picture.y, masked, levels=heights, extend="both")
    found = []
    outlines = areas.get_paths()
    for at, outline in enumerate(outlines):
        parts = [_outline(each, picture, frame) for each in outline.to_polygons(closed_only=False)]
        shade = at / max(len(outlines) - 1, 1)
        found.append({"d": "".join(parts), "colour": shade_colour(shade)})
    return found


def shade_colour(shade: float) -> str:
    """From almost white, the lowest, to a blue grey."""
    low, high = np.array([252, 252, 250]), np.array([158, 176, 194])
    red, green, blue = (round(float(each)) for each in low + shade * (high - low))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _outline(points: Any, picture: Picture, frame: Frame) -> str:
    shares = [axis.share(np.asarray(points)[:, at]) for at, axis in enumerate(picture.axes)]
    pixels = np.stack([frame.x(shares[0]), frame.y(shares[1])], axis=1).round(1)
    moved = np.append(True, (np.diff(pixels, axis=0) != 0).any(axis=1))
    return f"M{'L'.join(f'{x:g} {y:g}' for x, y in pixels[moved])}Z"


def curve(picture: Picture, frame: Frame) -> str:
    """The graph of a function of one variable, broken where it has no value."""
    if picture.flat:
        return ""
    shares = picture.axes[1].share(picture.y)
    across = frame.x(np.linspace(0, 1, len(shares)))
    parts, pen = [], "M"
    for x, share in zip(across, shares, strict=True):
        if not -2 <= share <= 3:
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {frame.y(share):.1f}")
        pen = "L"
    return "".join(parts)


def _marks(picture: Picture, points: list[Any], frame: Frame) -> list[dict[str, Any]]:
    """Points of the landscape that lie in sight, in the SVG's units, with their names."""
    found = []
    for each in points:
        across, up = picture.placed(np.array([each], float))[0]
        if 0 <= across <= 1 and 0 <= up <= 1:
            place = {"x": round(float(frame.x(across)), 1), "y": round(float(frame.y(up)), 1)}
            found.append(place | {"name": words.point(each)})
    return found


def _drawn(
    picture: Picture, path: Path, place: int, view: Frame, heights: Frame, kept: np.ndarray
) -> dict[str, Any]:
    """A path as the template draws it and as the script animates it."""
    own = np.unique(np.minimum(kept, path.steps))
    shown = replace(path, points=path.points[own], values=path.values[own], slopes=path.slopes[own])
    placed, cut = picture.placed(shown.points), picture.segments(shown)
    segments = np.stack(
        [view.x(cut[:, 0]), view.y(cut[:, 1]), view.x(cut[:, 2]), view.y(cut[:, 3])], axis=1
    )
    dots = np.stack([view.x(placed[:, 0]), view.y(placed[:, 1])], axis=1)
    outside = ~((placed >= -0.01) & (placed <= 1.01)).all(axis=1)
    dots[outside] = np.nan
    level = picture.height_axis.share(picture.heights(shown))
    lines = heights.y(np.clip(level, -0.5, 1.5))
    across = heights.x(own / picture.walk.steps)
    script = {
        "label": path.label,
        "segments": [_plain(row, 1) for row in segments],
        "dots": [_plain(row, 1) for row in dots],
        "lines": _plain(lines, 1),
        "points": [_plain(row, None) for row in shown.points],
        "values": _plain(shown.values, None),
        "slopes": _plain(shown.slopes, None),
        "diverged": path.steps if words.line(picture.walk, path).diverged else None,
    }
    return {
        "place": place,
        "style": asdict(style(place)),
        "words": words.line(picture.walk, path),
        "line": _polyline(np.stack([across, lines], axis=1)),
        "way": "".join(_stroke(row) for row in segments),
        "dots": "".join(f"M{x:.1f} {y:.1f}h0" for x, y in dots if math.isfinite(x + y)),
        "head": _plain(dots[-1], 1),
        "last": [words.number(float(each)) for each in (*path.points[-1], path.values[-1])]
        + [words.number(float(path.slopes[-1]))],
        "script": script,
    }


def _stroke(segment: np.ndarray) -> str:
    if not np.isfinite(segment).all():
        return ""
    a, b, c, d = segment
    return f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}"


def _polyline(points: np.ndarray) -> str:
    known = points[np.isfinite(points).all(axis=1)]
    return f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in known)}" if len(known) else ""


def _plain(values: np.ndarray, decimals: int | None) -> list[float | None]:
    """Numbers for JSON, rounded (to 6 significant digits without ``decimals``); None for what is
    not finite."""
    return [
        None
        if not math.isfinite(each)
        else float(f"{each:.6g}")
        if decimals is None
        else round(float(each), decimals)
        for each in values
    ]
