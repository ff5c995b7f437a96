"""The figures of a study as pictures for a paper, drawn by matplotlib without a screen."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from fallline.report import paper, study_lines, study_rows
from fallline.report.formats import picture_format
from fallline.report.pictures import save

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from fallline.analysis.reading import Reading

Draw = Callable[["Reading", "pd.DataFrame", paper.Sheet], "Figure | None"]

PICTURES: dict[str, tuple[str, Draw]] = {
    "ranking": ("ranking", study_rows.ranking),
    "curves": ("curves", study_lines.validation_curves),
    "curves-training": ("curves", study_lines.training_curves),
    "sensitivity": ("sensitivity", study_lines.sensitivity),
    "expected-best": ("expected_best", study_lines.expected_best),
    "profile": ("profile", study_lines.profile),
    "pairwise": ("pairwise", study_rows.pairwise),
    "diverged": ("diverged", study_rows.diverged),
    "time": ("time", study_rows.time),
}
"""Every picture by the name of its file: the table that it needs, and what draws it."""


def draw(
    reading: Reading, tables: Mapping[str, pd.DataFrame], *, width: str = "single"
) -> Iterator[tuple[str, Figure]]:
    """Every picture that there is of ``reading``, by name.

    ``tables`` are those of `fallline.report.figure_tables.tables`; a picture whose table is
    missing is left out. ``width`` is one of `fallline.report.paper.WIDTHS`.
    """
    import matplotlib

    on = paper.sheet(width)
    for name, (key, drawn) in PICTURES.items():
        if key not in tables:
            continue
        with matplotlib.rc_context(paper.TEXT):
            figure = drawn(reading, tables[key], on)
        if figure is not None:
            yield name, figure


def render(
    reading: Reading,
    tables: Mapping[str, pd.DataFrame],
    file_formats: tuple[str, ...],
    *,
    width: str = "single",
) -> Iterator[tuple[str, bytes]]:
    """Every picture in each of ``file_formats``: its file's name and what is in it."""
    import matplotlib

    for each in file_formats:
        picture_format(each)
    for name, figure in draw(reading, tables, width=width):
        for file_format in file_formats:
            held = io.BytesIO()
            with matplotlib.rc_context(paper.TEXT):
                save(figure, held, file_format, dpi=paper.DPI)
            yield f"{name}.{file_format}", held.getvalue()
