"""Whether a folder is sound: a study's, that of a series or of a suite, with all that lies in it.

Reading alone; with ``repair`` what can be mended is, and what holds finished work is moved at most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fallline.errors import FalllineError, StudyError
from fallline.records import RunState
from fallline.store import clock, mending, states
from fallline.store.contents import ASIDE_FOLDER, PARTS_FOLDER, Contents, State
from fallline.store.folder import StudyFolder
from fallline.store.series import SeriesFolder
from fallline.store.suite import SuiteFolder


@dataclass(frozen=True)
class Finding:
    """What is said of a file or of a folder."""

    where: str
    """Relative to the folder that is checked."""
    what: str
    mend: str = ""
    """How to mend it; empty where nothing is wrong."""

    @property
    def sound(self) -> bool:
        return not self.mend


_AGAIN = "--repair sets it aside; the command that began the study trains its runs again"
_COPY = "bring back a copy, or begin the study in another folder"


def check(path: Path | str, *, repair: bool = False) -> list[Finding]:
    """What there is to say of the study, series or suite in ``path``.

    With ``repair`` it is mended first as far as it can be, and what is left is said. Raises
    StudyError where there is none of them, or where another process is writing.
    """
    folder = Path(path)
    if SeriesFolder.holds(folder):
        return [*_document(folder, "series.toml", SeriesFolder.open), *_inside(folder, repair)]
    if SuiteFolder.holds(folder):
        return [*_document(folder, "suite.toml", SuiteFolder.open), *_inside(folder, repair)]
    if not any(map(os.path.exists, (folder / "study.toml", folder / PARTS_FOLDER))):
        StudyFolder.open(folder)  # which says what is there instead
    return list(_study(folder, repair))


def _inside(folder: Path, repair: bool) -> Iterator[Finding]:
    """Every study below ``folder``, and what its documents name that is not there."""
    found = sorted(path.parent for path in folder.rglob("study.toml"))
    for path in found:
        name = path.relative_to(folder).as_posix()
        for each in _study(path, repair):
            yield Finding(f"{name}/{each.where}", each.what, each.mend)
    for name in _named(folder):
        if folder / name not in found:
            yield Finding(
                name, "missing: its study is gone", "the command that began it trains it again"
            )


def _named(folder: Path) -> list[str]:
    """The folders of studies that are complete by the documents around them."""
    try:
        if SeriesFolder.holds(folder):
            members = SeriesFolder.open(folder).progress.members
            return list(dict.fromkeys(member.folder for member in members))
    except FalllineError:
        pass  # said where the documents are checked
    return []


def _document(folder: Path, name: str, opened: Callable[[Path], object]) -> Iterator[Finding]:
    try:
        found = opened(folder)
        if isinstance(found, SeriesFolder):
            _ = found.progress
    except FalllineError as error:
        yield Finding(name, f"damaged: {error}", _COPY)
    else:
        yield Finding(name, "reads")


def _study(folder: Path, repair: bool) -> Iterator[Finding]:
    try:
        study = StudyFolder.open(folder)
    except StudyError as error:
        yield Finding("study.toml", f"damaged: {error}", _COPY)
        return
    yield Finding("study.toml", "reads")
    if repair:
        yield from _repaired(study)
    found = study.contents()
    yield from _parts(found)
    yield from _manifest(found)
    yield from _timing(study, found)
    yield from _clock(folder)
    yield from _states(study, found)
    for torn in mending.temporaries(folder, found):
        yield Finding(
            torn.relative_to(folder).as_posix(),
            "a temporary file: a writer is at work, or was killed",
            "--repair removes it",
        )


def _parts(found: Contents) -> Iterator[Finding]:
    for part in found.parts:
        where = f"{PARTS_FOLDER}/{part.name}"
        runs = f", {part.entry.rows} runs" if part.entry else ""
        if part.state is State.WHOLE:
            yield Finding(where, f"whole{runs}; the manifest agrees")
        elif part.state is State.UNLISTED:
            yield Finding(where, f"{part.state}{runs}", "--repair adds it, or the next writer")
        elif part.state is State.MISSING:
            yield Finding(
                where,
                f"missing{runs}",
                "bring back a copy, or have the command that began the study train its runs again",
            )
        else:
            yield Finding(where, f"damaged: {part.reason}{runs}", _AGAIN)
    for name in found.foreign:
        yield Finding(
            f"{PARTS_FOLDER}/{name}",
            "not a part of the study",
            f"--repair moves it to {ASIDE_FOLDER}/",
        )


def _manifest(found: Contents) -> Iterator[Finding]:
    where = "manifest.jsonl"
    if found.manifest.damaged or found.manifest.torn:
        lines = ", ".join(map(str, found.manifest.damaged)) or "the last one"
        yield Finding(where, f"damaged lines: {lines}", "--repair writes it anew")
    elif found.manifest.entries:
        yield Finding(where, f"reads, {len(found.manifest.entries)} parts")


def _timing(study: StudyFolder, found: Contents) -> Iterator[Finding]:
    if found.others:
        for problem in found.others:
            yield Finding(
                "timing.toml", problem, "--repair sets it aside; then go on with the study"
            )
    elif found.timing is None:
        yield Finding("timing.toml", "not there: the study is not finished and can be gone on with")
    elif found.short:
        yield Finding("timing.toml", f"{found.short} of its runs are in no part", _AGAIN)
    else:
        yield Finding("timing.toml", "reads")


def _clock(folder: Path) -> Iterator[Finding]:
    if (folder / clock.CLOCK_FILE).is_file():
        try:
            clock.load(folder)
        except StudyError as error:
            yield Finding(clock.CLOCK_FILE, f"damaged: {error}", "--repair sets it aside")
        else:
            yield Finding(clock.CLOCK_FILE, "reads")


def _states(study: StudyFolder, found: Contents) -> Iterator[Finding]:
    stored = set(found.table["run_id"].to_pylist())
    for path in _state_files(study.path):
        where = path.relative_to(study.path).as_posix()
        held = states.load_file(path)
        if not held:
            yield Finding(where, "damaged: the runs in it begin anew", "--repair sets it aside")
        elif held.keys() <= stored:
            yield Finding(where, "states of runs that are finished", "--repair removes it")
        elif not (usable := _usable(study, held, stored)):
            yield Finding(
                where,
                "states of another training: no run of this study goes on from them",
                "--repair removes it",
            )
        else:
            runs = "1 run" if len(usable) == 1 else f"{len(usable)} runs"
            yield Finding(where, f"reads, {runs} under way{_versions(study, usable)}")


def _usable(
    study: StudyFolder, held: Mapping[str, RunState], stored: Collection[str]
) -> list[RunState]:
    """The states of runs that are not finished and that may be of this study."""
    own = {name: study.origin[name] for name in ("training", "epochs")}
    return [
        state
        for run, state in held.items()
        if run not in stored
        and all((state.origin or {}).get(name, value) == value for name, value in own.items())
    ]


def _versions(study: StudyFolder, states: Iterable[RunState]) -> str:
    """What of the libraries has another version here, in words; empty where nothing has."""
    own = study.origin
    others = {
        f"{name} {value} (here {own[name]})"
        for state in states
        for name, value in (state.origin or {}).items()
        if name in own and own[name] != value
    }
    if not others:
        return ""
    return f", taken with {', '.join(sorted(others))}: with other versions they begin anew"


def _state_files(folder: Path) -> list[Path]:
    own = folder / states.STATES_FILE
    return [*([own] if own.is_file() else []), *states.waiting(folder)]


# -- repairing --------------------------------------------------------------------------------


def _repaired(study: StudyFolder) -> Iterator[Finding]:
    """Mend what can be; say what was wrong."""
    before = study.take()
    try:
        for problem in before:
            yield Finding(".", f"mended: {problem}")
        found = study.contents()
        for name in found.foreign:
            mending.set_aside(study.path, study.path / PARTS_FOLDER / name)
        _set_clock_aside(study.path)
        stored = set(found.table["run_id"].to_pylist())
        for path in _state_files(study.path):
            held = states.load_file(path)
            if not held:
                mending.set_aside(study.path, path, mending.DAMAGED)
            elif not _usable(study, held, stored):
                path.unlink()
        for torn in study.path.glob("*.safetensors.tmp"):
            torn.unlink()
    except OSError as error:
        raise StudyError(
            f"cannot repair {str(study.path)!r}: {error.strerror or error}",
            hint="it must be a folder that can be written to, on a disk with room",
        ) from error
    finally:
        study.close()


def _set_clock_aside(folder: Path) -> None:
    try:
        clock.load(folder)
    except StudyError:
        mending.set_aside(folder, folder / clock.CLOCK_FILE)
