"""Series of studies by their files: run one of your own, reproduce a published one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.planning.studyfile import StudyFile
    from fallline.reproduction import Reproduction

STUDIES_FOLDER = "fallline-studies"
"""Where studies, suites and series go that were not given a folder."""


def run(
    file: str | Path | Mapping[str, Any],
    *,
    quick: bool = False,
    as_published: bool = False,
    seeds: int | None = None,
    data_dir: Path | str | None = None,
    out: Path | str | None = None,
    listener: Callable[[Any], None] | None = None,
) -> Reproduction:
    """Run the series of studies that a study file describes (docs/studies.md).

    ``file``: the path of a TOML file, or its content as a mapping. ``quick`` and
    ``as_published``: the forms that the file gives these names. ``seeds``: fresh seeds of each
    setting, instead of the file's. The series is written to the folder ``out`` (by default one in
    ``fallline-studies/`` named after the file and the form); where that holds the same series
    already, it goes on with it. Raises :class:`fallline.errors.FalllineError` for wrong input.
    """
    from fallline import series
    from fallline.planning import studyfile
    from fallline.reproduction import open_series

    forms = tuple(
        form for form, asked in zip(studyfile.FORMS, (as_published, quick), strict=True) if asked
    )
    if isinstance(file, Mapping):
        read = studyfile.parse(file, forms=forms)
    else:
        read = studyfile.read(file, forms=forms)
    if seeds is not None:
        read = studyfile.with_seeds(read, seeds)
    words = (form.replace("_", "-") for form in forms)
    name = "-".join([read.name, *words, *([f"{seeds}-seeds"] if seeds else [])])
    folder = Path(out) if out is not None else Path(STUDIES_FOLDER) / name
    listen = listener or series.silent
    return open_series(series.run(read, folder, data_dir=data_dir, listener=listen))


def reproduce(name: str, **settings: Any) -> Reproduction:
    """Reproduce a published study by its name; ``settings`` are those of :func:`run`."""
    return run(_study_file(name), **settings)


def reproductions() -> tuple[StudyFile, ...]:
    """The built-in study files, in the order of their publications."""
    from fallline import studies
    from fallline.planning import studyfile

    return tuple(studyfile.read(studies.path(name)) for name in studies.NAMES)


def write_study_file(name: str, path: Path | str) -> Path:
    """Copy the file of a built-in study to ``path``, which must not exist; returns it."""
    from fallline.errors import InputError

    target = Path(path)
    if os.path.exists(target):
        raise InputError(f"{str(path)!r} exists already", hint="give --write a new file's name")
    try:
        target.write_bytes(_study_file(name).read_bytes())
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r}: {error.strerror or error}",
            hint="give --write a file in a folder that can be written to",
        ) from error
    return target


def _study_file(name: str) -> Path:
    from fallline import studies
    from fallline.errors import unknown

    if name not in studies.NAMES:
        raise unknown("study", name, [*studies.NAMES, "all"], listed_by="fallline reproduce")
    return studies.path(name)
