"""Numbers as people read them: figures of a metric, learning rates, times, counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fallline.errors import unknown
from fallline.store.document import TaskDescription

NONE = "—"
PICTURE_FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class MetricFormat:
    """How figures of a task's metric are written: shares as percentages, errors as they are."""

    metric: str
    title: str
    """As a word in a sentence: ``accuracy`` or ``RMSE``."""
    digits: int
    """Decimals of a percentage; significant digits of an error."""

    @property
    def share(self) -> bool:
        return self.metric == "accuracy"

    def number(self, value: float) -> str:
        """``value`` without its unit: ``97.9`` for 0.979, or ``0.742``."""
        if not math.isfinite(value):
            return NONE
        return f"{100 * value:.{self.digits}f}" if self.share else significant(value, self.digits)

    def figure(self, value: float) -> str:
        """``97.9 %``, or ``0.742``."""
        text = self.number(value)
        return f"{text} %" if self.share and text != NONE else text

    def with_interval(self, value: float, low: float, high: float) -> str:
        """``97.9 % ± 0.3``; without the interval where there is none."""
        text = self.figure(value)
        if text == NONE or not (math.isfinite(low) and math.isfinite(high)):
            return text
        half = max(high - value, value - low)
        decimals = len(self.number(value).partition(".")[2])
        return f"{text} ± {half * (100 if self.share else 1):.{decimals}f}"

    def difference(self, value: float, *, beside: float = math.nan) -> str:
        """A difference of two figures with its sign: ``-0.4``, in percentage points of a share.

        An error's has one decimal more than the figure ``beside`` it: ``+0.0059`` beside 0.686.
        """
        if not math.isfinite(value):
            return NONE
        text = self.number(abs(value))
        if not self.share and math.isfinite(beside):
            decimals = len(self.number(beside).partition(".")[2]) + 1
            text = f"{abs(value):.{decimals}f}"
        zero = not text.strip("0.")
        return text if zero else f"{'-' if value < 0 else '+'}{text}"


def metric_format(task: TaskDescription) -> MetricFormat:
    """The format for a task: as many digits as its test examples can tell apart."""
    if task.metric == "accuracy":
        return MetricFormat(task.metric, "accuracy", 2 if task.test_examples >= 5000 else 1)
    titles = {"rmse": "RMSE"}
    return MetricFormat(task.metric, titles.get(task.metric, task.metric.replace("_", " ")), 3)


def significant(value: float, digits: int) -> str:
    """``value`` to ``digits`` significant digits, written out between 0.001 and a million."""
    size = abs(value)
    if size and not 1e-3 <= size < 1e6:
        return f"{value:.{digits - 1}e}"
    before = math.floor(math.log10(size)) + 1 if size else 0
    return f"{value:.{max(digits - before, 0)}f}"


def learning_rate(value: float) -> str:
    """``3.2e-3`` or ``1e-3``; written out from 0.01 to 1000: ``0.032``, ``10``."""
    if not math.isfinite(value):
        return NONE
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.6g}"
    exponent = math.floor(math.log10(abs(value)))
    mantissa = f"{value / 10.0**exponent:.6g}"
    if mantissa in ("10", "-10"):
        mantissa, exponent = mantissa[:-1], exponent + 1
    return f"{mantissa}e{exponent}"


def duration(seconds: float) -> str:
    """``85 µs``, ``1.2 ms``, ``3.4 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if not math.isfinite(seconds):
        return NONE
    for size, unit in ((1e-3, "µs"), (1.0, "ms")):
        if seconds < size:
            return f"{significant(seconds / size * 1e3, 2 if seconds < size / 10 else 3)} {unit}"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(value: float) -> str:
    """A whole number with its thousands apart: ``1,347``."""
    return f"{value:,.0f}" if math.isfinite(value) else NONE


def reached(value: float) -> str:
    """A time to the target: ``12``, ``12.5``, ``not reached``, or nothing."""
    if math.isinf(value):
        return "not reached"
    if math.isnan(value):
        return NONE
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def p_value(value: float) -> str:
    """``0.03``, ``< 0.001``."""
    if not math.isfinite(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.2f}" if value >= 0.0995 else f"{value:.3f}"


def listed(names: list[str], *, most: int = 4) -> str:
    """``a, b and c``; of more than ``most``, the first ones and how many others."""
    if len(names) > most:
        rest = len(names) - most + 1
        names = [*names[: most - 1], f"{rest} others"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def picture_format(name: str) -> str:
    """``name`` if pictures can be written in it; else an InputError with near matches."""
    if name not in PICTURE_FORMATS:
        raise unknown("format of pictures", name, PICTURE_FORMATS)
    return name
