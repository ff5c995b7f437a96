"""The built-in data sets: where their files are looked for, and their loading."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fallline.data import download
from fallline.data.dataset import Dataset, make_dataset
from fallline.data.files import content, md5_of
from fallline.data.sources import SOURCES, Source
from fallline.errors import DataError, unknown

ENVIRONMENT = "FALLLINE_DATA"


@dataclass(frozen=True)
class Located:
    """Where the files of a data set are, or where they were looked for."""

    files: tuple[Path, ...]
    where: str
    found: bool
    looked_in: tuple[Path, ...]


def names() -> tuple[str, ...]:
    """The built-in data sets."""
    return tuple(SOURCES)


def source(name: str) -> Source:
    """What is known of a built-in data set without its files."""
    if name not in SOURCES:
        raise unknown("data set", name, SOURCES, listed_by="fallline tasks")
    return SOURCES[name]


def load(
    name: str, *, data_dir: Path | str | None = None, may_download: bool = True, **options: Any
) -> Dataset:
    """The built-in data set ``name``, read and checked; downloaded where it is found nowhere.

    ``data_dir``: look there and nowhere else. ``options`` are those of ``make_dataset``, in
    place of the data set's own split and scaling. Raises DataError where files are missing or
    their checksums are not those of the standard files.
    """
    settings = contents(name, data_dir=data_dir, may_download=may_download) | options
    return make_dataset(settings.pop("x"), settings.pop("y"), **settings)


def contents(
    name: str, *, data_dir: Path | str | None = None, may_download: bool = True
) -> dict[str, Any]:
    """The arguments of ``make_dataset`` for a built-in data set, its arrays among them."""
    chosen = source(name)
    located = locate(name, data_dir)
    files = located.files
    if not located.found:
        if data_dir is not None:
            raise _not_there(chosen, Path(data_dir), located.looked_in)
        if not may_download:
            raise _nowhere(chosen, located.looked_in, "downloading is off")
        files = _downloaded(chosen, located.looked_in)
    return {
        "name": name,
        "kind": chosen.kind,
        "licence": chosen.licence,
        "source": chosen.origin,
        "classes": chosen.classes,
        **chosen.read(chosen, files),
        **chosen.split,
    }


def locate(name: str, data_dir: Path | str | None = None) -> Located:
    """Where the files of a data set are; nothing is read but to tell data sets apart.

    In order: ``data_dir`` (alone, if given), the folder that FALLLINE_DATA names, the user's
    cache, folders of the system. In each the files may lie in a folder of the data set's name,
    as torchvision lays them out, or directly.
    """
    chosen = source(name)
    if not chosen.files:
        return Located((), "embedded in scikit-learn", True, ())
    looked_in: list[Path] = []
    for where, base in _bases(chosen, data_dir):
        for folder in (*(base / part for part in chosen.folders), base):
            looked_in.append(folder)
            files = tuple(_present(folder, file.name) for file in chosen.files)
            complete = tuple(file for file in files if file is not None)
            if len(complete) == len(files) and not (folder == base and _foreign(chosen, complete)):
                return Located(complete, where, True, tuple(looked_in))
    return Located((), "not found", False, tuple(looked_in))


def cache_dir() -> Path:
    """The folder that downloaded data sets are kept in."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("fallline")) / "data"


def _bases(chosen: Source, data_dir: Path | str | None) -> list[tuple[str, Path]]:
    if data_dir is not None:
        return [("the data folder given", Path(data_dir))]
    bases = [("the user's cache", cache_dir())]
    if given := os.environ.get(ENVIRONMENT):
        bases.insert(0, (ENVIRONMENT, Path(given)))
    return bases + [("the system", Path(folder)) for folder in chosen.elsewhere]


def _present(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if os.path.isfile(p)), None)


def _foreign(chosen: Source, files: tuple[Path, ...]) -> bool:
    """Whether files that lie directly in a data folder are another data set's.

    MNIST, Fashion-MNIST and KMNIST name their files alike: the smallest one tells them apart,
    where its checksum is known.
    """
    others = {file.md5 for other in SOURCES.values() for file in other.files} - {None}
    others -= {file.md5 for file in chosen.files}
    return md5_of(content(min(files, key=lambda path: path.stat().st_size))) in others


def _downloaded(chosen: Source, looked_in: tuple[Path, ...]) -> tuple[Path, ...]:
    folder = cache_dir() / chosen.folders[0]
    sums = tuple(file.md5 for file in chosen.files if file.md5)
    if not chosen.downloadable:
        raise _nowhere(chosen, looked_in, "no checksum is known that a download could be held to")
    try:
        return tuple(
            download.fetch(file.url, folder, md5)
            for file, md5 in zip(chosen.files, sums, strict=True)
        )
    except OSError as error:
        raise _nowhere(chosen, looked_in, str(error)) from None


def _wanted(chosen: Source) -> str:
    gzipped = "[.gz]" if len(chosen.files) > 1 else ""
    return ", ".join(f"{file.name}{gzipped}" for file in chosen.files)


def _not_there(chosen: Source, data_dir: Path, looked_in: tuple[Path, ...]) -> DataError:
    """The error for a given folder without the files; names those that are missing in it."""
    if not os.path.isdir(data_dir):
        return DataError(f"there is no data folder {data_dir}", hint="correct --data-dir")
    begun = [
        (folder, missing)
        for folder in looked_in
        if 0 < len(missing := _missing(chosen, folder)) < len(chosen.files)
    ]
    if begun:
        folder, missing = begun[0]
        message = f"{folder} lacks {', '.join(missing)} of the data set {chosen.name!r}"
    else:
        tried = ", ".join(str(folder) for folder in looked_in)
        message = f"no files of the data set {chosen.name!r}; looked in {tried}"
    return DataError(
        message,
        hint=f"put {_wanted(chosen)} into {data_dir / chosen.folders[0]}, or leave "
        "--data-dir out to download them",
    )


def _missing(chosen: Source, folder: Path) -> list[str]:
    return [file.name for file in chosen.files if _present(folder, file.name) is None]


def _nowhere(chosen: Source, looked_in: tuple[Path, ...], why: str) -> DataError:
    tried = ", ".join(str(folder) for folder in looked_in)
    urls = " ".join(file.url for file in chosen.files)
    return DataError(
        f"the data set {chosen.name!r} was found nowhere (looked in {tried}), and not "
        f"downloaded: {why}",
        hint=f"fetch {urls} and put {_wanted(chosen)} into FOLDER/{chosen.folders[0]}; then give "
        f"--data-dir FOLDER or set {ENVIRONMENT}=FOLDER",
    )
