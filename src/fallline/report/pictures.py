"""What the pictures drawn by matplotlib share: colours, and files that repeat to the byte."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from fallline.report.scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8a8f98")
"""Okabe and Ito (2008), told apart by those who are colour-blind too; the last one is a grey."""

APART = {"x": 0.13, "y": 0.06}
"""Shares of an axis, at least, between two of its labels."""

_REPEATED: dict[Any, Any] = {"svg.hashsalt": "fallline", "pdf.fonttype": 42}
"""Salted, names in an SVG are the same each time; type 42 embeds fonts as publishers ask."""
_UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save(
    figure: Figure,
    target: Path | IO[bytes],
    file_format: str,
    *,
    dpi: float,
    tight: bool = False,
) -> None:
    """Write ``figure`` in one of `fallline.report.formats.PICTURE_FORMATS`.

    Equal figures have equal bytes: no date is written, and names inside are not random.
    ``tight`` cuts off what is empty around it, and so changes its size.
    """
    import matplotlib

    with matplotlib.rc_context(_REPEATED):
        figure.savefig(
            target,
            format=file_format,
            dpi=dpi,
            metadata=_UNDATED.get(file_format),
            bbox_inches="tight" if tight else None,
        )


def lay_out(axis: Axes, scale: Scale, which: str, *, apart: float | None = None) -> None:
    """Lay the axis ``which`` (``"x"``, ``"y"``) out as the page does, its labels ``apart``."""
    place: Callable[[Any], Any] = np.asarray
    if scale.kind == "share":
        place = _from_share
        getattr(axis, f"set_{which}scale")("function", functions=(_from_share, _to_share))
    elif scale.kind == "log":
        place = np.log10
        getattr(axis, f"set_{which}scale")("log")
    getattr(axis, f"set_{which}lim")(scale.low, scale.high)
    share = APART[which] if apart is None else apart
    least = share * float(place(scale.high) - place(scale.low))
    places = [float(place(tick)) for tick in scale.ticks]
    shown = _apart(places, least)
    ticks, texts = ([each[at] for at in shown] for each in (scale.ticks, scale.texts()))
    getattr(axis, f"set_{which}ticks")(ticks, texts)
    getattr(axis, f"set_{which}ticks")([], minor=True)


def _apart(places: list[float], least: float) -> list[int]:
    """Which of ``places``, ascending, have room: the upper ones, every second, or what fits."""
    fitting: list[int] = []
    for at in reversed(range(len(places))):
        if not fitting or places[fitting[-1]] - places[at] >= least:
            fitting.append(at)
    if not fitting or fitting[0] - fitting[-1] < len(fitting):
        return fitting[::-1]
    for step in (2, 3):
        shown = list(range(len(places)))[::-1][::step][::-1]
        gaps = (places[two] - places[one] for one, two in itertools.pairwise(shown))
        if len(shown) >= min(len(fitting), 3) and all(gap >= least for gap in gaps):
            return shown
    return fitting[::-1]


def _from_share(share: Any) -> Any:
    """A share's place: how near it is to 1, logarithmic."""
    return -np.log(np.maximum(1.0 - np.asarray(share, float), 1e-9))


def _to_share(place: Any) -> Any:
    return 1.0 - np.exp(-np.asarray(place, float))
