"""The register of optimizers: look one up by name, or many by names and groups.

A name may ask for a framework's form, ``rmsprop:torch``, for wrappers, ``adam+cosine``, and for
other defaults, ``adam(learning_rate=0.01)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import metadata

from fallline.errors import InputError, unknown
from fallline.optimizers.dialects import known_framework
from fallline.optimizers.settings import CLOSED_BY, OPENED_BY, listed, parted, with_settings
from fallline.optimizers.spec import Optimizer
from fallline.optimizers.wrapping import JOINED_BY, Wrapper

LISTED_BY = "fallline optimizers"
ALL = "all"
MOST_PARTS = 32
"""Wrappers, dialects and settings around a name."""
ENTRY_POINTS = "fallline.optimizers"
"""The group of entry points under which packages offer optimizers of their own."""

_ENTRIES: dict[str, Optimizer] = {}
_WRAPPERS: dict[str, Wrapper] = {}


def register(optimizer: Optimizer) -> Optimizer:
    """Add an entry to the catalogue; a name that is taken is an :class:`InputError`."""
    name = optimizer.name
    if name in _ENTRIES or name in groups():
        raise InputError(
            f"there is already an optimizer or group named {name!r}", hint="choose another name"
        )
    if any(mark in name for mark in (JOINED_BY, ":", ",", OPENED_BY)):
        raise InputError(f"an optimizer's name has no '+', ':', ',' or '(', got {name!r}")
    _ENTRIES[name] = optimizer
    return optimizer


def register_wrapper(wrapper: Wrapper) -> Wrapper:
    """Add a wrapper; a name that is taken is an :class:`InputError`."""
    if wrapper.name in _WRAPPERS:
        raise InputError(f"there is already a wrapper named {wrapper.name!r}")
    _WRAPPERS[wrapper.name] = wrapper
    return wrapper


def get(name: str, dialect: str | None = None) -> Optimizer:
    """The entry of that name; an :class:`InputError` with near matches if there is none.

    ``dialect``: ``"paper"``, ``"torch"``, ``"keras"`` or ``"optax"`` gives the entry with that
    one's form and defaults, as ``get("rmsprop:torch")`` does.
    """
    if dialect is not None:
        known_framework(dialect)
        first, *rest = name.split(JOINED_BY)
        name = JOINED_BY.join([f"{first}:{dialect}", *rest])
    return _get(name)


@cache
def _made(name: str) -> Optimizer:
    """An entry in a dialect, inside of wrappers, or with other defaults; made once, since entries
    are compared so."""
    if name.endswith(CLOSED_BY) and OPENED_BY in name:
        base, settings = parted(name)
        return with_settings(_get(base), settings)
    rest, joined, last = name.rpartition(JOINED_BY)
    if joined:
        if last not in _WRAPPERS:
            raise unknown("wrapper", last, _WRAPPERS, listed_by=f"{LISTED_BY} --wrappers")
        return _WRAPPERS[last].around(_get(rest))
    base, colon, framework = name.partition(":")
    if not colon:
        raise InputError(
            f"{name!r} has a bracket that does not close at its end",
            hint="write settings like adam(learning_rate=0.01)",
        )
    return _get(base).in_dialect(framework)


def _get(name: str) -> Optimizer:
    if name in _ENTRIES:
        return _ENTRIES[name]
    marks = sum(name.count(mark) for mark in (JOINED_BY, ":", OPENED_BY))
    if marks > MOST_PARTS:
        raise InputError(
            f"the optimizer {name[:40]!r}... has {marks} wrappers, dialects and settings",
            hint=f"at most {MOST_PARTS} are read",
        )
    if marks:
        return _made(name)
    _load_installed()
    if name not in _ENTRIES:
        raise unknown("optimizer", name, [*_ENTRIES, *groups()], listed_by=LISTED_BY)
    return _ENTRIES[name]


@cache
def _load_installed() -> None:
    """Register what installed packages offer; a name that is taken stays with its owner."""
    for point in metadata.entry_points(group=ENTRY_POINTS):
        offered = point.load()
        if not isinstance(offered, Optimizer):
            raise InputError(
                f"the entry point {point.value!r} of group {ENTRY_POINTS!r} is no optimizer",
                hint="let it name what fallline.optimizers.define gave",
            )
        if _ENTRIES.get(offered.name) is not offered:
            register(offered)


def wrappers() -> tuple[Wrapper, ...]:
    """What can be put around any entry, in the catalogue's order."""
    return tuple(_WRAPPERS.values())


def groups() -> tuple[str, ...]:
    """The names of the groups: ``all``, and those that entries say they belong to."""
    named = {group for entry in _ENTRIES.values() for group in entry.groups}
    return (ALL, *sorted(named - {ALL}))


def names(group: str | None = None) -> tuple[str, ...]:
    """The names of the entries (of a group), in the catalogue's order."""
    _load_installed()
    if group is None or group == ALL:
        return tuple(_ENTRIES)
    if group not in groups():
        raise unknown("group of optimizers", group, groups(), listed_by=LISTED_BY)
    return tuple(name for name, entry in _ENTRIES.items() if group in entry.groups)


def resolve(selection: str | Iterable[str]) -> tuple[Optimizer, ...]:
    """The entries that names and groups (a list, or separated by commas) stand for.

    The order is kept, duplicates are dropped; an empty selection is an :class:`InputError`.
    """
    parts = [selection] if isinstance(selection, str) else list(selection)
    asked = [word for part in parts for word in listed(part)]
    if not asked:
        raise InputError(
            "no optimizer was given", hint=f"give names or groups; '{LISTED_BY}' lists them all"
        )
    chosen: dict[str, Optimizer] = {}
    for word in asked:
        members = names(word) if word in groups() else (word,)
        for name in members:
            chosen.setdefault(name, get(name))
    return tuple(chosen.values())
