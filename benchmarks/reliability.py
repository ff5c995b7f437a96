"""docs/reliability.md: what faults, damaged input and keeping came to, from the scripts' results.

    python benchmarks/reliability.py [--results benchmarks/results] [--table docs/reliability.md]

It measures nothing: ``make reliability`` has ``faults.py``, ``fuzz.py``, ``fuzz_guided.py`` and
``store.py`` write their results first. What is not there is named on the page as lacking.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import reporting
import store

HEADING = """# What survives what

A study may run for hours. This page says what was done to real studies and what became of them,
what damaged input came to, and what keeping costs. `make reliability` writes it: do not edit it
between the markers. How a study's folder is made is told in [study-format.md](study-format.md).
"""
KILLS, INPUTS = 50, 100_000
COUNTS = ("injected", "survived", "lost", "doubled")
Row = Mapping[str, Any]


def text(faults: Row | None, fuzz: Row | None, keeping: Row | None) -> str:
    """The page; a part is None where its script has not been run."""
    parts = ["## In short", _in_short(faults, fuzz, keeping)]
    if faults:
        parts += _faults(faults)
    if fuzz:
        parts += _fuzz(fuzz)
    if keeping:
        parts.append(store.text(store.Measured.of(keeping)))
    return "\n\n".join(parts)


def _in_short(faults: Row | None, fuzz: Row | None, keeping: Row | None) -> str:
    rows = [
        *(_short_of_faults(faults["records"]) if faults else _lacking("faults.py")),
        *(_short_of_fuzz(fuzz) if fuzz else _lacking("fuzz.py")),
        *(store.goals(store.Measured.of(keeping)) if keeping else _lacking("store.py")),
    ]
    return reporting.text_table(["asked", "found", ""], rows)


def _lacking(script: str) -> list[tuple[str, str, str]]:
    return [(f"what `benchmarks/{script}` finds", "not run for this page", "**not known**")]


def _short_of_faults(records: Sequence[Row]) -> list[tuple[str, str, str]]:
    random = [each for each in records if each["scenario"] == "kills"]
    five = [each for each in records if each["scenario"] == "five"]
    kills, every = _sum(random), _sum(records)
    kinds = len({each["kind"] for each in records})
    right = kills["injected"] == kills["survived"] and not kills["lost"] + kills["doubled"]
    return [
        (
            f"{KILLS} SIGKILLs at random moments survived, 0 runs lost, 0 stored twice",
            f"{kills['survived']} of {kills['injected']} survived, {kills['lost']} lost, "
            f"{kills['doubled']} stored twice",
            store.met(right and kills["injected"] >= KILLS),
        ),
        (
            "a study that was killed five times gives the verdict of one that was not",
            "the same verdict, table and figures, to the bit" if _all_right(five) else "another",
            store.met(_all_right(five)),
        ),
        (
            "every fault survived, these included",
            f"{every['survived']} of {every['injected']} faults of {kinds} kinds, "
            f"{every['lost']} runs lost, {every['doubled']} stored twice",
            store.met(_all_right(records)),
        ),
    ]


def _short_of_fuzz(fuzz: Row) -> list[tuple[str, str, str]]:
    readers = fuzz["readers"]
    fewest = min(each["inputs"] for each in readers.values())
    failed = sum(each["failed"] for part in _parts(fuzz) for each in fuzz[part].values())
    return [
        (
            f"{INPUTS:,} damaged inputs for every reader, none of which it fails at",
            f"{len(readers)} readers, {fewest:,} or more each, {failed} failed",
            store.met(fewest >= INPUTS and not failed),
        )
    ]


def _all_right(records: Sequence[Row]) -> bool:
    return bool(records) and all(
        not each["wrong"] and 0 < each["injected"] == each["survived"] for each in records
    )


def _sum(records: Sequence[Row]) -> dict[str, int]:
    return {name: sum(each[name] for each in records) for name in COUNTS}


def _faults(found: Row) -> list[str]:
    records = found["records"]
    rows = [
        (
            "" if at else kind,
            each["what"],
            *(f"{each[name]}" for name in COUNTS),
            each["note"],
        )
        for kind, own in groupby(records, key=lambda each: each["kind"])
        for at, each in enumerate(own)
    ]
    header = ["kind", "what happens", "times", "survived", "runs lost", "stored twice", ""]
    wrong = [
        f"- {each['kind']}, {each['what']}: {sentence}"
        for each in records
        for sentence in each["wrong"]
    ]
    return [
        "## Faults",
        "Every study is the same one: digits-mlp, 2 optimizers, 18 runs, trained by the command "
        "line in processes of their own, with a snapshot after every call. After each fault "
        "whatever the process had acknowledged must be there. Then the same command goes on, and "
        "in the end every figure of every run must be that of a study that nothing happened to, to "
        "the bit, no run twice, nothing left over, the same table and the same verdict.",
        reporting.text_table(header, rows),
        *(["**Not as it should be:**", "\n".join(wrong)] if wrong else []),
        f"`make faults` does it all again, `make faults FAULTS='--seed 1'` at other moments (this "
        f"was seed {found['seed']}). With every change the tests kill 50 writers at random moments "
        "and at each named point between write and rename, and one whole study.",
        found["origin"],
    ]


def _parts(fuzz: Row) -> list[str]:
    return [each for each in ("readers", "guided") if each in fuzz]


def _fuzz(fuzz: Row) -> list[str]:
    header = ["reader", "inputs", "read", "refused", "failed"]
    parts = [
        "## Damaged input",
        "Good inputs, damaged at random: bits, bytes, pieces taken away, repeated, exchanged, and "
        "pieces that the format is made of. A reader gives a result, or an error that says in "
        "words what is wrong (*refused*). It fails if it ends in any other way, takes more than "
        "10 s or 256 MiB, or leaves anything outside of the folder that it was given.",
        reporting.markdown_table(header, [_reader(each) for each in fuzz["readers"].values()]),
    ]
    if fuzz.get("guided"):
        rows = [
            (*_reader(each), f"{each['edges']}", f"{each['features']}")
            for each in fuzz["guided"].values()
        ]
        parts += [
            "Led by coverage (atheris): inputs that reach new branches of the reader's code are "
            "damaged further.",
            reporting.markdown_table([*header, "branches reached", "features"], rows),
        ]
    return [*parts, "`make fuzz` and `make fuzz-guided` do it again.", fuzz["origin"]]


def _reader(each: Row) -> tuple[str, ...]:
    return (each["what"], *(f"{each[name]:,}" for name in ("inputs", "read", "refused", "failed")))


def main() -> int:
    """Read the results, write the page; 2 where there are none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    here = Path(__file__).parent
    parser.add_argument("--results", type=Path, default=here / "results")
    parser.add_argument("--table", type=Path, default=here.parent / "docs" / "reliability.md")
    options = parser.parse_args()
    files = [options.results / f"{name}.json" for name in ("faults", "fuzz", "store")]
    found = [json.loads(each.read_text()) if each.is_file() else None for each in files]
    if not any(found):
        print(f"no results in {options.results}: run 'make reliability'", file=sys.stderr)
        return 2
    reporting.write_section(options.table, "reliability", text(*found), heading=HEADING)
    print(options.table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
