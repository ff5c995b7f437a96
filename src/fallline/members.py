"""The studies of a series: what of each is stored, what lacks, and how they fill the devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from fallline.planning import settings
from fallline.planning.grouping import Group
from fallline.planning.settings import Member
from fallline.planning.studyfile import StudyFile, measuring, stages_of
from fallline.store.series import StoredMember, StoredSetting


def stretches(file: StudyFile) -> list[list[str]]:
    """The stages in parts, each up to a stage that chooses: inside one no study waits for others'
    results."""
    found: list[list[str]] = [[]]
    for name, stage in stages_of(file).items():
        found[-1].append(name)
        if stage.choose:
            found.append([])
    return [each for each in found if each]


def wanted(groups: Iterable[Group], devices: int) -> int:
    """The devices, of so many, that a study with these programs keeps busy."""
    return min(devices, max(group.runs * group.layout.shards for group in groups))


def parts(member: Member, groups: Sequence[Group], devices: int, series: Path) -> list[Member]:
    """The member, or a member for each of its programs where one of them leaves devices idle.

    A study trains its programs in turn; as studies of their own they are trained side by side.
    What an earlier process began in the folder ``series`` stays as it was begun.
    """
    apart = [
        replace(
            member,
            settings=tuple(each for each in member.settings if each.optimizer in group.optimizers),
        )
        for group in groups
    ]
    if len(apart) == 1:
        return [member]
    if any((series / part.folder).is_dir() for part in apart):
        return apart
    idle = any(wanted([group], devices) < devices for group in groups)
    return apart if idle and not (series / member.folder).is_dir() else [member]


def parted(
    member: Member, known: Iterable[StoredMember], file: StudyFile
) -> tuple[list[StoredMember], Member | None]:
    """A member's entries, in the order of its settings, and a member of what has to be trained.

    ``known``: the studies that are stored or will be. What one of them trains, in whatever stage,
    by the same protocol, is taken from there.
    """
    stages = stages_of(file)
    names = {each.optimizer for each in member.settings}
    folders: dict[str, str] = {}
    for one in known:
        same = (one.mode, one.fold, one.trains) == (member.mode, member.fold, member.trains)
        if not same or one.stage not in stages:
            continue
        protocol = measuring(file, stages[one.stage])
        if settings.measured_alike(member.mode, protocol, member.protocol):
            for each in one.settings:
                if each.optimizer in names:
                    folders.setdefault(each.optimizer, one.folder)
    lacking = tuple(each for each in member.settings if each.optimizer not in folders)
    lacks = replace(member, settings=lacking) if lacking else None
    if lacks is not None:
        folders |= dict.fromkeys((each.optimizer for each in lacking), lacks.folder)
    return [
        stored(replace(member, settings=tuple(own)), folder)
        for folder, own in groupby(member.settings, key=lambda each: folders[each.optimizer])
    ], lacks


def stored(member: Member, folder: str) -> StoredMember:
    """What is stored of a member whose study is in ``folder``."""
    return StoredMember(
        stage=member.stage,
        mode=member.mode,
        fold=member.fold,
        trains=member.trains,
        folder=folder,
        title=member.title,
        settings=tuple(StoredSetting(each.labels, each.optimizer) for each in member.settings),
    )
