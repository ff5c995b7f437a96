"""What a study becomes where more is asked of its folder than it holds, and what is refused.

More seeds, optimizers or epochs widen a study: what is stored stays, what is lacking is trained.
Less than the folder holds is refused, and so is what would make other numbers of the same runs.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from fallline.errors import StudyError
from fallline.store.document import Former, StudyDocument

Kind = Literal["more", "less", "other"]

_GROWING = ("optimizers", "search_seeds", "final_seeds", "confirm_seeds")
_BY_OPTIMIZER = ("learning_rates", "dimensions")
_WORDS = ("title", "licence", "source", "notes", "left_out")
"""What two documents say of the same runs in other words."""


class Difference(NamedTuple):
    """A field of which two documents say something else."""

    name: str
    held: Any
    asked: Any
    kind: Kind

    def __str__(self) -> str:
        return f"{self.name}: {_short(self.held)} there, {_short(self.asked)} asked"


def extended(
    held: StudyDocument, asked: StudyDocument, folder: Path, *, complete: bool
) -> StudyDocument | None:
    """What ``held`` becomes where ``asked`` is asked of ``folder``; None where it stays.

    It becomes what is asked, with what it was before in its history. A study that is not
    ``complete`` is gone on with by other versions of the libraries, and its history says so. Raises
    StudyError for what is no extension, with the differences named.
    """
    if held.task.name != asked.task.name:
        raise StudyError(
            f"the folder {str(folder)!r} holds a study of another task, {held.task.name!r}",
            hint="give --out another folder",
        )
    found = list(differences(held, asked))
    _refuse(found, folder)
    grown = {each.name: each.held for each in found if each.kind == "more"}
    if grown:
        _require_extensible(held, grown, folder)
    versions = {
        name: version
        for name, version in held.versions.items()
        if asked.versions.get(name) != version
    }
    if not grown and (complete or not versions):
        return None
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    former = Former(until=now, protocol=msgspec.to_builtins(grown), versions=versions)
    # Without more asked, words and order stay as they were.
    base = asked if grown else msgspec.structs.replace(held, versions=asked.versions)
    return msgspec.structs.replace(
        base,
        created=held.created,
        given=asked.given or held.given,
        history=(*held.history, former),
    )


def differences(held: StudyDocument, asked: StudyDocument) -> Iterator[Difference]:
    """The fields of task and protocol that differ, but for words and the order of names."""
    for part in ("task", "protocol"):
        for name in getattr(held, part).__struct_fields__:
            old, new = (getattr(getattr(document, part), name) for document in (held, asked))
            if name in _WORDS or old == new:
                continue
            kind = _kind(name, old, new)
            if kind is not None:
                yield Difference(name, old, new, kind)


def _kind(name: str, old: Any, new: Any) -> Kind | None:
    """What the difference comes to; None if to nothing."""
    if name == "epochs":
        return "more" if new > old else "less"
    if name in _BY_OPTIMIZER:
        return "other" if any(old[each] != new[each] for each in old.keys() & new.keys()) else None
    if name not in _GROWING:
        return "other"
    if set(old) == set(new):
        return None
    return "more" if set(old) < set(new) else "less"


def _refuse(found: Collection[Difference], folder: Path) -> None:
    """Raise for a contradiction, or for less than there is."""
    if any(each.kind == "other" for each in found):
        raise StudyError(
            f"the folder {str(folder)!r} holds another study ({'; '.join(map(str, found))})",
            hint="give --out another folder, or ask for the same study to go on with it",
        )
    less = [each for each in found if each.kind == "less"]
    if less:
        lacking = dict.fromkeys(_lacking(each) for each in less)
        raise StudyError(
            f"the folder {str(folder)!r} holds more than is asked ({'; '.join(map(str, less))})",
            hint=f"a study can be extended and not cut: ask for {', '.join(lacking)} too, give "
            f"--out another folder, or see what it holds with 'fallline show {folder}'",
        )


def _lacking(less: Difference) -> str:
    """What of the folder's study is not asked for, in words."""
    if less.name == "epochs":
        return f"at least {less.held} epochs"
    if less.name == "optimizers":
        return ", ".join(name for name in less.held if name not in less.asked)
    kind = "fresh" if less.name == "final_seeds" else "search"
    return f"at least {len(less.held)} {kind} seeds"


def _require_extensible(held: StudyDocument, grown: Collection[str], folder: Path) -> None:
    """Raise where stored runs would be other runs in the wider study."""
    rule = held.protocol.rule
    another = "begin the wider study with --out another folder"
    if rule.startswith("time"):
        raise StudyError(
            f"the folder {str(folder)!r} holds a study of the protocol {rule!r}, which cannot be "
            f"extended ({', '.join(grown)}): how far a search came in its time is no question of "
            "more",
            hint=another,
        )
    if "halving" in rule and "search_seeds" in grown:
        raise StudyError(
            f"the folder {str(folder)!r} holds a study of the protocol {rule!r}, whose search "
            "takes no further seeds: they would decide anew which trials stop at a rung",
            hint=f"{another}; further --final-seeds extend this one",
        )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
