"""The test figures of finished runs: what they leave behind, measured on the test examples once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from fallline.data.dataset import Split
from fallline.engine.evaluation import Evaluation
from fallline.engine.events import Finished
from fallline.engine.faults import DeviceError, out_of_memory, reason_of
from fallline.engine.population import Population
from fallline.records import RunResult

log = logging.getLogger("fallline")


class Tested:
    """Measures the weights of one task's runs on ``split``; None where it has no test examples."""

    def __init__(self, split: Split | None) -> None:
        self._split = split
        self._evaluation: Evaluation | None = None

    def results(self, population: Population, finished: Sequence[Finished]) -> list[RunResult]:
        """What became of finished runs of one phase, of final ones with their test figures.

        After a device's error it is tried once more; raises what the device reports then.
        """
        weights = [(event.params, event.state) for event in finished if event.params is not None]
        if not weights or self._split is None:
            return [event.result for event in finished]
        try:
            figures = self._on(self._split, population).measure(weights)
        except DeviceError as error:
            log.warning("the test figures could not be measured: %s; once more", reason_of(error))
            self._evaluation = None
            smallest = out_of_memory(error)
            figures = self._on(self._split, population, smallest=smallest).measure(weights)
        return [
            replace(event.result, test_loss=loss, test_metric=metric)
            for event, (loss, metric) in zip(finished, figures, strict=True)
        ]

    def _on(self, split: Split, population: Population, *, smallest: bool = False) -> Evaluation:
        """What measures weights, as many at once as are trained; one per device if ``smallest``."""
        if self._evaluation is None:
            devices = population.devices
            self._evaluation = Evaluation(
                population.program,
                split,
                devices,
                per_device=1 if smallest else population.places // devices.count,
                lanes=1 if smallest else population.lanes,
            )
        return self._evaluation
