"""``fallline train --folds K``: a setting on every fold of the data, instead of one training."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.task import Task
    from fallline.validation import CrossValidation

FOR_ONE_TRAINING = ("--initial-weights", "--out", "--pictures")


def only_for_one(**given: Any) -> None:
    """Refuse the options that have no meaning for several trainings."""
    from fallline.errors import InputError

    for option in FOR_ONE_TRAINING:
        if given[option.removeprefix("--").replace("-", "_")] is not None:
            raise InputError(
                f"{option} is for one training, and --folds makes one per fold and keeps none",
                hint=f"leave {option} out, or train once without --folds",
            )


def show(crossed: CrossValidation) -> None:
    """Each fold's figures, then the mean with its interval, on stdout."""
    from fallline.cli.printing import plain_table
    from fallline.cli.progress import figure_text

    metric = crossed.task.metric

    def text(name: str, value: float) -> str:
        if value != value:
            return "—"
        return figure_text(value, metric) if name.endswith(metric) else f"{value:.4g}"

    names = list(crossed.folds[0].figures)
    columns = [("fold", True), ("train", True), ("held out", True), ("epochs", True)]
    columns += [(name.replace("_", " "), True) for name in names] + [("status", False)]
    rows = [
        (
            str(fold.number),
            f"{fold.train_examples:,}",
            f"{fold.validation_examples:,}",
            str(fold.epochs),
            *(text(name, fold.figures[name]) for name in names),
            str(fold.status),
        )
        for fold in crossed.folds
    ]
    print(plain_table(columns, rows))
    print()
    print(_conclusion(crossed))
    print("The folds share examples: the interval is widened for that (Nadeau and Bengio 2003).")
    print("No weights are kept; without --folds a training on the task's own split keeps its own.")


def _conclusion(crossed: CrossValidation) -> str:
    from fallline.cli.progress import figure_text

    metric, interval = crossed.task.metric, crossed.interval()
    what = crossed.figure.replace("_", " ")
    kept = len(crossed.folds) - crossed.diverged
    if kept == 0:
        return f"{what}: every fold diverged"
    mean = f"{what}: {figure_text(interval.mean, metric)}"
    if kept > 1:
        share = 100.0 if metric == "accuracy" else 1.0
        spread = (interval.half_width * share, crossed.standard_deviation * share)
        half, deviation = (f"{each:.1f}" if share > 1 else f"{each:.3g}" for each in spread)
        mean += f" ± {half} (95 % interval; standard deviation over the folds {deviation})"
    return mean + (f"; {crossed.diverged} folds diverged and do not count" * bool(crossed.diverged))


def line_printer(
    task: Task, folds: int, in_words: Callable[[Mapping[str, float]], str]
) -> Callable[[int, int, Mapping[str, float]], None]:
    """A line per fold and epoch on stderr; on a terminal the last one is drawn over."""
    from fallline.cli.progress import duration_text

    began = time.monotonic()
    live = sys.stderr.isatty()

    def told(fold: int, epoch: int, figures: Mapping[str, float]) -> None:
        behind = (fold - 1) * task.epochs + epoch
        left = (time.monotonic() - began) * (folds * task.epochs - behind) / behind
        line = f"fold {fold}/{folds}  epoch {epoch:>3}/{task.epochs}  {in_words(figures)}"
        line += f"  {duration_text(left)} left"
        if live:
            last = behind == folds * task.epochs
            print(f"\r\x1b[K{line}", end="\n" if last else "", file=sys.stderr)
        elif epoch == task.epochs:
            print(line, file=sys.stderr)
        sys.stderr.flush()

    return told
