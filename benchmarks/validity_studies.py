"""Whole studies: do supersets lose to their subsets, and does the same question get one answer?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import command
import fallline
from command import BenchmarkError
from fallline.analysis.statistics import LEVEL, Interval, holm, paired_test
from fallline.analysis.summary import resolution_of
from fallline.analysis.trials import with_last_figures
from fallline.results import Study

RMSPROP = "rmsprop(with_momentum=true, momentum=0.9)"


class Pair(NamedTuple):
    """Two optimizers of which one contains the other."""

    superset: str
    subset: str
    how: str
    """By which hyper-parameters the one becomes the other."""
    strict: bool = True
    """False where it comes near, but cannot take the same steps."""


INCLUSIONS = (
    Pair("momentum", "sgd", "μ = 0; the search's range begins at 0.5"),
    Pair("nesterov", "sgd", "μ = 0; the search's range begins at 0.7"),
    Pair(RMSPROP, "momentum", "ε far above the squared gradients, up to 0.001; μ stays at 0.9"),
    Pair("adam", "momentum", "ε/α near the end of its range, 1, and far above √v̂/α"),
    Pair("nadam", "nesterov", "ε/α near the end of its range, 1, and far above √v̂/α"),
    Pair(
        "adam",
        RMSPROP,
        "not strictly: both average gradients, Adam before it divides them, RMSprop after",
        strict=False,
    ),
    Pair("nadam", RMSPROP, "not strictly, as for Adam", strict=False),
)
COMPARED = tuple(dict.fromkeys(name for pair in INCLUSIONS for name in pair[:2]))
TASKS = ("digits-mlp", "digits-cnn", "wine-mlp")


@dataclass(frozen=True)
class Inclusion:
    """A superset beside its subset, each at the setting that its search chose."""

    task: str
    superset: str
    subset: str
    budget: int
    metric: str
    """Of the task, which decides in what the figures are shown."""
    superset_figure: float
    """Mean test figure over the fresh seeds."""
    subset_figure: float
    advantage: Interval
    """By how much the superset is better on test data, paired by seed; below zero it is worse."""
    on_validation: Interval
    """The same on validation data, by whose figures the search chose."""
    validation_examples: int
    test_examples: int
    p_value: float
    """Of the paired test, before any correction."""
    superset_setting: str
    subset_setting: str
    strict: bool = True

    @property
    def violated(self) -> bool:
        """The superset loses to its subset beyond the interval."""
        return self.advantage.high < 0


def inclusions(
    task: str, budget: int, work: Path, *, pairs: Sequence[Pair] = INCLUSIONS
) -> list[Inclusion]:
    """Search every optimizer of ``pairs`` on one task with that budget, and hold them together."""
    names = [name for name in COMPARED if any(name in pair[:2] for pair in pairs)]
    folder = work / f"inclusion-{task}-{budget}-of-{len(names)}"
    study = fallline.compare(task, names, protocol=f"budget {budget}", out=folder)
    return [_included(study, pair, budget) for pair in pairs]


def _included(study: Study, pair: Pair, budget: int) -> Inclusion:
    superset, subset = pair.superset, pair.subset
    about = study.document.task
    sign = 1 if about.higher_is_better else -1
    tested, validated = _of_seeds(study, "test_metric"), _of_seeds(study, "last_metric")
    one, two = (sign * tested[name].to_numpy(float) for name in (superset, subset))
    test = paired_test(one, two, resolution=resolution_of(study.document))
    chosen = [sign * validated[name].to_numpy(float) for name in (superset, subset)]
    step = 1 / about.validation_examples if about.metric == "accuracy" else 0.0
    return Inclusion(
        about.name,
        superset,
        subset,
        budget,
        about.metric,
        abs(float(np.nanmean(one))),
        abs(float(np.nanmean(two))),
        test.interval,
        paired_test(*chosen, resolution=step).interval,
        about.validation_examples,
        about.test_examples,
        test.p_value,
        _setting(study, superset),
        _setting(study, subset),
        pair.strict,
    )


def _of_seeds(study: Study, figure: str) -> pd.DataFrame:
    """A figure of the final runs: a row per seed, a column per optimizer."""
    final = with_last_figures(study.runs[study.runs["phase"] == "final"])
    return final.pivot_table(index="seed", columns="optimizer", values=figure, dropna=False)


def _setting(study: Study, name: str) -> str:
    rows = study.reading.summary.set_index("optimizer")
    varied = [each.name for each in study.document.protocol.dimensions[name]]
    values = rows.loc[name, "hyperparameters"]
    return ", ".join(f"{each} {values[each]:g}" for each in varied)


def surely_violated(found: Sequence[Inclusion]) -> list[Inclusion]:
    """Those that are also worse after Holm's correction over all that were looked at."""
    adjusted = holm([each.p_value for each in found])
    return [each for each, p in zip(found, adjusted, strict=True) if each.violated and p < LEVEL]


REPEATED = ("sgd", "momentum", "adam", "rmsprop")
REPEATED_RULE = "budget 6"
FIRST = "repeat-first"


@dataclass(frozen=True)
class Way:
    """A way to run one and the same study."""

    name: str
    optimizers: tuple[str, ...] = REPEATED
    devices: int | None = None
    """CPU devices of JAX; None for as many as there are cores."""
    new_cache: bool = False
    """Every program is compiled anew."""


