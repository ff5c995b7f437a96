"""What a walk leaves behind: the path of every optimizer, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.landscapes.surface import Landscape, Minimum
from fallline.records import Status

if TYPE_CHECKING:
    import pandas as pd

NEAR = 0.005
"""A path has ended at a minimum that is nearer than this share of the box's diagonal."""


@dataclass(frozen=True)
class Path:
    """One optimizer's way. Row 0 of the arrays is the start, row k what step k led to.

    A diverged path ends with the first point that lies outside of a million boxes, or where f is
    not finite: that last point is part of it.
    """

    label: str
    """The optimizer's name, with its learning rate where it walks with several."""
    optimizer: str
    title: str
    hyperparameters: Mapping[str, float]
    chosen_by: str
    """Where the learning rate is from: ``"given"``, ``"tuned"``, ``"default"``, ``"source"``, or
    ``""`` where there is none."""
    points: np.ndarray
    """Shape ``(steps + 1, dimensions)``, float64."""
    values: np.ndarray
    """f at the points, shape ``(steps + 1,)``."""
    slopes: np.ndarray
    """The length of the gradient at the points, shape ``(steps + 1,)``."""
    status: Status
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The static options."""

    @property
    def steps(self) -> int:
        """The steps taken."""
        return len(self.values) - 1

    @property
    def learning_rate(self) -> float | None:
        return self.hyperparameters.get("learning_rate")


@dataclass(frozen=True)
class Walk:
    """A landscape with the paths of some optimizers from its start."""

    landscape: Landscape
    paths: tuple[Path, ...]
    steps: int
    """The steps that each was given."""

    def table(self) -> pd.DataFrame:
        """A row per path and step: label, optimizer, step, the coordinates, f, gradient."""
        import pandas as pd

        parts = []
        for path in self.paths:
            columns: dict[str, Any] = {
                "path": path.label,
                "optimizer": path.optimizer,
                "step": np.arange(path.steps + 1),
            }
            columns |= {
                name: path.points[:, place] for place, name in enumerate(self.landscape.variables)
            }
            parts.append(pd.DataFrame(columns | {"f": path.values, "gradient": path.slopes}))
        return pd.concat(parts, ignore_index=True)

    def minimum_of(self, path: Path) -> Minimum | None:
        """The known minimum at which ``path`` has ended; None if it is elsewhere."""
        box = self.landscape.box
        if path.status is Status.DIVERGED:
            return None
        near = NEAR * float(np.linalg.norm(box.size))
        gaps = [
            (float(np.linalg.norm(path.points[-1] - np.asarray(each.at))), each)
            for each in self.landscape.minima
        ]
        gap, nearest = min(gaps, key=lambda pair: pair[0], default=(np.inf, None))
        return nearest if gap <= near else None
