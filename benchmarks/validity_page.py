"""The page of the proof: its tables, and in plain words what a reader may trust and what not."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

import reporting
import validity_inclusions_page as inclusions_page
import validity_sources
import validity_studies as studies
from validity_drawing import FRESH_SEEDS, INTERVALS, STUDENTS, Covered, Found, Share
from validity_pools import RealDifference

if TYPE_CHECKING:
    from validity import Proof

HEADING = """# What the verdict is worth

A verdict is right if it calls equal what is equal, finds differences of the size that its seeds can
show, and says the same whenever it is asked again. This page tries that, on real runs and on made
figures with a known truth. `make bench-validity` writes it: do not edit it between the markers.
"""
ASKED = 0.95
COVERS = (0.93, 0.97)


def text(proof: Proof, options: argparse.Namespace) -> str:
    """The page's section: what was found of each part, those that were not asked for left out."""
    parts: list[str] = []
    if proof.read and proof.planted and proof.covered:
        parts += _in_short(proof)
    if proof.read:
        parts += _equal(proof, options)
    if proof.planted:
        parts += _power(proof, options)
    if proof.covered:
        parts += _coverage(proof, options)
    if proof.inclusions:
        parts += inclusions_page.section(proof.inclusions, proof.larger, options.budget)
    if proof.repeated:
        parts += _order(proof)
    parts += _sources()
    if not (proof.inclusions and proof.repeated):
        parts.append("**Not run for this page**: inclusions, and the same study again.")
    return "\n\n".join([*parts, reporting.origin()])


def _in_short(proof: Proof) -> list[str]:
    two = proof.read[0]
    share = two.none_told
    worst = min(proof.read[1:] or proof.read, key=lambda each: each.none_told.value)
    one = next(each for each in proof.planted if each.effect == 1.0 and "0.5" in each.name)
    students = [each for each in proof.covered if each.interval in STUDENTS]
    fine, short = _split(students, FRESH_SEEDS)
    lines = [
        "## In short",
        "You may trust",
        f"- **that equal optimizers are called equal**: of {share.of} studies of one optimizer "
        f"under two names, {share.hits} said *not distinguishable*, {share.text()}; at least "
        f"{ASKED:.0%} were asked: {_met(share.value >= ASKED)}. With {worst.entries} names, all "
        f"were called equal in {worst.none_told.text()} of the studies;".replace("95%", "95 %"),
        "- **that a difference as large as the seeds' standard deviation is found** by "
        f"{FRESH_SEEDS} paired seeds about as often as theory promises: "
        f"{one.right.text()}, promised {100 * one.expected:.1f} %; half as large a difference is "
        "mostly missed, so *not distinguishable* is not *equal*;",
        f"- **the 95 % intervals of means from {FRESH_SEEDS} seeds** of "
        f"{_listed(_short(each.population) for each in fine)} figures;",
    ]
    if proof.repeated:
        same = all(each.same for each in proof.repeated)
        lines.append(
            "- **that the same question gets the same answer**: in another folder, another order "
            "of the optimizers, and on another number of devices "
            + ("every figure is the same, to the bit." if same else "see below what changed.")
        )
    lines += [
        "You should not trust",
        *(
            [
                "- an interval from ten seeds where figures are very skewed: of "
                f"{_listed(_short(each.population) for each in short)} figures it holds the truth "
                "less often than it says;"
            ]
            if short
            else []
        ),
        _doubts(proof),
        "- a single *worse* in a study of many optimizers whose validation and test figures go "
        "together closely: the best is then partly the luckiest, and the others suffer for it "
        "(the table of normal figures says by how much);",
        "- any of this for other data than the task's, another network, or a longer training. All "
        "intervals are over seeds.",
    ]
    return [_paragraphs(lines)]


def _doubts(proof: Proof) -> str:
    """What the weaker of the two words is worth, by the drawn real figures of most entries."""
    real = proof.drawn or proof.read
    most = max((each for each in real if each.name == real[0].name), key=lambda each: each.entries)
    return (
        "- *probably worse*, which is not corrected for the number of optimizers: of "
        f"{most.entries} equal ones ({most.name}), some one was called so or *worse* in "
        f"{100 * (1 - most.none_doubted.value):.0f} % of the studies;"
    )


