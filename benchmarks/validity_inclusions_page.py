"""The page's section on optimizers that contain other ones."""

from __future__ import annotations

from collections.abc import Sequence

import reporting
import validity_studies as studies
from fallline.analysis.statistics import Interval
from validity_drawing import FRESH_SEEDS
from validity_studies import Inclusion


def section(found: Sequence[Inclusion], larger: Sequence[Inclusion], budget: int) -> list[str]:
    """Its paragraphs: ``found`` at ``budget``, and ``larger``, those that lost, at twice of it."""
    ways = reporting.text_table(
        ["superset", "subset", "how the one becomes the other"],
        [(f"`{each.superset}`", f"`{each.subset}`", each.how) for each in studies.INCLUSIONS],
    )
    parts = [
        "## Inclusions",
        "An optimizer that contains another one as a special case can do no worse when both are "
        "searched well enough (Choi et al. 2019). A superset that loses would say that the search "
        "or the comparison favours simple rules.",
        ways,
        f"Every optimizer had the same budget, `budget {budget}`, and {FRESH_SEEDS} fresh seeds. "
        "The advantage is the superset's on test data, paired by seed, with its 95 % interval: "
        "points of accuracy, or the RMSE's own units, positive where the superset is better. "
        "Beside it the same on validation data, whose figures the search goes by.",
        _advantages(found),
        _verdict(found),
    ]
    if larger:
        healed = [each for each in larger if not each.violated]
        parts += [
            f"Those that lost, with twice the budget ({len(healed)} of {len(larger)} no longer "
            "lose):",
            _advantages(larger),
        ]
    return parts


def _verdict(found: Sequence[Inclusion]) -> str:
    lost = [each for each in found if each.violated]
    if not lost:
        return f"Of {len(found)} pairs, no superset loses to its subset beyond the interval."
    strict = sum(each.strict for each in lost)
    surely = studies.surely_violated(found)
    sentences = [
        f"Of {len(found)} pairs, {len(lost)} lose beyond the interval ({len(found) / 40:.1f} would "
        f"by chance if all were equal), {len(surely)} of them also after Holm's correction over "
        f"all, {strict} of them strictly contained: "
        + "; ".join(f"{each.superset} to {each.subset} on {each.task}" for each in lost)
        + "."
    ]
    searched = [each for each in lost if each.on_validation.high >= 0]
    if searched:
        sentences.append(
            f"In {len(searched)} of these {len(lost)} the superset does not lose on validation "
            "data: by the figures that its search goes by the two cannot be told apart, and the "
            "difference lies between the two parts of the data. All intervals are over seeds, for "
            "one division of the data: "
            + "; ".join(
                f"on {each.task} {each.validation_examples} examples validate and "
                f"{each.test_examples} test"
                for each in {each.task: each for each in searched}.values()
            )
            + "."
        )
    return " ".join(sentences)


def _advantages(found: Sequence[Inclusion]) -> str:
    rows = []
    for each in found:
        scale, digits = (100, 2) if each.metric == "accuracy" else (1, 4)
        figures = [
            f"{scale * value:.{digits}f}" for value in (each.superset_figure, each.subset_figure)
        ]
        rows.append(
            (
                each.task,
                f"`{each.superset}`",
                f"`{each.subset}`",
                *figures,
                _interval(each.advantage, scale, digits),
                "**loses**" if each.violated else ("better" if each.advantage.low > 0 else "equal"),
                _interval(each.on_validation, scale, digits),
                each.superset_setting,
                each.subset_setting,
            )
        )
    header = [
        "task",
        "superset",
        "subset",
        "its test figure",
        "the subset's",
        "advantage",
        "",
        "on validation data",
        "its setting",
        "the subset's setting",
    ]
    return reporting.text_table(header, rows)


def _interval(found: Interval, scale: int, digits: int) -> str:
    mean, low, high = (f"{scale * value:+.{digits}f}" for value in found[:3])
    return f"{mean} ({low} to {high})"
