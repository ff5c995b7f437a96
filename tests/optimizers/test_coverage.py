"""Nothing is left unproven: every record is followed, every entry is worked out by hand.

The proofs stand in the families' test modules, as ``GOLDEN`` and ``HAND``; here they are counted.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fallline import optimizers
from fallline.errors import InputError
from fallline.optimizers.dialects import Dialect, Fixed
from proving import Golden, Hand, record

FOLDER = Path(__file__).parent
RECORDS = ("torch", "keras", "more")
FRAMEWORKS = {"torch": "torch", "pytorch_optimizer": "torch", "keras": "keras"}
"""By the package of a recorded peer."""


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"proofs_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def modules() -> list[Any]:
    """The test modules beside this one that hold proofs."""
    paths = [path for path in sorted(FOLDER.rglob("test_*.py")) if path.name != Path(__file__).name]
    marks = ("\nGOLDEN", "\nHAND")
    return [loaded(path) for path in paths if any(mark in path.read_text() for mark in marks)]


@pytest.fixture(scope="module")
def goldens(modules: list[Any]) -> list[Golden]:
    return [golden for module in modules for golden in getattr(module, "GOLDEN", ())]


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_is_followed_and_every_golden_case_is_a_record(
    name: str, goldens: list[Golden], golden_dir: Path
) -> None:
    recorded = set(record(name, golden_dir)["cases"])
    followed = {golden.case for golden in goldens if golden.record == name}
    assert sorted(recorded - followed) == [], "recorded, and followed by no GOLDEN"
    assert sorted(followed - recorded) == [], "in a GOLDEN, and not recorded"


def test_every_entry_is_worked_out_by_hand(modules: list[Any]) -> None:
    by_hand = set()
    for module in modules:
        found = getattr(module, "HAND", {})
        pairs = found.items() if isinstance(found, Mapping) else found
        for key, value, *_ in pairs:
            by_hand.add(key if isinstance(value, Hand) else value[0])
    worked = {name.partition("+")[0] for name in by_hand if "+" not in name}
    assert set(optimizers.names()) - worked == set()


def taking(golden: Golden, peer: str, given: Mapping[str, Any]) -> Dialect | None:
    """The form of the entry that is ``peer``, if it takes all that the recorded one was given."""
    package, _, name = peer.rpartition(" ")
    framework = FRAMEWORKS.get(package.partition(".")[0])
    if framework is None:
        return None
    try:
        dialect = optimizers.get(golden.entry).dialect(framework, golden.options)
    except InputError:
        return None
    same = dialect.call.rpartition(".")[2].lower() == name.lower()
    takes = all(
        argument in dialect.arguments
        and (
            not isinstance(dialect.arguments[argument], Fixed)
            or dialect.arguments[argument].value == value
        )
        for argument, value in given.items()
    )
    return dialect if same and takes else None


def completed(golden: Golden, dialect: Dialect, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and options that the dialect makes of what the peer was given."""
    entry = optimizers.get(golden.entry)
    found = {**entry.defaults, **dialect.defaults, **entry.option_defaults, **dialect.options}
    for argument, value in given.items():
        ours = dialect.arguments[argument]
        if isinstance(ours, str):
            found[ours] = value
        elif not isinstance(ours, Fixed):
            found.update(zip(ours, value, strict=True))
    return found


def test_a_dialect_makes_what_a_recorded_peer_was_given_into_the_settings_that_follow_it(
    goldens: list[Golden], golden_dir: Path
) -> None:
    cases = {name: record(name, golden_dir)["cases"] for name in RECORDS}
    checked, wrong = 0, []
    for golden in goldens:
        case = cases[golden.record].get(golden.case, {"peer": "", "hyperparameters": {}})
        given = case["hyperparameters"]
        dialect = taking(golden, case["peer"], given)
        if dialect is None or golden.why or "note" in case:
            # Where a peer is followed by other settings than its own, why is said there.
            continue
        checked += 1
        entry = optimizers.get(golden.entry)
        options = entry.complete_options(golden.options)
        found = completed(golden, dialect, given)
        for each in entry.hyperparameters:
            if each.only_with and options[each.only_with[0]] not in each.only_with[1]:
                continue
            value = golden.settings.get(each.name, each.default)
            # Keras keeps some constants in float32.
            if found[each.name] != pytest.approx(value, rel=1e-7):
                wrong.append(f"{golden}: {each.name} {found[each.name]} for {value}")
        wrong += [
            f"{golden}: {name} {found[name]!r} for {value!r}"
            for name, value in options.items()
            if found[name] != value
        ]
    assert wrong == []
    assert checked >= 27