def _equal(proof: Proof, options: argparse.Namespace) -> list[str]:
    kinds = [(each, "real runs, read as a study") for each in proof.read]
    kinds += [(each, "drawn figures") for each in proof.drawn]
    rows = [
        (
            each.name,
            kind,
            f"{each.entries}",
            f"{each.none_told.hits} of {each.none_told.of}",
            each.none_told.text(),
            each.none_doubted.text(),
        )
        for each, kind in kinds
    ]
    header = [
        "figures",
        "by",
        "entries",
        "all *not distinguishable*",
        "share (95 % interval)",
        "and none *probably worse*",
    ]
    pooled = "; ".join(
        f"{pool.name}: {len(pool.test)} runs, validation and test figure correlated by "
        f"{pool.correlation:.2f}"
        for pool in proof.pools
    )
    parts = [
        "## Equal optimizers (A/A)",
        f"One setting is trained on many seeds, and studies are made of its runs, {FRESH_SEEDS} "
        "seeds an entry, in which every entry is this one setting under another name. None of "
        "them is better, so whoever is called worse or better is called so by chance. The test's "
        "level is 5 %: of two entries, 95 % of the studies should say *not distinguishable*, and "
        "in 200 of them 184 to 196 will by chance. With more entries Holm's correction holds the "
        "chance of any false word near 5 %, but the best is chosen by validation figures of the "
        "same runs, which costs some of it.",
        f"The pools: {pooled}. The first rows pass through all of the product: a frame of runs, "
        "its reading, the table, the verdict's sentence. The others take figures from the pools "
        f"({options.studies} studies each), or are made. Two names of one optimizer take the same "
        "steps on the same seed, so here every entry has seeds of its own.",
        reporting.text_table(header, rows),
    ]
    if proof.twice:
        names = " and ".join(f"`{name}`" for name in proof.twice.names)
        parts.append(
            f"Entered twice in one study with a search ({names}, `{studies.REPEATED_RULE}`), both "
            f"get the same trials and the same runs: {proof.twice.relation}, difference "
            f"{proof.twice.difference:g}."
        )
    return parts


def _power(proof: Proof, options: argparse.Namespace) -> list[str]:
    made: dict[tuple[str, int], list[Found]] = {}
    for each in proof.planted:
        made.setdefault((each.name, each.entries), []).append(each)
    rows = [
        (
            name,
            f"{entries}",
            f"{each.effect:g}",
            each.right.text(),
            "—" if np.isnan(each.expected) else f"{100 * each.expected:.1f} %",
            f"{each.wrong.hits}",
        )
        for (name, entries), found in made.items()
        for each in found
    ]
    header = ["figures", "entries", "d", "found", "closed form", "wrong way round"]
    return [
        "## Planted differences (power)",
        "One entry is made better by d times the standard deviation of a setting's test figures "
        f"over seeds; {FRESH_SEEDS} seeds, {options.studies} studies a row. *Found* is the share "
        "in which it was called better, or the other one worse. The closed form is the noncentral "
        "t distribution of the paired test. *Paired by 0.5*: two optimizers' figures on the same "
        "seed are correlated by 0.5, which is what shared first weights and batches are for. With "
        "10 entries the share is that of one given worse entry, after Holm's correction for nine.",
        reporting.markdown_table(header, rows),
        "Real settings of Adam on digits-mlp, their difference known from the whole pool, in "
        f"{options.repetitions} studies of {FRESH_SEEDS} of its seeds, read as a study is:",
        _real(proof.real),
    ]


def _real(found: Sequence[RealDifference]) -> str:
    rows = [
        (
            f"`{each.better}` against `{each.other}`",
            f"{100 * each.difference.mean:.2f} points "
            f"({100 * each.difference.low:.2f} to {100 * each.difference.high:.2f})",
            f"{each.difference.mean / each.deviation:.2f}",
            f"{each.correlation:.2f}",
            each.right.text(),
            f"{100 * each.expected:.1f} %",
        )
        for each in found
    ]
    header = [
        "settings",
        "true difference",
        "d",
        "correlation by seed",
        "found",
        "closed form",
    ]
    return reporting.markdown_table(header, rows)


