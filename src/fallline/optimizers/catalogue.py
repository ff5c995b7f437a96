"""The register of optimizers: look one up by name, or many by names and groups."""

from __future__ import annotations

from collections.abc import Iterable

from fallline.errors import InputError, unknown
from fallline.optimizers.spec import Optimizer

LISTED_BY = "fallline optimizers"
ALL = "all"

_ENTRIES: dict[str, Optimizer] = {}


def register(optimizer: Optimizer) -> Optimizer:
    """Add an entry to the catalogue; a name that is taken is an :class:`InputError`."""
    name = optimizer.name
    if name in _ENTRIES or name in groups():
        raise InputError(
            f"there is already an optimizer or group named {name!r}", hint="choose another name"
        )
    _ENTRIES[name] = optimizer
    return optimizer


def get(name: str) -> Optimizer:
    """The entry of that name; an :class:`InputError` with near matches if there is none."""
    if name not in _ENTRIES:
        raise unknown("optimizer", name, [*_ENTRIES, *groups()], listed_by=LISTED_BY)
    return _ENTRIES[name]


def groups() -> tuple[str, ...]:
    """The names of the groups: ``all``, and those that entries say they belong to."""
    named = {group for entry in _ENTRIES.values() for group in entry.groups}
    return (ALL, *sorted(named - {ALL}))


def names(group: str | None = None) -> tuple[str, ...]:
    """The names of the entries (of a group), in the catalogue's order."""
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
    asked = [word.strip() for part in parts for word in part.split(",") if word.strip()]
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
