"""A study file: what a series of studies varies, how it measures, and what was published of it.

The file is TOML. ``[base]`` is where every setting starts; ``[axes.NAME]`` holds the settings of
one thing that varies, each a table of what it changes; ``[stages.NAME]`` says which axes are varied
together and what is chosen there; ``[as_published]`` and ``[quick]`` hold what these two forms of
the study change in the file itself.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from fallline.errors import DataError, InputError, near_matches
from fallline.planning.config import DEFAULT_POINTS, whole_number

FIGURES = (
    "train_loss",
    "train_metric",
    "validation_loss",
    "validation_metric",
    "test_loss",
    "test_metric",
    "epochs_trained",
)
"""What is measured of a run; ``..._accuracy`` and ``..._rmse`` mean the metric."""
MODES = ("untuned", "tuned")
FORMS = ("as_published", "quick")
MOST_SETTINGS = 2000
"""Of a file, in each mode and on each fold: each is a study or a part of one."""
_LEFT_OUT = object()
_METRIC = re.compile("_(accuracy|rmse)$")


class Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a setting says of the task and its optimizer; what it leaves out stays as it was."""

    task: str | None = None
    """A built-in task's name."""
    model: dict[str, Any] = {}
    """Fields of its network."""
    data: dict[str, Any] = {}
    """How its data is split and scaled."""
    loss: str | None = None
    l1: float | None = None
    l2: float | None = None
    epochs: int | None = None
    batch_size: int | Literal["all"] | None = None
    optimizer: str | None = None

    def then(self, other: Changes) -> Changes:
        """These changes, and then the other ones on top."""
        tree = msgspec.to_builtins(self)
        for name, value in msgspec.to_builtins(other).items():
            both = isinstance(value, dict) and name in tree
            tree[name] = {**tree[name], **value} if both else value
        return msgspec.convert({k: v for k, v in tree.items() if v is not None}, Changes)


class Stopping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Early stopping, as :class:`fallline.planning.stopping.EarlyStopping` has it."""

    monitor: str = "validation_loss"
    min_delta: float = 0.0
    patience: int = 3


class Measuring(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How settings are measured: ``[protocol]``."""

    final_seeds: int = 5
    """Fresh seeds on which each setting is measured."""
    untuned: bool = True
    """Measure every optimizer at the settings that the file gives it."""
    tuned: bool = True
    """Measure every optimizer at the learning rate that a search on validation data chose."""
    seeds: int = 1
    """Seeds of each point of that search."""
    learning_rates: int | list[float] = DEFAULT_POINTS
    """Points of that search, or the learning rates themselves."""
    widen: bool = True
    folds: int = 0
    """Measure on so many folds of the training and validation data instead of on one split."""
    stop: Stopping | None = None


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Axes that are varied together."""

    title: str = ""
    vary: list[str] = []
    """The axes; a file without stages varies all of them."""
    only: dict[str, list[str]] = {}
    """Of an axis, these settings alone."""
    fixed: dict[str, str] = {}
    """Axes held at one setting."""
    base: Changes = Changes()
    """What it changes of the file's own base."""
    protocol: dict[str, Any] = {}
    """What it changes of the file's own protocol."""
    choose: str = ""
    """The figure by which the best setting is chosen, and kept by the stages after it."""


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Figures of a publication for one setting."""

    where: dict[str, str]
    figures: dict[str, float]
    stage: str = ""
    """By default the only one."""
    epoch: int = 0
    """At the end of this epoch; 0: at the end of the training."""


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a publication, or a practice, says of the settings: tested against the runs."""

    text: str
    better: dict[str, str]
    """The setting that is said to be better..."""
    than: dict[str, str] = {}
    """...than these; by default than all others of the stage."""
    figure: str = "test_metric"
    stage: str = ""
    about: str = ""
    """What the protocol shows of it, for readers of the report."""


class Publication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text whose study this is."""

    title: str
    authors: str = ""
    year: int = 0
    url: str = ""


class StudyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A study file, read and checked."""

    name: str
    title: str = ""
    about: str = ""
    flaw: str = ""
    """What the published protocol hides, in words."""
    publication: Publication | None = None
    base: Changes = Changes()
    """Where every setting starts."""
    protocol: Measuring = Measuring()
    axes: dict[str, dict[str, Changes]] = {}
    stages: dict[str, Stage] = {}
    published: list[Published] = []
    remarks: list[str] = []
    """What explains the differences to the publication, a sentence or two each."""
    claims: list[Claim] = []
    form: str = "as it should be"
    """In words, which form of the study this is."""


