"""What a suite says, in words: the verdict, what limits it, and how it was compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from fallline.analysis.statistics import LEVEL
from fallline.analysis.suite import LEAST_FOR_RANKS, SuiteReading
from fallline.report import formats
from fallline.report.formats import listed
from fallline.report.verdict import FEW_SEEDS

FEW_TASKS = 5
"""With fewer, tests of average ranks reject next to nothing."""


def verdict(reading: SuiteReading) -> str:
    """Whether an optimizer is shown to be best over the tasks, and how sure that is."""
    if reading.unfinished:
        return _unfinished(reading)
    tasks, names = len(reading.tasks), reading.optimizers
    if not names:
        return f"no optimizer was measured on all of these {tasks} tasks: nothing can be compared"
    if len(names) == 1:
        return f"only {names[0]} was measured on all of these {tasks} tasks: nothing to compare"
    if (reading.wins.wins[0, 1:] == tasks).all():
        return _wins_everywhere(reading)
    if clearly_first(reading):
        return (
            f"use {names[0]}: its average rank over these {tasks} tasks, {_rank(reading, 0)}, is "
            "better than that of every other optimizer by more than the critical difference of "
            f"{_critical(reading)} (Nemenyi, 5 %)"
        )
    return f"no optimizer is shown to be best over these {tasks} tasks: {_leading(reading)}"


def clearly_first(reading: SuiteReading) -> bool:
    """Whether the ranks alone tell the first optimizer from every other one."""
    if reading.difference is None or not reading.ranks_reject:
        return False
    ranks = reading.difference.ranks
    return bool((ranks[1:] - ranks[0] >= reading.difference.distance).all())


def _wins_everywhere(reading: SuiteReading) -> str:
    tasks, first = len(reading.tasks), reading.optimizers[0]
    others = "the other" if len(reading.optimizers) == 2 else "every other optimizer"
    sentence = f"use {first}: on each of these {tasks} tasks it does distinguishably better than "
    sentence += others
    if clearly_first(reading):
        return f"{sentence}, and its average rank is better by more than the critical difference"
    return f"{sentence}; {tasks} tasks cannot show that it would on others"


def _leading(reading: SuiteReading) -> str:
    """Who leads by average rank, and what the tasks' own tests say of it."""
    tied = leaders(reading)
    if len(tied) > 1:
        return f"{listed(list(tied))} share the best average rank ({_rank(reading, 0)})"
    first = f"{tied[0]} has the best average rank ({_rank(reading, 0)} of {_count(reading)})"
    beaten = beaten_on(reading)
    if not beaten:
        return f"{first}, and on none of them does another do distinguishably better"
    if len(beaten) == 1:
        ((task, names),) = beaten.items()
        does = "does" if len(names) == 1 else "do"
        return f"{first}, but {listed(list(names))} {does} distinguishably better on {task}"
    return f"{first}, but others do distinguishably better on {listed(list(beaten))}"


def leaders(reading: SuiteReading) -> tuple[str, ...]:
    """The optimizers that share the best average rank."""
    ranks = reading.overall["average_rank"].to_numpy(float)
    return tuple(np.array(reading.optimizers)[np.isclose(ranks, ranks.min())].tolist())


def beaten_on(reading: SuiteReading) -> dict[str, tuple[str, ...]]:
    """Tasks on which the first optimizer loses a test, with those who win it."""
    found: dict[str, tuple[str, ...]] = {}
    for at, task in enumerate(reading.tasks):
        names = [reading.optimizers[other] for other in np.flatnonzero(reading.won[at, :, 0])]
        if names:
            found[task] = tuple(names)
    return found


def _unfinished(reading: SuiteReading) -> str:
    done, known = len(reading.tasks), len(reading.document.tasks)
    if not done:
        return f"the suite is not finished: none of its {known} tasks is measured yet"
    verb = "is" if done == 1 else "are"
    sentence = f"the suite is not finished: {done} of {known} tasks {verb} measured"
    if not reading.optimizers:
        return sentence
    return f"{sentence}; so far {listed(list(leaders(reading)))} has the best average rank"


def _rank(reading: SuiteReading, at: int) -> str:
    return f"{reading.overall['average_rank'].iloc[at]:.1f}"


