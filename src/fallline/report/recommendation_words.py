"""The recommendation in words, for people who need no statistics to read it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fallline.analysis.comparison import Relation
from fallline.analysis.effort import Advantage, Effort, margin
from fallline.analysis.pairs import Bound
from fallline.analysis.reading import Reading
from fallline.analysis.recommendation import Against, Certainty, Recommendation, Setting
from fallline.analysis.statistics import LEVEL
from fallline.report import formats
from fallline.report.formats import MetricFormat, count, duration, listed


def amount(size: float, form: MetricFormat, *, beside: float = math.nan) -> str:
    """A difference without its sign: ``0.9 points``, or ``0.0059 RMSE`` beside 0.686."""
    text = form.difference(abs(size), beside=beside).lstrip("+-")
    return f"{text} points" if form.share else f"{text} {form.title}"


def whole_setting(setting: Setting) -> str:
    """Every hyper-parameter with its value: ``learning rate 3.2e-3, beta_1 0.9``."""
    names = [*setting.searched, *(n for n in setting.hyperparameters if n not in setting.searched)]
    return ", ".join(
        f"{'learning rate' if name == 'learning_rate' else name} "
        f"{formats.learning_rate(setting.hyperparameters[name])}"
        for name in names
    )


def use(advice: Recommendation, reading: Reading) -> list[str]:
    """What to use, with its whole setting and the budget that it holds for."""
    if advice.chosen is None:
        return []
    chosen, protocol = advice.chosen, reading.document.protocol
    values = whole_setting(chosen)
    batches = (
        "all training examples as one batch"
        if chosen.full_batch
        else f"batches of {count(protocol.batch_size)}"
    )
    found = [
        f"{chosen.optimizer}{f' with {values}' if values else ''}; {batches}, "
        f"{count(protocol.epochs)} {'epoch' if protocol.epochs == 1 else 'epochs'}."
    ]
    if len(chosen.searched) > 1 or (chosen.searched and len(chosen.hyperparameters) > 1):
        names = [name.replace("learning_rate", "learning rate") for name in chosen.searched]
        verb = "was" if len(names) == 1 else "were"
        found.append(f"The {listed(names)} {verb} searched; the rest is at its default.")
    return found


# --- how sure


def sureness(advice: Recommendation, reading: Reading) -> list[str]:
    """How sure the choice is, in sentences."""
    form = formats.metric_format(reading.document.task)
    if advice.chosen is None:
        return _nothing(advice, reading)
    if advice.certainty is Certainty.UNFINISHED:
        return ["Not at all yet: the study is not finished. The same command goes on with it."]
    found = _SURE[advice.certainty](advice, advice.chosen, form)
    if advice.defaults_only and advice.others:
        found.append(
            "Only default settings were compared; with a search for each the order may be another."
        )
    return found


def _nothing(advice: Recommendation, reading: Reading) -> list[str]:
    if advice.certainty is Certainty.UNFINISHED or not len(reading.runs):
        return ["There is no run yet to judge by. The same command goes on with the study."]
    return [
        "Nothing can be recommended: all trainings on fresh seeds diverged. Try smaller learning "
        "rates (--learning-rates 1e-6,1e-5,1e-4), and look whether inputs and targets are scaled."
    ]


def _clear(advice: Recommendation, chosen: Setting, form: MetricFormat) -> list[str]:
    worse, gone = advice.related(Relation.WORSE), advice.related(Relation.DIVERGED)
    name, found = chosen.optimizer, []
    if len(worse) == 1:
        found.append(
            f"Sure: {name} is better than {worse[0].optimizer} by more than chance explains, by "
            f"{_by(worse[0], chosen, form)}. {_odds(worse[0], name)}"
        )
    elif worse:
        closest = min(worse, key=lambda each: abs(each.difference))
        all_of = f"all {len(worse)} others" if len(worse) > 2 else "both others"
        all_of = f"{len(worse)} others" if gone else all_of
        found.append(f"Sure: {name} is better than {all_of} by more than chance explains.")
        found.append(
            f"The closest is {closest.optimizer}, behind by {_by(closest, chosen, form)}. "
            f"{_odds(closest, name)}"
        )
    if gone:
        sure = "" if worse else "Sure: "
        more = "" if not chosen.diverged else " more often"
        found.append(f"{sure}{_names(gone)} diverged{more} on fresh seeds, which counts as worse.")
    return found


def _likely(advice: Recommendation, chosen: Setting, form: MetricFormat) -> list[str]:
    maybe = advice.related(Relation.PROBABLY_WORSE)
    verb = "is" if len(maybe) == 1 else "are"
    return [
        f"Fairly sure: nothing else does as well, but {_names(maybe)} {verb} only probably worse "
        f"than {chosen.optimizer}. More fresh seeds would tell.",
        *_ranked_below(advice, chosen, form),
    ]


def _tied(advice: Recommendation, chosen: Setting, form: MetricFormat) -> list[str]:
    equal, name = advice.equals, chosen.optimizer
    cannot = f"{chosen.test.seeds} fresh seeds cannot tell"
    if len(equal) < len(advice.others):
        return [
            f"Sure that {name} is among the best, not that it is the best: {cannot} it from "
            f"{_names(equal)}.",
            *_ranked_below(advice, chosen, form),
        ]
    first = (
        f"Not sure: {cannot} {name} and {equal[0].optimizer} apart."
        if len(equal) == 1
        else f"Not sure: no optimizer is shown to be better than another; {cannot} them apart."
    )
    best = "better" if len(equal) == 1 else "best"
    return [first, f"{name} has the {best} validation figure, and that may be chance."]


def _contradicted(advice: Recommendation, chosen: Setting, form: MetricFormat) -> list[str]:
    better = advice.related(Relation.BETTER)
    most = max(better, key=lambda each: abs(each.difference))
    rest = f" (and {len(better) - 1} more)" if len(better) > 1 else ""
    return [
        f"Not sure: validation data chose {chosen.optimizer}, but on test data {most.optimizer}"
        f"{rest} did better, by {_by(most, chosen, form)}.",
        "Test data must not choose, or their figures flatter. More data for validation would "
        "settle it; until then either is a fair choice.",
        *_ranked_below(advice, chosen, form),
    ]


def _alone(advice: Recommendation, chosen: Setting, form: MetricFormat) -> list[str]:
    return [f"There was nothing to compare {chosen.optimizer} with: no other optimizer took part."]


def _unknown(advice: Recommendation, chosen: Setting, form: MetricFormat) -> list[str]:
    if chosen.test.seeds > 1:
        return ["It cannot be told: fewer than two fresh seeds went well for both of a pair."]
    return [
        "It cannot be told: each was trained on one fresh seed, and a single training may be "
        "lucky. --final-seeds 5 tells more."
    ]


_SURE = {
    Certainty.CLEAR: _clear,
    Certainty.LIKELY: _likely,
    Certainty.TIED: _tied,
    Certainty.CONTRADICTED: _contradicted,
    Certainty.ALONE: _alone,
    Certainty.UNKNOWN: _unknown,
}


def _ranked_below(advice: Recommendation, chosen: Setting, form: MetricFormat) -> list[str]:
    """Who is worse and by how much, a sentence for each kind."""
    found = []
    beside = chosen.test.mean
    for relation, verb in (
        (Relation.WORSE, "Surely worse"),
        (Relation.PROBABLY_WORSE, "Probably worse"),
    ):
        others = sorted(advice.related(relation), key=lambda each: abs(each.difference))
        if others:
            named = [
                f"{each.optimizer} (by {amount(each.difference, form, beside=beside)})"
                for each in others
            ]
            found.append(f"{verb}: {listed(named)}.")
    if gone := advice.related(Relation.DIVERGED):
        found.append(f"Diverged on fresh seeds, which counts as worse: {_names(gone)}.")
    return found


def _by(other: Against, chosen: Setting, form: MetricFormat) -> str:
    """``1.2 points (95 % interval 0.7 to 1.7)``, the difference counted as positive."""
    beside = chosen.test.mean
    text = amount(other.difference, form, beside=beside)
    if not (math.isfinite(other.low) and math.isfinite(other.high)):
        return text
    sign = 1.0 if other.difference >= 0 else -1.0
    ends = sorted((sign * other.low, sign * other.high))
    low, high = (form.difference(end, beside=beside).removeprefix("+") for end in ends)
    return f"{text} (95 % interval {low} to {high})"


def _odds(other: Against, name: str) -> str:
    if other.improvement >= 1:
        return f"Every run with {name} beat every run with {other.optimizer}."
    share = f"{math.floor(100 * other.improvement)} %"
    return f"Of one run with each, that with {name} is the better one in {share} of cases."


def _names(others: Sequence[Against]) -> str:
    return listed([each.optimizer for each in others])


# --- what else would do


def alternatives(advice: Recommendation, reading: Reading) -> list[str]:
    """What would do as well, and which of it is cheaper."""
    if advice.chosen is None or not advice.others:
        return []
    if not advice.equals:
        clear = advice.certainty in (Certainty.CLEAR, Certainty.LIKELY)
        return ["Nothing of what was compared."] if clear else []
    form = formats.metric_format(reading.document.task)
    found = [_equals(advice, form)]
    bound, task = advice.bound, reading.document.task
    if bound is not None and bound.largest > margin(task, advice.chosen.test.mean):
        found.append("More fresh seeds would narrow that.")
    efforts, chosen = advice.efforts, advice.chosen.optimizer
    if advice.easiest:
        reasons = _reasons(efforts[advice.easiest], efforts[chosen], form)
        found.append(f"If you tune little, take {advice.easiest}: {reasons}.")
    elif math.isfinite(efforts[chosen].trials):
        them = "It is not" if len(advice.equals) == 1 else "None of them is"
        found.append(f"{them} clearly easier to tune than {chosen}.")
    faster = [
        efforts[each.optimizer]
        for each in advice.equals
        if Advantage.FASTER_STEP in advice.advantages(each.optimizer)
    ]
    if faster:
        first = min(faster, key=lambda each: each.step_seconds)
        found.append(
            f"If a step must be short, take {first.optimizer}: {duration(first.step_seconds)} "
            f"instead of {duration(efforts[chosen].step_seconds)}."
        )
    return found


def _equals(advice: Recommendation, form: MetricFormat) -> str:
    named = [
        f"{each.optimizer} at {formats.learning_rate(each.learning_rate)}"
        if math.isfinite(each.learning_rate)
        else each.optimizer
        for each in advice.equals
    ]
    if advice.bound is None or not math.isfinite(advice.bound.largest):
        return f"{listed(named)}."
    return f"{listed(named)}: {_bounded(advice.bound, form)}."


def amount_at_most(bound: float, form: MetricFormat) -> str:
    """``at most 0.8 points``, rounded up; nothing where no bound could be found."""
    if not math.isfinite(bound):
        return ""
    said = _bounded(Bound(0.0, bound, LEVEL, 2), form).partition(" (")[0]
    return said.replace("no difference larger than", "at most")


def _bounded(bound: Bound, form: MetricFormat) -> str:
    unit, scale = (" points", 100.0) if form.share else (f" {form.title}", 1.0)
    return bound.words(unit, scale=scale)


def _reasons(easy: Effort, chosen: Effort, form: MetricFormat) -> str:
    """Why it is easier to tune, the weightiest first."""
    close = "a point" if form.share else "1 %"
    words = []
    for each in easy.advantages(chosen):
        if each is Advantage.NO_RATE:
            words.append("it has no learning rate to choose")
        elif each is Advantage.FEWER_TRIALS:
            words.append(
                f"its search is within {close} of its best after {_trials(easy.trials)} on "
                f"average, that of {chosen.optimizer} after {count(chosen.trials)}"
            )
        elif each is Advantage.WIDER_BASIN:
            least = "at least " if easy.decades_open else ""
            words.append(
                f"its good learning rates span a factor of {least}{factor(easy.decades)}, those "
                f"of {chosen.optimizer} {factor(chosen.decades)}"
            )
    return listed(words)


def _trials(number: float) -> str:
    return "1 trial" if number == 1 else f"{count(number)} trials"


def factor(decades: float) -> str:
    """A width in powers of ten as the factor that it is: ``32`` for one and a half."""
    return formats.significant(10**decades, 2)