def _coverage(proof: Proof, options: argparse.Namespace) -> list[str]:
    kinds = list(INTERVALS)
    cells = {(each.population, each.seeds, each.interval): each.share for each in proof.covered}
    rows = []
    for population, seeds in dict.fromkeys((each.population, each.seeds) for each in proof.covered):
        shares = [cells.get((population, seeds, kind)) for kind in kinds]
        rows.append((population, f"{seeds}", *map(_cell, shares)))
    outside = [each for each in proof.covered if not _fits(each.share.value)]
    return [
        "## Intervals (coverage)",
        "How often, in per cent, an interval that promises 95 % held the true figure: that of the "
        "whole pool, or of the made distribution. Student's intervals are simulated "
        f"{options.simulations} times a cell, which then wanders by "
        f"{_wander(options.simulations)}, bootstraps {options.bootstraps} times "
        f"({_wander(options.bootstraps)}). Marked with a star: outside of 93 to 97 %. The "
        "bootstrap is the expanded percentile one over pairs of seeds.",
        reporting.markdown_table(["figures", "seeds", *kinds], rows),
        f"{len(proof.covered) - len(outside)} of {len(proof.covered)} cells are within 93 to 97 %. "
        + _where_short(outside),
    ]


def _cell(share: Share | None) -> str:
    if share is None:
        return ""
    return f"{100 * share.value:.1f}" + ("" if _fits(share.value) else " *")


def _wander(simulations: int) -> str:
    """How far a share of 95 % strays by chance, two standard errors of it, in per cent."""
    return f"{200 * math.sqrt(0.95 * 0.05 / simulations):.1f}"


def _where_short(outside: Sequence[Covered]) -> str:
    low = [each for each in outside if each.share.value < COVERS[0]]
    high = [each for each in outside if each.share.value > COVERS[1]]
    sentences = []
    if low:
        worst = min(low, key=lambda each: each.share.value)
        sentences.append(
            f"{len(low)} fall short, the worst with {100 * worst.share.value:.1f} % "
            f"({worst.interval}; {worst.population}, {worst.seeds} seeds)."
        )
    if high:
        most = max(high, key=lambda each: each.share.value)
        sentences.append(
            f"{len(high)} hold more than they promise, wider than need be, up to "
            f"{100 * most.share.value:.1f} % ({most.interval}; {most.population}, {most.seeds} "
            "seeds)."
        )
    return " ".join(sentences)


def _order(proof: Proof) -> list[str]:
    rows = [
        (
            each.name,
            f"{each.runs}",
            f"{each.differing_runs}",
            "none" if not each.differing_table else ", ".join(each.differing_table),
            "the same" if each.same_verdict else "**another**",
        )
        for each in proof.repeated
    ]
    header = ["what was changed", "runs", "runs that differ", "columns that differ", "verdict"]
    parts = [
        "## The same question again",
        f"`fallline compare digits-mlp --optimizers {','.join(studies.REPEATED)} --protocol "
        f'"{studies.REPEATED_RULE}"`, a process each, held against the first of them: all stored '
        "figures of every run to the bit, the table without times, the verdict's sentence.",
        reporting.text_table(header, rows),
    ]
    if proof.shuffled:
        found = proof.shuffled
        parts.append(
            f"The stored runs of that study, read in {found.orders} random orders: "
            + (
                "table and verdict are the same every time."
                if not found.differing
                else f"{found.differing} readings differ."
            )
        )
    return parts


def _sources() -> list[str]:
    rows = [
        (what, against, "<br>".join(f"`{test}`" for test in tests))
        for what, against, tests in validity_sources.SOURCES
    ]
    return [
        "## What every statistic is held against",
        "Each by tests that run with every change; their names are under `tests/`.",
        reporting.text_table(["statistic", "independent source", "tests"], rows),
    ]


def _split(found: Iterable[Covered], seeds: int) -> tuple[list[Covered], list[Covered]]:
    """A cell for each population: those whose intervals all fit, and the others."""
    of: dict[str, list[Covered]] = {}
    for each in found:
        if each.seeds == seeds:
            of.setdefault(each.population, []).append(each)
    fine = [own[0] for own in of.values() if all(_fits(each.share.value) for each in own)]
    short = [own[0] for own in of.values() if any(each.share.value < COVERS[0] for each in own)]
    return fine, short


def _fits(share: float) -> bool:
    return COVERS[0] <= share <= COVERS[1]


def _short(population: str) -> str:
    return "the real" if population.startswith("real") else population.partition(" (")[0]


def _listed(words: Iterable[str]) -> str:
    *most, last = dict.fromkeys(words) or ["no"]
    return f"{', '.join(most)} and {last}" if most else last


def _met(whether: bool) -> str:
    return "met" if whether else "**not met**"


def _paragraphs(lines: Sequence[str]) -> str:
    """Lines with an empty one between, but not between the items of a list."""
    joined = lines[0]
    for before, line in itertools.pairwise(lines):
        close = before.startswith("- ") and line.startswith("- ")
        joined += ("\n" if close else "\n\n") + line
    return joined
