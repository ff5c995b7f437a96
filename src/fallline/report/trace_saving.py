"""Pictures of traces written to files: SVG, PNG or PDF, the same bytes for the same picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fallline.errors import InputError, near_matches
from fallline.report import pictures
from fallline.report.formats import PICTURE_FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200

FORWARD, BACKWARD = pictures.COLOURS[:2]
UPDATED = "#00785A"
SERIES = pictures.COLOURS[:6]
INK = "#222222"
FAINT = "#8a8a8a"


def check_path(path: str | Path) -> Path:
    """``path`` where a picture can be written; InputError for another format or a missing folder.

    It is asked before anything is computed.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in PICTURE_FORMATS:
        near = near_matches(kind, PICTURE_FORMATS)
        asked = f"did you mean .{near[0]}? " if near else ""
        raise InputError(
            f"a picture cannot be written as {path.name!r}: "
            + (f"unknown format {kind!r}" if kind else "its name has no ending"),
            hint=f"{asked}there are {', '.join(f'.{each}' for each in PICTURE_FORMATS)}",
        )
    if not os.path.isdir(path.parent):
        raise InputError(
            f"the picture's folder {str(path.parent)!r} is not there",
            hint="make it first, or name another",
        )
    if os.path.isdir(path):
        raise InputError(f"{str(path)!r} is a folder, not a picture", hint="add a file name")
    return path


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure in the format of the path's ending; InputError where that fails."""
    path = check_path(path)
    kind = path.suffix.removeprefix(".").lower()
    try:
        pictures.save(figure, path, kind, dpi=DOTS_PER_INCH)
    except OSError as error:
        raise InputError(
            f"the picture {str(path)!r} cannot be written: {error.strerror or error}",
            hint="name a file in a folder that may be written to",
        ) from None
    return path


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches, drawn without any screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as New

    figure = New(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure
