"""When a run stops before its budget is spent."""

from __future__ import annotations

from dataclasses import dataclass

from fallline.errors import InputError, unknown

MONITORS = ("train_loss", "train_metric", "validation_loss", "validation_metric")
"""What can be monitored, measured at the end of each epoch."""


@dataclass(frozen=True)
class EarlyStopping:
    """Stop a run when ``monitor`` has not improved by ``min_delta`` for ``patience`` epochs."""

    monitor: str = "validation_loss"
    min_delta: float = 0.0
    patience: int = 3

    def __post_init__(self) -> None:
        if self.monitor not in MONITORS:
            raise unknown("figure to monitor", self.monitor, MONITORS)
        if self.patience < 1:
            raise InputError(f"patience must be at least 1 epoch, got {self.patience}")
        if not self.min_delta >= 0:
            raise InputError(f"min_delta must be at least 0, got {self.min_delta}")