def _count(reading: SuiteReading) -> str:
    return formats.count(len(reading.optimizers))


def _critical(reading: SuiteReading) -> str:
    assert reading.difference is not None
    return f"{reading.difference.distance:.2f}"


def warnings(reading: SuiteReading) -> list[str]:
    """What limits the verdict: short sentences, the weightiest first."""
    return [text for text in _warnings(reading) if text]


def _warnings(reading: SuiteReading) -> Iterator[str]:
    yield from reading.problems
    if reading.unfinished:
        yield (
            f"Not finished, and not counted: {listed(list(reading.unfinished), most=6)}. "
            "The same command goes on."
        )
    for name, reason in reading.failed.items():
        yield f"{name} failed, and ranks last there: {reason}. The same command tries it again."
    for name, tasks in reading.missing.items():
        yield f"{name} was not measured on {listed(list(tasks))} and is left out."
    if reading.document.asked.left_out:
        yield (
            f"Left out: {listed(list(reading.document.asked.left_out), most=6)}; the protocol "
            "searches no learning rate, and they need one."
        )
    if reading.optimizers:
        yield few_tasks(reading)
    yield _same_data(reading)
    if reading.document.asked.rule == "defaults":
        yield (
            "Every optimizer ran at its default learning rate and none was searched: this ranks "
            "the defaults as much as the optimizers."
        )
    yield _few_seeds(reading.document.asked.final_seeds)
    yield _unreached(reading)
    yield _diverged(reading)


def few_tasks(reading: SuiteReading) -> str:
    """What the number of tasks keeps the tests of ranks from saying; empty from 5 on."""
    tasks, names = len(reading.tasks), len(reading.optimizers)
    if tasks >= FEW_TASKS:
        return ""
    head = f"{tasks} tasks are few: what is said here is of these, not of tasks in general."
    if tasks < 2:
        return "A single task is measured: average ranks say nothing more than its own study."
    if names < LEAST_FOR_RANKS:
        return f"{head} Friedman's test needs three optimizers."
    if reading.least_p_value >= LEVEL:
        least = formats.p_value(reading.least_p_value)
        return (
            f"{head} Friedman's test of {names} optimizers cannot reject with so few: its p-value "
            f"is {least} even where all tasks agree entirely."
        )
    return (
        f"{head} Friedman's and Nemenyi's tests can hardly reject: average ranks must differ by "
        f"{_critical(reading)}, and can differ by {names - 1} at most."
    )


def _same_data(reading: SuiteReading) -> str:
    by_source: dict[str, list[str]] = {}
    for name, each in reading.readings.items():
        by_source.setdefault(each.document.task.source or name, []).append(name)
    shared = [names for names in by_source.values() if len(names) > 1]
    if not shared:
        return ""
    groups = "; ".join(listed(names, most=6) for names in shared)
    return f"Trained on the same data, and so no independent tasks: {groups}."


def _few_seeds(seeds: int) -> str:
    if seeds < 2:
        return "A single fresh seed: no test can be made, and every pair counts as a tie."
    if seeds < FEW_SEEDS:
        return f"With only {seeds} fresh seeds the tasks' own tests find large differences alone."
    return ""


def _unreached(reading: SuiteReading) -> str:
    figures = reading.figures
    if figures.empty:
        return ""
    fastest = figures.groupby("task")["epochs_to_target"].min()
    names = [task for task in reading.tasks if not math.isfinite(fastest[task])]
    if not names:
        return ""
    counts = "that task counts" if len(names) == 1 else "these tasks count"
    return (
        f"Nobody reaches the target of {listed(names, most=6)} in its median seed: {counts} for "
        "nobody in the profile and the score."
    )


def _diverged(reading: SuiteReading) -> str:
    rows = reading.overall[reading.overall["diverged"] > 0]
    if rows.empty:
        return ""
    pairs = zip(rows["optimizer"], rows["diverged"], strict=True)
    names = listed([f"{name} {count}" for name, count in pairs])
    return f"Fresh runs that diverged, and rank last on their task: {names}."