def read(path: Path | str, *, forms: tuple[str, ...] = ()) -> StudyFile:
    """The study file at ``path``, in the ``forms`` asked for (of ``FORMS``, in their order)."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"the study file {str(path)!r} cannot be read: {error.strerror or error}",
            hint="give the path of a .toml file; 'fallline reproduce NAME --write FILE' copies one",
        ) from None
    try:
        tree = msgspec.toml.decode(content)
        return parse(tree, str(path), forms=forms)
    except (msgspec.DecodeError, ValueError) as error:
        raise DataError(
            f"{str(path)!r} is no TOML: {error}", hint="mend it there; comments begin with #"
        ) from None
    except RecursionError:
        raise DataError(
            f"{str(path)!r} has too many tables inside of each other",
            hint="docs/studies.md says what a study file may hold",
        ) from None


def parse(tree: Any, where: str = "the study", *, forms: tuple[str, ...] = ()) -> StudyFile:
    """A study file's content, in the ``forms`` asked for, checked."""
    if not isinstance(tree, dict):
        raise DataError(f"{where} holds no tables", hint="write at least name = ... and [base]")
    tree = copy.deepcopy(tree)
    overrides = {form: tree.pop(form, None) for form in FORMS}
    for form, changes in overrides.items():
        if not isinstance(changes, dict | None):
            raise InputError(f"{where}: {form} is {changes!r}", hint=f"make it a table: [{form}]")
    quick_as_published = None
    if isinstance(overrides["as_published"], dict):
        quick_as_published = overrides["as_published"].pop("quick", None)
    for form in FORMS:
        if form not in forms:
            continue
        if overrides[form] is None:
            raise InputError(
                f"{where} has no table [{form}]",
                hint="add one with what this form changes, or leave out "
                f"--{form.replace('_', '-')}",
            )
        tree = merged(tree, overrides[form])
    if forms == FORMS and quick_as_published:
        tree = merged(tree, quick_as_published)
    if forms:
        tree["form"] = ", ".join(form.replace("_", " ") for form in forms)
    found = _converted(_kept(tree), where)
    _check(found, where)
    return found


def _kept(tree: Any) -> Any:
    """``tree`` without what was left out."""
    if not isinstance(tree, dict):
        return tree
    return {name: _kept(value) for name, value in tree.items() if value is not _LEFT_OUT}


def merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``tree`` with ``changes``: tables are merged, everything else is replaced.

    A table that is changed to ``false`` is left out, whatever is changed of it later.
    """
    result = dict(tree)
    for name, value in changes.items():
        held = result.get(name)
        if held is _LEFT_OUT or (value is False and isinstance(held, Mapping)):
            result[name] = _LEFT_OUT
            continue
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            result[name] = merged(held, value)
        else:
            result[name] = value
    return result


def figure_named(name: str, where: str = "the study") -> str:
    """One of ``FIGURES`` from the name that a file gives it."""
    plain = _METRIC.sub("_metric", name)
    if plain not in FIGURES:
        near = near_matches(plain, FIGURES)
        asked = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise InputError(
            f"{where} names the figure {name!r}", hint=f"{asked}there are {', '.join(FIGURES)}"
        )
    return plain


def with_seeds(file: StudyFile, seeds: int) -> StudyFile:
    """The file with so many fresh seeds, whatever its stages say of them."""
    whole_number("seeds", seeds, least=1)
    tree = msgspec.to_builtins(file)
    tree["protocol"] = merged(tree.get("protocol", {}), {"final_seeds": seeds})
    for stage in tree.get("stages", {}).values():
        stage.get("protocol", {}).pop("final_seeds", None)
    return _converted(tree, file.name)


def stages_of(file: StudyFile) -> dict[str, Stage]:
    """The file's stages; one that varies everything where it names none."""
    return file.stages or {"settings": Stage(vary=list(file.axes))}


def measuring(file: StudyFile, stage: Stage) -> Measuring:
    """The protocol of a stage."""
    tree = merged(msgspec.to_builtins(file.protocol), stage.protocol)
    return _converted({"name": "x", "protocol": tree}, "a stage's protocol").protocol


def _converted(tree: Any, where: str) -> StudyFile:
    try:
        return msgspec.convert(tree, StudyFile)
    except msgspec.ValidationError as error:
        raise _friendly(str(error), where) from None


