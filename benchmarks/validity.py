"""Whether the verdict is right: equal optimizers, planted differences, intervals, inclusions.

Real runs are trained into ``--work``, where a later call goes on with them; the rest is drawn from
their figures and from made ones, with generators that are always the same. Nothing here is timed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import machine
import reporting
import validity_drawing as drawing
import validity_page as page
import validity_pools as pools
import validity_studies as studies
from command import BenchmarkError
from fallline.errors import FalllineError
from fallline.results import Study

NAME = "validity"
ENTRIES = (2, 3, 5, 10)
EFFECTS = (0.5, 1.0, 1.5, 2.0)
FEW_SEEDS = 5
ORDERS = 20


@dataclass
class Proof:
    """All that was found; a part that was not asked for is empty."""

    pools: list[drawing.Pool] = field(default_factory=list)
    read: list[drawing.Equals] = field(default_factory=list)
    """A/A of real runs through frames and readings."""
    drawn: list[drawing.Equals] = field(default_factory=list)
    """A/A of drawn figures."""
    twice: studies.Twice | None = None
    planted: list[drawing.Found] = field(default_factory=list)
    real: list[pools.RealDifference] = field(default_factory=list)
    covered: list[drawing.Covered] = field(default_factory=list)
    inclusions: list[studies.Inclusion] = field(default_factory=list)
    larger: list[studies.Inclusion] = field(default_factory=list)
    """Those that were violated, with twice the budget."""
    repeated: list[studies.Repeated] = field(default_factory=list)
    shuffled: studies.Shuffled | None = None


class Inquiry:
    """The parts of the proof, each adding what it finds."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.proof = options, Proof()

    def digits(self) -> Study:
        """Three settings of Adam on the same seeds of digits-mlp."""
        names = (pools.GOOD, pools.NEARLY_GOOD, pools.TOO_LARGE)
        return pools.trained("digits-mlp", names, self.options.pool, self.options.work)

    def wine(self) -> Study:
        """One setting of Adam on a task with errors that are continuous."""
        seeds = max(100, self.options.pool // 4)
        return pools.trained("wine-mlp", (pools.GOOD,), seeds, self.options.work)

    def equal(self) -> None:
        """A/A."""
        digits, wine = self.digits(), self.wine()
        named = [
            (digits, pools.GOOD, "digits-mlp, adam at 0.01"),
            (digits, pools.TOO_LARGE, "digits-mlp, adam at 0.032"),
            (wine, pools.GOOD, "wine-mlp, adam at 0.01"),
        ]
        self.proof.pools = [pools.pool_of(*each) for each in named]
        for entries in ENTRIES:
            self.proof.read.append(pools.equals_read(*named[0], entries, self.options.repetitions))
        for pool in self.proof.pools:
            for entries in ENTRIES:
                if entries * drawing.FRESH_SEEDS <= len(pool.test):
                    self.proof.drawn.append(self._equals_of(pool, entries))
        for chosen in (0.0, 0.5, 0.9):
            name = f"normal figures, validation and test correlated by {chosen:g}"
            for entries in ENTRIES:
                draw = drawing.normal(drawing.generator(name, entries), chosen=chosen)
                self.proof.drawn.append(
                    drawing.equals(name, draw, entries, studies=self.options.studies)
                )
        self.proof.twice = studies.entered_twice(self.options.work)

    def _equals_of(self, pool: drawing.Pool, entries: int) -> drawing.Equals:
        return drawing.equals(
            pool.name,
            pool.draw(drawing.generator("A/A", pool.name, entries)),
            entries,
            studies=self.options.studies,
            higher_is_better=pool.higher_is_better,
            resolution=pool.resolution,
        )

    def power(self) -> None:
        """Planted differences, and real ones."""
        digits, options = self.digits(), self.options
        pool = pools.pool_of(digits, pools.GOOD, "digits-mlp, adam at 0.01, unpaired")
        for effect in EFFECTS:
            for paired, entries in ((0.0, 2), (0.5, 2), (0.5, 10)):
                name = f"normal figures, paired by {paired:g}"
                draw = drawing.normal(drawing.generator(name, effect, entries), paired=paired)
                self.proof.planted.append(
                    drawing.planted(
                        name,
                        draw,
                        effect,
                        studies=options.studies,
                        correlation=paired,
                        entries=entries,
                    )
                )
            self.proof.planted.append(
                drawing.planted(
                    pool.name,
                    pool.draw(drawing.generator("planted", effect)),
                    effect,
                    studies=options.studies,
                    deviation=float(pool.test.std(ddof=1)),
                    resolution=pool.resolution,
                )
            )
        for other in (pools.NEARLY_GOOD, pools.TOO_LARGE):
            self.proof.real.append(pools.found_read(digits, pools.GOOD, other, options.repetitions))

    def coverage(self) -> None:
        """Intervals of figures with a known true value."""
        digits = self.digits()
        real = [
            pools.population_of(digits, pools.GOOD, other, f"real: adam at 0.01 and {rate}")
            for other, rate in ((pools.NEARLY_GOOD, "0.0032"), (pools.TOO_LARGE, "0.032"))
        ]
        for population in (*real, *drawing.made_populations()):
            for name in drawing.INTERVALS:
                student = name in drawing.STUDENTS
                # A bootstrap of a thousand times takes a minute.
                for seeds in (
                    (drawing.FRESH_SEEDS, FEW_SEEDS) if student else (drawing.FRESH_SEEDS,)
                ):
                    self.proof.covered.append(
                        drawing.covered(
                            population,
                            name,
                            studies=self.options.simulations
                            if student
                            else self.options.bootstraps,
                            draw=drawing.generator("coverage", population.name, name, seeds),
                            seeds=seeds,
                        )
                    )

    def inclusion(self) -> None:
        """Supersets beside their subsets."""
        budget, work = self.options.budget, self.options.work
        for task in self.options.tasks:
            found = studies.inclusions(task, budget, work)
            self.proof.inclusions += found
            lost = [
                pair for pair, each in zip(studies.INCLUSIONS, found, strict=True) if each.violated
            ]
            if lost:
                self.proof.larger += studies.inclusions(task, 2 * budget, work, pairs=lost)

    def order(self) -> None:
        """One study in several ways, and its runs in other orders."""
        work = self.options.work
        self.proof.repeated = studies.repeated(work)
        stored = studies.opened(work)
        self.proof.shuffled = studies.shuffled(stored, ORDERS, drawing.generator("orders"))

    @property
    def parts(self) -> dict[str, Callable[[], None]]:
        return {
            "equal": self.equal,
            "power": self.power,
            "coverage": self.coverage,
            "inclusion": self.inclusion,
            "order": self.order,
        }


def plain(proof: Proof) -> dict[str, Any]:
    """What was found as JSON can hold it, without the pools' figures."""
    found = asdict(
        Proof(**{**vars(proof), "pools": []})  # every figure of a pool would be a page each
    )
    found["pools"] = [
        {"name": pool.name, "runs": len(pool.test), "correlation": pool.correlation}
        for pool in proof.pools
    ]
    return found


def main() -> int:
    """Find, write, print; 2 for an error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    everything = ("equal", "power", "coverage", "inclusion", "order")
    parser.add_argument("--parts", nargs="+", choices=everything, default=list(everything))
    parser.add_argument("--pool", type=int, default=500, help="seeds of a pool of real runs")
    parser.add_argument(
        "--repetitions", type=int, default=200, help="studies that are read as trained ones"
    )
    parser.add_argument("--studies", type=int, default=2000, help="drawn studies of each kind")
    parser.add_argument("--simulations", type=int, default=4000, help="Student's intervals each")
    parser.add_argument("--bootstraps", type=int, default=500, help="bootstrap intervals each")
    parser.add_argument("--budget", type=int, default=48, help="trials of each in inclusions")
    parser.add_argument("--tasks", nargs="+", choices=studies.TASKS, default=list(studies.TASKS))
    parser.add_argument("--work", type=Path, default=Path("fallline-studies/validity"))
    reporting.add_options(parser)
    options = reporting.parsed(
        parser,
        pool=100,
        repetitions=3,
        studies=3,
        simulations=3,
        bootstraps=3,
        budget=2,
        tasks=["digits-mlp"],
        work=Path("fallline-studies/validity-quick"),
    )
    if set(options.parts) != set(everything):
        options.table = None  # a page has every part
    inquiry = Inquiry(options)
    try:
        for part in options.parts:
            print(f"{part} ...", file=sys.stderr, flush=True)
            inquiry.parts[part]()
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    figures = {"found": plain(inquiry.proof), "machine": machine.description()}
    text = page.text(inquiry.proof, options)
    reporting.publish(NAME, figures, text, options, heading=page.HEADING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
