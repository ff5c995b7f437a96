"""A study's folder: ``study.toml``, ``parts/``, ``timing.toml``; one writer, many readers."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import tomli_w

from fallline.errors import StudyError
from fallline.records import RunResult, Status, stable_hash
from fallline.store import counting, durable, extension, manifest, mending, parts
from fallline.store.contents import PARTS_FOLDER, Contents, look
from fallline.store.document import FORMAT_VERSION, StudyDocument, Timing
from fallline.store.lock import HOLDER_FILE, LOCK_FILE, Lock

if TYPE_CHECKING:
    import pandas as pd

_DOCUMENT = "study.toml"
_TIMING = mending.TIMING_FILE
_PARTS = PARTS_FOLDER

log = logging.getLogger("fallline")


class StudyFolder:
    """The folder of one study. Make it with :meth:`begin` to write, :meth:`open` to read."""

    def __init__(self, path: Path, document: StudyDocument) -> None:
        self.path = path
        self.document = document
        self._lock = Lock(path)
        self._stored: set[str] = set()
        """While it is written: the ids of the runs that are stored."""
        self._number = 0
        """While it is written: of its last part."""

    @classmethod
    def open(cls, path: Path | str) -> StudyFolder:
        """The study in the folder ``path``, to be read."""
        folder = Path(path)
        file = folder / _DOCUMENT
        if not os.path.isfile(file):
            what = "is not a folder" if not os.path.isdir(folder) else f"holds no {_DOCUMENT}"
            raise StudyError(
                f"{str(path)!r} is no study: it {what}",
                hint="give the folder that 'fallline compare' named at its end",
            )
        return cls(folder, read_record(file, StudyDocument))

    @classmethod
    def begin(cls, path: Path | str, document: StudyDocument) -> StudyFolder:
        """The folder ``path``, to be written: made, or gone on with where it holds this study.

        Where more is asked than it holds, its document becomes the wider one. What is
        damaged in it is set aside first, and said as a warning of the logger.
        """
        folder = Path(path)
        if os.path.isfile(folder / _DOCUMENT):
            study = cls.open(folder)
            # What is no extension is refused before anything is changed.
            extension.extended(study.document, document, folder, complete=True)
            problems = study.take()
            study._extend(document)
        else:
            if os.path.isdir(folder) and _holds_anything(folder):
                raise StudyError(
                    f"the folder {str(folder)!r} is not empty and holds no study",
                    hint="give --out a folder that is new or empty",
                )
            _refusable(folder, lambda: (folder / _PARTS).mkdir(parents=True, exist_ok=True))
            _refusable(folder, lambda: write_record(folder / _DOCUMENT, document))
            study = cls(folder, document)
            problems = study.take()
        for problem in problems:
            log.warning("%s: %s", study.path, problem)
        return study

    def _extend(self, asked: StudyDocument) -> None:
        """Make of the study what is asked, as it is now that nobody else writes."""
        try:
            self.document = held = read_record(self.path / _DOCUMENT, StudyDocument)
            # Its end of before is no end of the wider study: it goes first, so that a kill between
            # the two leaves a study that is not complete, and never one that says it is.
            aside = self.path / f"timing-{len(held.history) + 1}.toml"
            timing = self.path / _TIMING
            if aside.is_file() and not timing.is_file():
                _refusable(self.path, lambda: durable.rename(aside, timing))
            wider = extension.extended(held, asked, self.path, complete=self.complete)
            if wider is None:
                return
            if timing.is_file():
                _refusable(self.path, lambda: durable.rename(timing, aside))
            _refusable(self.path, lambda: write_record(self.path / _DOCUMENT, wider))
            self.document = wider
        except BaseException:
            self.close()
            raise

    def take(self) -> tuple[str, ...]:
        """Become the folder's writer and put it in order; returns the problems that there were.

        Parts that are damaged are set aside, those that the manifest lacks are added to it. Raises
        StudyError where another process writes.
        """
        try:
            self._lock.take()
        except OSError as error:
            raise _no_permission(self.path, error) from error
        try:
            found = self.contents()
            _refusable(self.path, lambda: mending.put_in_order(self.path, found))
            self._stored = set(found.table["run_id"].to_pylist())
            self._number = mending.last_number(self.path, found)
        except BaseException:
            self.close()
            raise
        return found.problems

    def close(self) -> None:
        """Let another process write."""
        self._lock.release()

    @property
    def training(self) -> str:
        """The mark of what all runs of the study share, whichever they are: it is in every part."""
        protocol = self.document.protocol
        return stable_hash(
            self.document.task.fingerprint,
            protocol.batch_size,
            protocol.study_seed,
            protocol.precision,
            protocol.stopping,
        )

    @property
    def origin(self) -> dict[str, str]:
        """What a state of a run under way is taken in: only there it can be gone on with."""
        versions = {name: metadata.version(name) for name in ("fallline", "jax", "optax")}
        epochs = str(self.document.protocol.epochs)
        return {"training": self.training, "epochs": epochs, **versions}

    def contents(self) -> Contents:
        """All that the folder holds, at one moment; whoever asks twice reads twice."""
        file, timing = self.path / _TIMING, None
        others: tuple[str, ...] = ()
        try:
            timing = read_record(file, Timing) if file.is_file() else None
        except StudyError as error:
            others = (f"{_TIMING} is damaged, so the study counts as not finished ({error}).",)
        try:
            return replace(look(self.path, self.training, timing), others=others)
        except OSError as error:
            raise StudyError(
                f"the study in {str(self.path)!r} cannot be read: {error.strerror or error}",
                hint="give a folder that can be read",
            ) from error

    @property
    def complete(self) -> bool:
        """True when every run of the protocol is stored, in parts that are whole."""
        return (self.path / _TIMING).is_file() and self.contents().complete

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the folder, a sentence each; empty if nothing is."""
        return self.contents().problems

    @property
    def timing(self) -> Timing | None:
        """Where the time went; None while the study is not complete."""
        contents = self.contents()
        return contents.timing if contents.complete else None

    def append(self, results: Sequence[RunResult], batch_sizes: Sequence[int]) -> None:
        """Store finished runs: on return they are on the disk."""
        rows = [parts.row_of(*pair) for pair in zip(results, batch_sizes, strict=True)]
        if not rows:
            return
        _refusable(self.path, lambda: self._append(rows))
        self._stored |= {row["run_id"] for row in rows}

    def _append(self, rows: Sequence[dict[str, Any]]) -> None:
        entry = parts.write(self.path / _PARTS, self._number + 1, rows, self.training)
        self._number += 1
        manifest.append(self.path, [entry])

    def finish(self, timing: Timing) -> None:
        """Say that the study is complete."""
        known = msgspec.structs.replace(timing, runs=len(self._stored))
        _refusable(self.path, lambda: write_record(self.path / _TIMING, known))

    def results(self) -> list[RunResult]:
        """Every stored run."""
        return list(parts.results(self.contents().table))

    def runs(self) -> pd.DataFrame:
        """Every run that counts, a row each; the columns are those of :func:`parts.schema`."""
        return self.frame(self.contents())

    @property
    def failed(self) -> dict[str, str]:
        """By optimizer, why runs of it that count failed; empty where none did."""
        runs = self.runs()
        rows = runs[runs["status"] == Status.FAILED.value].drop_duplicates("optimizer")
        return dict(zip(rows["optimizer"], rows["reason"], strict=True)) if len(rows) else {}

    def frame(self, contents: Contents) -> pd.DataFrame:
        """The runs of ``contents`` that count.

        Not those that it was extended beyond, that had failed and are none of its runs any more, or
        whose setting another machine did not choose again after a part was lost.
        """
        frame = contents.table.to_pandas()
        if strange := sorted(set(frame["optimizer"]) - self.document.optimizers.keys()):
            raise self._other(f"runs of {strange[0]!r}, which its {_DOCUMENT} does not describe")
        ended = contents.timing if contents.complete else None
        said = ended.not_counted if ended else None
        results = partial(parts.results, contents.table)
        if aside := counting.aside(frame, results, self.document, said):
            frame = frame[~frame["run_id"].isin(list(aside))].reset_index(drop=True)
        if several := counting.of_several_settings(frame):
            raise self._other(f"final runs of {several[0]!r} with several settings")
        return frame

    def _other(self, what: str) -> StudyError:
        return StudyError(
            f"the study in {str(self.path)!r} holds {what}",
            hint="it was changed after fallline wrote it: bring back a copy",
        )


