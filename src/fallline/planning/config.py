"""What a study is asked to compare, checked: one frozen record, whoever asked."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fallline.errors import InputError, unknown
from fallline.planning import halving
from fallline.planning.protocol import CONFIRMED_SEEDS, DEFAULTS, GRID, Protocol
from fallline.planning.stopping import EarlyStopping

FIRST_FINAL_SEED = 1000
"""Seeds from here on are fresh: no search ever sees them."""

DEFAULT_POINTS = 7
MOST_POINTS = 1000
MOST_EPOCHS = 1_000_000
MOST_FINAL_SEEDS = 10_000
PRECISIONS = ("float32", "bf16")
"""What a study can be computed in: float64 is for checking a single training."""


@dataclass(frozen=True)
class StudyConfig:
    """A comparison: which optimizers, over which learning rates and seeds, for how long.

    ``learning_rates``: a number of points around each optimizer's default, or the values
    themselves. ``defaults``: no search, every optimizer at its own default. ``seeds``: runs per
    trial in the search, 3 by default; with ``defaults`` there is no search, and they are the
    fresh seeds. ``final_seeds``: fresh seeds on which the chosen settings are measured.
    """

    optimizers: tuple[str, ...]
    epochs: int
    batch_size: int
    seeds: int = 3
    final_seeds: int = 5
    learning_rates: int | tuple[float, ...] = DEFAULT_POINTS
    defaults: bool = False
    widen: bool = True
    study_seed: int = 0
    precision: str = "float32"
    stopping: EarlyStopping | None = None
    """When a run ends before its epochs are over; None: never."""
    protocol: Protocol = GRID
    left_out: tuple[str, ...] = ()
    """Optimizers that were asked for and that the protocol is not for."""

    def __post_init__(self) -> None:
        self._agree()
        for name in ("epochs", "batch_size", "seeds", "final_seeds"):
            checked = whole_number(name, getattr(self, name), least=1)
            object.__setattr__(self, name, checked)
        _at_most("epochs", self.epochs, MOST_EPOCHS)
        _at_most("final_seeds", self.final_seeds, MOST_FINAL_SEEDS)
        factor = self.protocol.halving
        if self.epochs < factor:
            raise InputError(
                f"successive halving compares trials after one in {factor} of their epochs, and "
                f"there are {self.epochs} in all",
                hint=f"give --epochs {factor} or more, or leave out 'halving'",
            )
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if not self.defaults and self.seeds > FIRST_FINAL_SEED:
            raise InputError(
                f"--seeds must be at most {FIRST_FINAL_SEED}, got {self.seeds}",
                hint="the seeds from there on are fresh ones, for the final runs",
            )
        if isinstance(self.learning_rates, tuple):
            _at_most("learning_rates", len(self.learning_rates), MOST_POINTS)
            if not self.learning_rates:
                raise InputError("no learning rate was given", hint="for example 0.001,0.01")
            for rate in self.learning_rates:
                positive_rate(rate)
        else:
            checked = whole_number("learning_rates", self.learning_rates, least=1)
            _at_most("learning_rates", checked, MOST_POINTS)
            object.__setattr__(self, "learning_rates", checked)

    def _agree(self) -> None:
        """Raise where the protocol and the other fields contradict each other."""
        protocol = self.protocol
        if self.defaults and protocol == GRID:
            object.__setattr__(self, "protocol", DEFAULTS)
        elif self.defaults and protocol.searches:
            raise InputError(
                f"--defaults searches nothing, and the protocol {str(protocol)!r} does",
                hint="give one of them",
            )
        elif not protocol.searches:
            object.__setattr__(self, "defaults", True)
        named = self.learning_rates != DEFAULT_POINTS
        if named and protocol.kind not in ("grid", "defaults"):
            raise InputError(
                f"the protocol {str(protocol)!r} takes no --learning-rates",
                hint="they belong to the protocol grid; the others search each optimizer's own "
                "range, or nothing",
            )

    @property
    def confirm_seeds(self) -> tuple[int, ...]:
        """The seeds that a trial must have before it is chosen; the search's own come first."""
        if not self.protocol.sampled:
            return self.search_seeds
        return tuple(range(max(self.seeds, CONFIRMED_SEEDS)))

    @property
    def splits_needed(self) -> tuple[str, ...]:
        """The splits besides test that the data must have: nothing is chosen by a search alone."""
        monitored = self.stopping is not None and self.stopping.monitor.startswith("validation")
        return ("validation",) if monitored or not self.defaults else ()

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which weak trials stop, ascending; empty without halving."""
        protocol = self.protocol
        return halving.rungs(self.epochs, protocol.trials, protocol.halving)

    @property
    def search_seeds(self) -> tuple[int, ...]:
        return () if self.defaults else tuple(range(self.seeds))

    @property
    def fresh_seeds(self) -> tuple[int, ...]:
        return tuple(range(FIRST_FINAL_SEED, FIRST_FINAL_SEED + self.final_seeds))


def whole_number(name: str, value: Any, *, least: int) -> int:
    """``value`` if it is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def _at_most(name: str, value: int, most: int) -> None:
    if value > most:
        raise InputError(f"{name} must be at most {most}, got {value}")


def positive_rate(rate: float) -> float:
    """``rate`` if it can be a learning rate."""
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(
            f"a learning rate must be positive and finite, got {rate}",
            hint="for example 0.001, or 0.001,0.01,0.1 to search over these",
        )
    return float(rate)


def learning_rates_from(text: str) -> int | tuple[float, ...]:
    """``"7"`` is a number of points; ``"0.001,0.01"`` or ``"1e-3"`` are the values."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) == 1 and re.fullmatch("[+-]?[0-9]{1,18}", parts[0]):
        return whole_number("learning_rates", int(parts[0]), least=1)
    return rates(parts)


def rates(values: Sequence[Any]) -> tuple[float, ...]:
    """Learning rates, ascending and each once."""
    found = []
    for value in values:
        try:
            found.append(positive_rate(float(value)))
        except (TypeError, ValueError):
            raise InputError(
                f"{value!r} is not a learning rate",
                hint="give a number of points (7), or values (0.001,0.01)",
            ) from None
    return tuple(sorted(set(found)))
