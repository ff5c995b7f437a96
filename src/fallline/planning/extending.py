"""Whether a study file asks for what a folder holds already, or for more of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fallline.errors import StudyError
from fallline.planning.studyfile import Stage, StudyFile, stages_of


def require_same(held: StudyFile, asked: StudyFile, folder: Path) -> None:
    """Raise unless ``asked`` measures what ``held`` does, as far as both name it.

    Settings, stages and axes may be added, and left out: what both have must be equal. Words,
    claims and published figures do not count.
    """
    differences = [
        name for name in ("base", "protocol") if getattr(held, name) != getattr(asked, name)
    ]
    for axis in held.axes.keys() & asked.axes.keys():
        shared = held.axes[axis].keys() & asked.axes[axis].keys()
        differences += [
            f"{label!r} of {axis!r}"
            for label in sorted(shared)
            if held.axes[axis][label] != asked.axes[axis][label]
        ]
    before, now = stages_of(held), stages_of(asked)
    differences += [
        f"stage {name!r}"
        for name in sorted(before.keys() & now.keys())
        if _measures(before[name]) != _measures(now[name])
    ]
    if differences:
        raise StudyError(
            f"the folder {str(folder)!r} holds another form of {held.name!r}: these differ: "
            f"{', '.join(differences)}",
            hint="give --out another folder, or bring the file back to go on with it",
        )


def _measures(stage: Stage) -> tuple[Any, ...]:
    """What of a stage decides how its settings are trained, whichever they are."""
    return sorted(stage.vary), stage.fixed, stage.base, stage.protocol, stage.choose
