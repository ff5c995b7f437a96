"""``fallline export``: a study's figures, tables and references as files for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fallline.results import Study


def export(
    folder: Annotated[str, typer.Argument(help="The folder of a study, or of several tasks'.")],
    out: Annotated[
        str | None, typer.Option(help="Where to write; by default the folder export in FOLDER.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(help="Of png,svg,pdf,csv,md,tex,bib, separated by commas.  [default: all]"),
    ] = None,
    width: Annotated[
        str, typer.Option(help="Of the figures: single (a column, 3.4 in) or double (7 in).")
    ] = "single",
) -> None:
    """Write the figures, tables and references of the study in FOLDER as files for a paper.

    Figures as PNG, SVG and PDF; their data and the tables as CSV (plain numbers), Markdown and
    LaTeX; the optimizers, the statistics and fallline as BibTeX. Files that are there are replaced;
    the same study gives the same bytes.
    """
    from fallline.errors import InputError
    from fallline.report import paper
    from fallline.report.export import chosen
    from fallline.results import EXPORT_FOLDER, open_study
    from fallline.store.series import SeriesFolder
    from fallline.store.suite import SuiteFolder

    asked = chosen(formats)
    paper.sheet(width)
    if SeriesFolder.holds(folder):
        raise InputError(
            f"{folder!r} is a series of studies: it has a report and pictures of its own",
            hint="'fallline run' and 'fallline reproduce' write its charts with --pictures; "
            "give the folder of one of its studies to export that one",
        )
    target = Path(folder) / EXPORT_FOLDER if out is None else Path(out)
    if not SuiteFolder.holds(folder):
        _written(open_study(folder), target, asked, width)
        return
    suite = SuiteFolder.open(folder)
    for task in suite.document.tasks:
        # A task whose study has not begun has nothing to export.
        if suite.study(task.name) is not None:
            own = target / Path(task.folder).name
            _written(open_study(suite.path_of(task.name)), own, asked, width)


def _written(study: Study, folder: Path, formats: tuple[str, ...], width: str) -> None:
    """Export a study, and say what was written."""
    files = study.export(folder, formats=formats, width=width)
    by_ending: dict[str, list[str]] = {}
    for path in files:
        by_ending.setdefault(path.suffix[1:], []).append(path.stem)
    for ending, names in by_ending.items():
        print(f"{ending:<4} {', '.join(names)}")
    if not study.complete:
        print("note: the study is not finished; export it again when it is")
    print(f"export: {folder} ({len(files)} files)")