WAYS = (
    Way("the same command in another folder"),
    Way("the same command, every program compiled anew", new_cache=True),
    Way("the optimizers in another order", optimizers=REPEATED[::-1]),
    Way("one CPU device", devices=1),
    Way("two CPU devices", devices=2),
    Way("four CPU devices", devices=4),
)


@dataclass(frozen=True)
class Repeated:
    """What another way of running the study changed."""

    name: str
    runs: int
    differing_runs: int
    """Runs with any stored figure that is not the same to the bit."""
    differing_table: tuple[str, ...]
    """Columns of the table with any other value, times left out."""
    same_verdict: bool

    @property
    def same(self) -> bool:
        return not self.differing_runs and not self.differing_table and self.same_verdict


TIMES = {"seconds_per_step"}
FIGURES = (
    "hyperparameters",
    "status",
    "steps",
    "diverged_step",
    "test_loss",
    "test_metric",
    "train_loss",
    "train_metric",
    "validation_loss",
    "validation_metric",
)


def repeated(
    work: Path, *, task: str = "digits-mlp", rule: str = REPEATED_RULE, ways: Sequence[Way] = WAYS
) -> list[Repeated]:
    """Run one study as a command, again in each of ``ways``, and compare what they hold."""
    base = _command(Way("first"), task, rule, work / FIRST, work)
    return [
        compared(way.name, base, _command(way, task, rule, work / f"repeat-{number}", work))
        for number, way in enumerate(ways)
    ]


def compared(name: str, first: Path, second: Path) -> Repeated:
    """What differs between two stored studies, times and places left out."""
    one, two = fallline.open_study(first), fallline.open_study(second)
    runs = [study.runs.set_index("run_id").sort_index() for study in (one, two)]
    everyone = runs[0].index.union(runs[1].index)
    common = runs[0].index.intersection(runs[1].index)
    differing = sum(
        any(not _equal(runs[0].at[run, name], runs[1].at[run, name]) for name in FIGURES)
        for run in common
    )
    tables = [_figures_of(study) for study in (one, two)]
    return Repeated(
        name,
        len(everyone),
        differing + len(everyone) - len(common),
        tuple(_differing(*tables)),
        one.verdict == two.verdict,
    )


def _figures_of(study: Study) -> list[dict[str, Any]]:
    rows = study.to_dict()["table"]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def _differing(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> list[str]:
    if len(one) != len(two):
        return ["number of rows"]
    pairs = list(zip(one, two, strict=True))
    return [name for name in one[0] if any(a[name] != b[name] for a, b in pairs)] if one else []


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, str):
        return one == two
    return bool(np.array_equal(np.asarray(one), np.asarray(two), equal_nan=True))


def _command(way: Way, task: str, rule: str, out: Path, work: Path) -> Path:
    line = [sys.executable, "-m", "fallline", "compare", task, "--quiet", "--protocol", rule]
    line += ["--optimizers", ",".join(way.optimizers), "--out", str(out), "--json"]
    cache = out.with_name(out.name + "-cache") if way.new_cache else work / "cache"
    flag = f"--xla_force_host_platform_device_count={way.devices}"
    variables: Mapping[str, str] = {"XLA_FLAGS": flag} if way.devices else {}
    process = subprocess.run(
        line, env={**command.environment(cache), **variables}, capture_output=True, text=True
    )
    if process.returncode:
        raise BenchmarkError(f"{' '.join(line)}\nended with {process.returncode}: {process.stderr}")
    json.loads(process.stdout)
    return out


@dataclass(frozen=True)
class Twice:
    """An optimizer literally entered twice, under two names, in one searched study."""

    names: tuple[str, str]
    relation: str
    difference: float
    verdict: str


def entered_twice(work: Path, *, task: str = "digits-mlp", rule: str = REPEATED_RULE) -> Twice:
    """Adam beside Adam at its own default, which is another name for the same."""
    names = ("adam", "adam(learning_rate=0.001)")
    study = fallline.compare(task, list(names), protocol=rule, out=work / "entered-twice")
    other = study.reading.measured.iloc[1]
    return Twice(names, other["relation"], float(other["difference"]), study.verdict)


@dataclass(frozen=True)
class Shuffled:
    """A stored study read with its runs in other orders."""

    orders: int
    differing: int


def shuffled(study: Study, orders: int, draw: np.random.Generator) -> Shuffled:
    """Read the runs of ``study`` in random orders, and count the readings that say otherwise."""
    from fallline.analysis.reading import read
    from fallline.report.tables import frame
    from fallline.report.verdict import verdict

    expected = frame(study.reading)
    differing = 0
    for _ in range(orders):
        runs = study.runs.iloc[draw.permutation(len(study.runs))]
        reading = read(runs, study.document, timing=study.timing, complete=study.complete)
        try:
            pd.testing.assert_frame_equal(frame(reading), expected, check_exact=True)
            differing += verdict(reading) != study.verdict
        except AssertionError:
            differing += 1
    return Shuffled(orders, differing)


def opened(work: Path) -> Study:
    """The study that `repeated` ran first."""
    return fallline.open_study(work / FIRST)