def paragraphs(reading: SuiteReading) -> list[tuple[str, str]]:
    """How it was compared: headings with their texts, in reading order."""
    texts = [
        ("The tasks", _budgets(reading)),
        ("Ranks", _about_ranks()),
        ("Wins, ties and losses", _about_wins()),
        ("Average ranks", _about_friedman(reading)),
        ("Normalised scores", _about_scores()),
        ("Times and the score", _about_times(reading)),
    ]
    return [(heading, text) for heading, text in texts if text]


def _budgets(reading: SuiteReading) -> str:
    asked = reading.document.asked
    seeds = "one fresh seed" if asked.final_seeds == 1 else f"{asked.final_seeds} fresh seeds"
    return (
        f"Each task is a study of its own by the same protocol ({asked.rule}): optimizers, seeds "
        "and the effort of the search are the same, epochs and batch size are each task's own "
        f"unless they were asked for. The chosen settings are measured on {seeds}, in "
        f"{asked.precision}. How settings were chosen is told in each task's own report."
    )


def _about_ranks() -> str:
    return (
        "On each task the optimizers are ranked by the mean of their test figures over the fresh "
        "seeds; equal ones share a rank. One that diverged on a fresh seed ranks behind all that "
        "did so less often. A task's own report ranks by validation figures, so its first row may "
        "be another."
    )


def _about_wins() -> str:
    return (
        "An optimizer wins against another on a task where a paired t-test on the test figures "
        "rejects at 5 %, after Holm's correction for all pairs of that task, or where the other "
        "diverged on more fresh seeds. Everything else is a tie: these seeds cannot tell the two "
        "apart, which does not mean that they are equal."
    )


def _about_friedman(reading: SuiteReading) -> str:
    if reading.difference is None:
        return ""
    test, tasks = reading.difference.friedman, reading.difference.tasks
    rejects = "rejects" if reading.ranks_reject else "does not reject"
    return (
        f"Friedman's test of the ranks on {tasks} tasks {rejects} that all optimizers are alike "
        f"(chi-squared {test.statistic:.2f}, p {formats.p_value(test.p_value)}). Average ranks "
        f"that differ by {reading.difference.distance:.2f} or more differ at 5 % by Nemenyi's "
        "test, which means something only where Friedman's rejects (Demšar 2006)."
    )


def _about_scores() -> str:
    return (
        "A run's normalised score is 0 at the mean of the task's worst optimizer of which no run "
        "diverged, and 1 at that of its best; a diverged run counts as the worst. The figure is "
        "the interquartile mean over all fresh runs of all tasks: the middle half. Its interval "
        "is from runs drawn again within each task (stratified bootstrap, Agarwal et al. 2021): "
        "it speaks of other seeds, not of other tasks. With another optimizer at either end, all "
        "scores change."
    )


def _about_times(reading: SuiteReading) -> str:
    return (
        "The time to a task's target is counted in epochs, the median over the fresh seeds: for "
        "optimizers of one batch size that is the same as steps, and full-batch ones are not "
        "taken to be fast for their few steps. The profile (Dolan and Moré 2002) is the share of "
        "the tasks on which an optimizer takes at most so many times as long as the fastest one "
        f"there; AlgoPerf's score is its mean height from 1 to 4 times (Dahl et al. 2023), "
        "1 for the fastest everywhere. An optimizer that misses the target never counts on that "
        f"task. Targets: {_targets(reading)}."
    )


def _targets(reading: SuiteReading) -> str:
    found = []
    for name, each in reading.readings.items():
        form = formats.metric_format(each.document.task)
        own = each.document.task.target is not None
        origin = "" if own else " (the best optimizer's own median)"
        found.append(f"{name} {form.figure(each.target)}{origin}")
    return ", ".join(found) or formats.NONE


def pair_words(first: str, second: str, counts: Sequence[int]) -> str:
    """A cell of the matrix in words: ``adam against sgd: 2 won, 1 tied, 0 lost``."""
    won, tied, lost = counts
    return f"{first} against {second}: {won} won, {tied} tied, {lost} lost"


def number(value: float, decimals: int = 2) -> str:
    """A rank or a score as it is written; a dash where there is none."""
    # Adding zero takes the sign from a rounded -0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}" if math.isfinite(value) else formats.NONE
