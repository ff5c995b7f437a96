"""From a study file to its settings, and to the studies that measure them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from fallline.errors import InputError
from fallline.optimizers import catalogue
from fallline.planning.config import StudyConfig
from fallline.planning.stopping import EarlyStopping
from fallline.planning.studyfile import (
    MODES,
    Changes,
    Measuring,
    Stage,
    StudyFile,
    measuring,
    stages_of,
)
from fallline.records import stable_hash

DEFAULT_OPTIMIZER = "adam"


@dataclass(frozen=True)
class Setting:
    """A point of a stage: which setting of each varied axis, and all that follows from it."""

    labels: dict[str, str] = field(hash=False)
    """By axis."""
    changes: Changes

    @property
    def optimizer(self) -> str:
        """Its name as the catalogue writes it."""
        return catalogue.get(self.changes.optimizer or DEFAULT_OPTIMIZER).name

    @property
    def title(self) -> str:
        """The labels in one line."""
        return ", ".join(self.labels.values()) or "the setting"

    @property
    def trains(self) -> str:
        """Hash of what it trains, the optimizer apart: equal ones share a study."""
        return stable_hash(msgspec.to_builtins(self.changes) | {"optimizer": None})


@dataclass(frozen=True)
class Member:
    """One study of a series: settings that differ by their optimizer alone, in one mode."""

    stage: str
    mode: str
    """``"untuned"`` or ``"tuned"``."""
    settings: tuple[Setting, ...]
    protocol: Measuring
    fold: int = 0
    """From 1; 0 without folds."""

    @property
    def changes(self) -> Changes:
        """What all its settings share."""
        return self.settings[0].changes

    @property
    def trains(self) -> str:
        """Hash of what all its settings train, the optimizers apart."""
        return self.settings[0].trains

    @property
    def shared(self) -> dict[str, str]:
        """The labels that all its settings share."""
        first = self.settings[0].labels
        return {
            axis: label
            for axis, label in first.items()
            if all(each.labels[axis] == label for each in self.settings)
        }

    @property
    def folder(self) -> str:
        """Its folder within the series', as a relative path of plain names."""
        words = [*self.shared.values(), *([f"fold {self.fold}"] if self.fold else []), self.mode]
        slug = "-".join(re.sub("[^a-z0-9]+", "-", word.lower()).strip("-") for word in words)
        kept = slug[:60].strip("-")
        optimizers = [each.optimizer for each in self.settings]
        unique = stable_hash(self.trains, self.shared, self.mode, self.fold, optimizers, digits=6)
        stage = re.sub("[^A-Za-z0-9]+", "-", self.stage).strip("-") or "stage"
        return f"{stage}/{kept}-{unique}"

    @property
    def title(self) -> str:
        """The member in words: where it stands in its series."""
        parts = [*(f"{axis} {label}" for axis, label in self.shared.items()), self.mode]
        return ", ".join([self.stage, *parts, *([f"fold {self.fold}"] if self.fold else [])])

    def config(self, *, epochs: int, batch_size: int) -> StudyConfig:
        """Its study's configuration, with the budget that its task has."""
        stop = self.protocol.stop
        rates = self.protocol.learning_rates
        return StudyConfig(
            optimizers=tuple(each.optimizer for each in self.settings),
            epochs=epochs,
            batch_size=batch_size,
            seeds=self.protocol.seeds,
            final_seeds=self.protocol.final_seeds,
            learning_rates=rates if isinstance(rates, int) else tuple(map(float, rates)),
            defaults=self.mode == "untuned",
            widen=self.protocol.widen,
            stopping=EarlyStopping(**msgspec.structs.asdict(stop)) if stop else None,
        )


def settings(
    file: StudyFile, stage: Stage, chosen: Mapping[str, str] | None = None
) -> list[Setting]:
    """The settings of a stage, in the file's order.

    ``chosen``: the settings that earlier stages chose, by axis. They hold for the axes that this
    stage neither varies nor fixes.
    """
    base = file.base.then(stage.base)
    vary = stage.vary
    held = {**(chosen or {}), **stage.fixed}
    for axis, label in held.items():
        if axis not in vary:
            base = base.then(file.axes[axis][label])
    axes = [[(axis, label) for label in stage.only.get(axis, file.axes[axis])] for axis in vary]
    found = []
    for point in itertools.product(*axes):
        changes = base
        for axis, label in point:
            changes = changes.then(file.axes[axis][label])
        found.append(Setting(dict(point), changes))
    return found


def members(file: StudyFile, name: str, chosen: Mapping[str, str] | None = None) -> list[Member]:
    """The studies that measure a stage's settings, in the order in which they are trained."""
    stage = stages_of(file)[name]
    protocol = measuring(file, stage)
    sharing: dict[str, list[Setting]] = {}
    for setting in settings(file, stage, chosen):
        if setting.changes.task is None:
            raise InputError(
                f"the setting {setting.title!r} of stage {name!r} has no task",
                hint='give [base] one: task = "mnist-mlp"',
            )
        sharing.setdefault(setting.trains, []).append(setting)
    modes = [mode for mode in MODES if getattr(protocol, mode)]
    folds = range(1, protocol.folds + 1) if protocol.folds else (0,)
    return [
        Member(name, mode, tuple(part), protocol, fold)
        for own in sharing.values()
        for mode in modes
        for part in _told_apart(own)
        for fold in folds
    ]


def measured_alike(mode: str, one: Measuring, other: Measuring) -> bool:
    """Whether two protocols train the same runs of a setting in ``mode``."""
    searched = ("seeds", "learning_rates", "widen") if mode == "tuned" else ()
    names = ("final_seeds", "folds", "stop", *searched)
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _told_apart(own: Sequence[Setting]) -> Iterator[list[Setting]]:
    """Settings in parts, none of which has an optimizer twice."""
    left = list(own)
    while left:
        part: dict[str, Setting] = {}
        for setting in left:
            part.setdefault(setting.optimizer, setting)
        yield list(part.values())
        left = [each for each in left if each not in part.values()]


def best(figures: Mapping[str, float], *, higher_is_better: bool) -> str:
    """The label with the best figure; the first one of equals. NaN counts as the worst."""

    def key(label: str) -> float:
        value = figures[label]
        if value != value:
            return float("inf")
        return -value if higher_is_better else value

    return min(figures, key=key)