def _holds_anything(folder: Path) -> bool:
    """Whether there is more in ``folder`` than a writer leaves that was killed as it began."""
    names = {path.name for path in folder.iterdir()}
    names -= {f"{_DOCUMENT}.tmp", LOCK_FILE, HOLDER_FILE}
    begun = names <= {_PARTS} and not any((folder / _PARTS).glob("*"))
    return bool(names) and not begun


def write_record(path: Path, record: msgspec.Struct) -> None:
    """Write ``record`` as TOML; complete or not at all."""
    text = tomli_w.dumps(_without_none(msgspec.to_builtins(record)))
    durable.write(path, text.encode())


def _without_none(tree: Any) -> Any:
    """TOML has no null: what is not given is left out."""
    if isinstance(tree, dict):
        return {key: _without_none(value) for key, value in tree.items() if value is not None}
    return tree


def inside(folder: Path, name: str) -> Path:
    """The folder ``name`` inside of ``folder``; a document may not name one that lies elsewhere."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\0" in name:
        raise StudyError(
            f"{str(folder)!r} names the folder {name!r}, which is not inside of it",
            hint="it was changed after fallline wrote it: bring back a copy",
        )
    return folder / name


def read_record(path: Path, kind: type[Any]) -> Any:
    """The record in a TOML file; a :class:`StudyError` says why there is none."""
    try:
        tree = msgspec.toml.decode(path.read_bytes())
        version = tree.get("format_version", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise StudyError(
                f"{str(path)!r} is in study format {version}",
                hint=f"this fallline reads format {FORMAT_VERSION}; "
                "read the study with the version that wrote it",
            )
        return msgspec.convert(tree, kind)
    except (msgspec.MsgspecError, ValueError, OSError, RecursionError) as error:
        raise StudyError(
            f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}",
            hint="it was changed or damaged after fallline wrote it: bring back a copy, "
            "or begin a study in another folder",
        ) from error


def _refusable(folder: Path, write: Any) -> None:
    """Write, and turn a refusal of the system into an error that says what to do."""
    try:
        write()
    except OSError as error:
        raise _no_permission(folder, error) from error


def _no_permission(folder: Path, error: OSError) -> StudyError:
    return StudyError(
        f"cannot write to the study's folder {str(folder)!r}: {error.strerror or error}",
        hint="give --out a folder that can be written to, on a disk with room",
    )