def _friendly(message: str, where: str) -> InputError:
    """msgspec's complaint in the words of the file."""
    what, _, place = message.partition(" - at `$")
    place = place.rstrip("`").lstrip(".").replace("[...]", " (one of them)")
    inside = f" in {place}" if place else ""
    unknown = re.match(r"Object contains unknown field `(.*)`", what)
    if not unknown:
        return InputError(
            f"{where}{inside}: {what[:1].lower()}{what[1:]}",
            hint="docs/studies.md says what a study file may hold",
        )
    known = sorted(
        {
            name
            for kind in (
                *(Changes, Stopping, Measuring, Stage),
                *(Published, Claim, Publication, StudyFile),
            )
            for name in kind.__struct_fields__
        }
        | set(FORMS)
    )
    near = near_matches(unknown[1], known)
    asked = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return InputError(
        f"{where} has an unknown name{inside}: {unknown[1]!r}",
        hint=f"{asked}docs/studies.md lists what a study file may hold",
    )


def _check(file: StudyFile, where: str) -> None:
    """Every axis, label, stage and figure that the file speaks of must be there."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", file.name):
        raise InputError(
            f"{where} has the name {file.name!r}",
            hint="it names a folder: letters, digits, - and _ only",
        )
    for name, labels in file.axes.items():
        if not labels:
            raise InputError(f"{where}: the axis {name!r} has no settings", hint="give it some")
    stages = stages_of(file)
    for name, stage in stages.items():
        for axis in (*stage.vary, *stage.fixed, *stage.only):
            _known("axis", axis, file.axes, f"{where}, stage {name!r}")
        for axis, wanted in (*stage.only.items(), *((a, [b]) for a, b in stage.fixed.items())):
            for label in wanted:
                _known(f"setting of {axis!r}", label, file.axes[axis], f"{where}, stage {name!r}")
        if stage.choose:
            figure_named(stage.choose, f"{where}, stage {name!r},")
        measured = measuring(file, stage)
        if not (measured.tuned or measured.untuned):
            raise InputError(
                f"{where}, stage {name!r}, measures nothing",
                hint="set tuned = true or untuned = true in [protocol]",
            )
    _check_size(file, stages, where)
    rows: list[Published | Claim] = [*file.published, *file.claims]
    for row in rows:
        _check_reference(row, file, stages, where)


def _check_size(file: StudyFile, stages: Mapping[str, Stage], where: str) -> None:
    """A file must not ask for more than anybody trains: axes multiply sooner than one thinks."""
    count = 0
    for stage in stages.values():
        measured = measuring(file, stage)
        axes = [len(stage.only.get(axis, file.axes[axis])) for axis in stage.vary]
        count += math.prod([*axes, measured.tuned + measured.untuned, max(1, measured.folds)])
    if count > MOST_SETTINGS:
        number = f"{count:,}" if count < 10**15 else f"10^{math.floor(math.log10(count))}"
        raise InputError(
            f"{where} asks for {number} settings, and a series has at most {MOST_SETTINGS:,}",
            hint="every axis in vary multiplies them, as do folds and both modes: vary fewer axes "
            "at once, or name some of their settings in only",
        )


def _check_reference(
    row: Published | Claim, file: StudyFile, stages: Mapping[str, Stage], where: str
) -> None:
    what = "a published figure" if isinstance(row, Published) else "a claim"
    if row.stage:
        _known("stage", row.stage, stages, f"{where}, {what}")
    elif len(stages) > 1:
        raise InputError(
            f"{where}: {what} does not say of which stage it is",
            hint=f'add stage = "...", one of {", ".join(stages)}',
        )
    places = [row.where] if isinstance(row, Published) else [row.better, row.than]
    for place in places:
        for axis, label in place.items():
            _known("axis", axis, file.axes, f"{where}, {what}")
            _known(f"setting of {axis!r}", label, file.axes[axis], f"{where}, {what}")
    names = row.figures if isinstance(row, Published) else [row.figure]
    for name in names:
        figure_named(name, f"{where}, {what},")


def _known(kind: str, name: str, choices: Mapping[str, Any], where: str) -> None:
    if name not in choices:
        near = near_matches(name, choices)
        asked = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise InputError(
            f"{where}: there is no {kind} {name!r}", hint=f"{asked}there are {', '.join(choices)}"
        )


def as_toml(file: StudyFile) -> str:
    """The file as TOML again, in the form that was read."""
    import tomli_w

    return tomli_w.dumps(_kept(msgspec.to_builtins(file)))
