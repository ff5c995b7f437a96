"""What the sheets of the schedules share."""

from __future__ import annotations

from typing import Any

from fallline.optimizers.around import rule_schedules as rules
from fallline.optimizers.dialects import Dialect
from fallline.optimizers.spec import Citation, HyperParameter, Option
from fallline.optimizers.wrapping import Wrapper
from fallline.spaces import Range

FAMILY = "schedule"

_TIME = "T is the whole training, t counts the steps before this one."
IN_STEPS = "Lengths are given in steps, not in shares of the training."
TORCH = "torch.optim.lr_scheduler."
KERAS = "keras.optimizers.schedules."


def final(meaning: str = "share of the peak at the end", default: float = 0.0) -> HyperParameter:
    """What a schedule ends with."""
    return HyperParameter("final", default, "f", meaning, Range(1e-4, 1e-1), at_least=0.0)


def part(
    name: str, default: float, symbol: str, meaning: str, span: Range, **bounds: Any
) -> HyperParameter:
    """A part of the training."""
    return HyperParameter(name, default, symbol, meaning, span, **bounds)


def schedule(
    name: str,
    title: str,
    share: rules.Share,
    equation: str,
    citation: Citation,
    hyperparameters: tuple[HyperParameter, ...],
    notes: str,
    dialects: tuple[Dialect, ...],
    options: tuple[Option, ...] = (),
) -> Wrapper:
    """The sheet of a schedule that is a function of the moment alone."""
    return Wrapper(
        name=name,
        title=title,
        family=FAMILY,
        equation=equation,
        citation=citation,
        hyperparameters=hyperparameters,
        options=options,
        wrap=rules.following(share),
        needs=frozenset({"total_steps"}),
        takes="learning_rate",
        notes=f"{_TIME} {notes}",
        dialects=dialects,
    )


def peer(framework: str, call: str, form: str, differs: str = IN_STEPS, **other: Any) -> Dialect:
    """A framework's form, which counts in steps unless ``differs`` says otherwise."""
    return Dialect(framework=framework, call=call, form=form, differs=differs, **other)
