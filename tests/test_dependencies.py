"""The locks hold what pyproject.toml asks for, and every licence is one of those allowed."""

from __future__ import annotations

import re

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

import dependencies

LOCKS = (dependencies.LOCK, dependencies.DEV_LOCK)
SYSTEMS = [
    {"sys_platform": system, "python_full_version": python, "python_version": python[:4]}
    for system in ("linux", "darwin", "win32")
    for python in ("3.11.7", "3.12.4", "3.13.1", "3.14.0")
]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_satisfies_every_range_on_every_system(path) -> None:
    asked = dict(dependencies.direct())
    if path == dependencies.DEV_LOCK:
        asked |= dependencies.direct("dev")
    held = dependencies.locked(path)
    assert asked.keys() <= held.keys()
    for name, ranges in asked.items():
        for system in SYSTEMS:
            versions = [
                version
                for version, marker in held[name]
                if not marker or Marker(marker).evaluate(system)
            ]
            assert len(versions) == 1, f"{name} on {system}: {versions}"
            assert SpecifierSet(ranges).contains(versions[0]), f"{name} {versions[0]} not {ranges}"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_hashes_for_everything_and_names_no_host(path) -> None:
    text = path.read_text("utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == sum(map(len, dependencies.locked(path).values()))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry) for entry in entries)
    assert "://" not in text
    assert "index-url" not in text


def test_both_locks_agree() -> None:
    main, dev = map(dependencies.locked, LOCKS)
    assert {name: dev[name] for name in main} == main


def test_the_page_has_every_package_with_its_versions_and_an_allowed_licence() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (.+?) \| (.+?) \|", dependencies.PAGE.read_text(), re.M)
    held = dependencies.locked(dependencies.DEV_LOCK)
    assert sorted(name for name, _, _ in rows) == sorted(held)
    for name, versions, _ in rows:
        expected = ", ".join(version for version, _ in held[name])
        assert versions.removesuffix(" (Windows)") == expected
    assert dependencies.refused({name: licence for name, _, licence in rows}) == {}


def test_what_is_installed_has_an_allowed_licence() -> None:
    names = {*dependencies.direct(), *dependencies.direct("dev"), *dependencies.locked(LOCKS[0])}
    stated = {name: dependencies.licence(name) for name in names}
    there = {name: licence for name, licence in stated.items() if licence != "not installed"}
    assert there.keys() >= dependencies.direct().keys()
    assert dependencies.refused(there) == {}


def test_every_direct_dependency_has_a_use() -> None:
    used = {*dependencies.direct(), *dependencies.direct("dev")}
    assert used == dependencies.USES.keys()


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND (Zlib AND MIT)", True),
        ("GPL-3.0-only OR MIT", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("not stated", False),
    ],
)
def test_a_licence_that_is_not_on_the_list_is_refused(licence: str, allowed: bool) -> None:
    assert (dependencies.refused({"it": licence}) == {}) is allowed


def test_a_refused_licence_ends_the_command_with_an_error(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(dependencies, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(dependencies, "licence", lambda name: "MIT" if name != "jax" else "GPL-3.0")
    assert dependencies.main([]) == 1
    assert "jax: the licence 'GPL-3.0'" in capsys.readouterr().err
    assert not dependencies.PAGE.exists()
