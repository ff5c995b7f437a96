"""Layers that are not trained: which arrays of a network they hold, and a tree without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fallline.errors import InputError, near_matches

Path = tuple[str, ...]


def path_of(name: str) -> Path:
    """A layer's name, as the summary or the weights have it, as the path of its module."""
    return tuple(part for part in name.replace(".", "/").split("/") if part)


def within(path: Iterable[Any], prefixes: Iterable[Path]) -> bool:
    """Whether ``path`` is one of ``prefixes``, or lies inside of one."""
    parts = tuple(map(str, path))
    return any(parts[: len(prefix)] == prefix for prefix in prefixes)


def frozen_paths(names: Iterable[str], params: Any) -> tuple[Path, ...]:
    """The paths that ``names`` stand for in the tree ``params``, sorted and each once.

    A name is that of a layer (``"Dense_0"``, ``"head/Dense_1"``), of a module around layers
    (``"head"``), or of an array (``"Dense_0/kernel"``); a point may stand for the stroke.
    Raises InputError for a name that is none of them, and where nothing is left to train.
    """
    leaves = list(_leaves(params))
    known = {"/".join(path[:end]): None for path in leaves for end in range(len(path), 0, -1)}
    layers = dict.fromkeys("/".join(path[:-1]) or path[-1] for path in leaves)
    paths = set()
    for name in names:
        path = path_of(str(name))
        if "/".join(path) not in known:
            near = near_matches(str(name), known)
            asked = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
            raise InputError(
                f"the network has no layer {name!r} to freeze",
                hint=f"{asked}its layers are {', '.join(layers)}",
            )
        paths.add(path)
    if paths and all(within(path, paths) for path in leaves):
        raise InputError(
            f"with {', '.join(map(repr, names))} frozen nothing is left to train",
            hint="leave a layer out",
        )
    return tuple(sorted(paths))


def trained(params: Any, frozen: tuple[Path, ...]) -> Any:
    """The tree without what is frozen; the very same tree where nothing is."""
    return _without(params, frozen, ()) if frozen else params


def whole(trained: Any, params: Any, frozen: tuple[Path, ...]) -> Any:
    """``params`` with ``trained`` in the place of what is trained."""
    return _with(trained, params, frozen, ()) if frozen else trained


def _without(tree: Mapping[str, Any], frozen: tuple[Path, ...], above: Path) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in tree.items():
        path = (*above, str(name))
        if within(path, frozen):
            continue
        if isinstance(value, Mapping):
            inner = _without(value, frozen, path)
            if inner:
                kept[name] = inner
        else:
            kept[name] = value
    return kept


def _with(
    trained: Mapping[str, Any], params: Mapping[str, Any], frozen: tuple[Path, ...], above: Path
) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for name, value in params.items():
        path = (*above, str(name))
        if within(path, frozen):
            filled[name] = value
        elif isinstance(value, Mapping):
            filled[name] = _with(trained.get(name, {}), value, frozen, path)
        else:
            filled[name] = trained[name]
    return filled


def _leaves(tree: Any, above: Path = ()) -> Iterable[Path]:
    if not isinstance(tree, Mapping):
        raise InputError(
            "layers can be frozen by name in a network whose weights are named, "
            f"and these are a {type(tree).__name__}",
            hint="leave frozen out",
        )
    for name, value in tree.items():
        path = (*above, str(name))
        if isinstance(value, Mapping):
            yield from _leaves(value, path)
        else:
            yield path
