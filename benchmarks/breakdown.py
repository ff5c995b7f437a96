"""Where the time of a training step goes: the whole step, and its parts measured alone.

The whole is a population as fallline trains it. Each part is repeated in a loop of its own
(``parts.py``), on all cores at once, at the same shapes and in the form that fallline gives it.
What cannot be run alone is a difference: a convolution's gradients are what a pass with them takes
longer than one without. The machine's limits are those of ``roofline.py``, of the same rounds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import command
import counting
import machine
import networks
import peers
import populations
import reporting
import roofline
import workers
from cases import CASES, Case
from command import BenchmarkError
from counting import NUMBER, STATE_NUMBERS, Count
from fallline.errors import FalllineError
from networks import NETWORKS, BatchNorm, Conv, Dense, Dropout, Pool, Shaped
from peaks import LIBRARIES
from populations import Cell, Data
from reporting import Spread, spread
from roofline import ALL, LIMIT, Peaks
from workers import LeftOut, Team

NAME = "breakdown"
MEASURED = ("mlp-32", "cnn-64", "bn-cnn-250", "plain-cnn-250")
EXAMPLES = 60_000
UPDATE_PASSES = 7
"""Gradient, weight and two moments read, weight and two moments written."""


@dataclass(frozen=True)
class Piece:
    """What is timed alone, as ``parts.py`` takes it: layers by their numbers in the network."""

    form: str
    layers: tuple[int, ...] = ()
    wanted: str = ""


@dataclass(frozen=True)
class Part:
    """A part of a step: the time of ``piece``, less that of ``less``.

    ``count``: its operations, or the bytes it moves where it has none; None where neither is known.
    """

    name: str
    piece: Piece
    less: Piece | None = None
    count: Count | None = None


def parts(case: Case) -> list[Part]:
    """All that is measured alone of a case's step, in the order of the layers."""
    layers, batch = networks.shaped(NETWORKS[case.network]), case.batch_size
    found, at = [_reading(batch)], 0
    while at < len(layers):
        layer, after = layers[at].layer, at + 1
        if isinstance(layer, Conv):
            while after < len(layers) and not isinstance(layers[after - 1].layer, Pool):
                after += 1
            found += _convolution(layers, at, after, batch)
        elif isinstance(layer, Dense):
            found += _dense(layers[at], at, batch)
        elif isinstance(layer, Dropout | BatchNorm):
            found.append(_passes(layers[at], at, batch))
        at = after
    return [*found, _updating(layers)]


def _reading(batch: int) -> Part:
    """Bytes in, from all over the data set, and floats out."""
    numbers = int(np.prod(networks.IMAGE))
    count = Count(0, batch * numbers * (1 + NUMBER), EXAMPLES * numbers)
    return Part("examples gathered and scaled", Piece("read"), count=count)


def _convolution(layers: Sequence[Shaped], at: int, after: int, batch: int) -> list[Part]:
    """A convolution with its ReLU and pool; what a normalisation between them adds, apart."""
    whole = tuple(range(at, after))
    plain = tuple(each for each in whole if not isinstance(layers[each].layer, BatchNorm))
    layer, kernel = layers[at].layer, layers[at].kernel
    assert isinstance(layer, Conv)
    assert kernel is not None
    name = f"conv {layer.features} {layer.size}x{layer.size}, ReLU, pool"
    count = _product(layers[at], batch)
    forward, weights, both = (
        Piece("block", plain, wanted) for wanted in ("forward", "weights", "all")
    )
    found = [
        Part(f"{name}: forward", forward, count=count),
        Part(f"{name}: gradient of weights", weights, forward, count),
    ]
    if at > 0:
        found.append(Part(f"{name}: gradient of input", both, weights, count))
    if whole != plain:
        last = both if at > 0 else weights
        name = f"batch normalisation within conv {layer.features}, both ways"
        found.append(Part(name, Piece("block", whole, last.wanted), last))
    return found


def _product(layer: Shaped, batch: int) -> Count:
    """One of the products of a convolution or a dense layer, all of the same size."""
    assert layer.kernel is not None
    positions = int(np.prod(layer.after)) // layer.after[-1]
    return Count(2 * int(np.prod(layer.kernel)) * positions * batch, 0, 0)


def _dense(layer: Shaped, at: int, batch: int) -> list[Part]:
    """The two or three products of a dense layer."""
    name, count = f"dense {layer.before[0]}-{layer.after[0]}", _product(layer, batch)
    named = {"forward": "forward", "weights": "gradient of weights", "input": "gradient of input"}
    if at == 0:
        del named["input"]
    return [
        Part(f"{name}: {words}", Piece("dense", (at,), wanted), count=count)
        for wanted, words in named.items()
    ]


def _passes(layer: Shaped, at: int, batch: int) -> Part:
    """A dropout or a normalisation that stands alone, forward and backward."""
    numbers = batch * int(np.prod(layer.before))
    size = " x ".join(map(str, layer.before))
    # Dropout alone reads and writes once forward, once backward.
    name, passes = f"dropout of {size}, mask and both ways", 4
    if isinstance(layer.layer, BatchNorm):
        name, passes = f"batch normalisation of {size}, both ways", counting.NORMALISED_PASSES
    # In and out, and the gradient of each.
    count = Count(0, NUMBER * passes * numbers, NUMBER * 4 * numbers)
    return Part(name, Piece("block", (at,), "all"), count=count)


def _updating(layers: Sequence[Shaped]) -> Part:
    numbers = sum(each.parameters for each in layers)
    count = Count(0, NUMBER * UPDATE_PASSES * numbers, NUMBER * STATE_NUMBERS * numbers)
    return Part(f"Adam, {numbers:,} weights", Piece("update"), count=count)


# -- measuring ----------------------------------------------------------------------------------


@dataclass
class Measured:
    """A case: milliseconds of a core, per round, of its whole step and of each piece."""

    case: Case
    cell: Cell
    parts: list[Part]
    pieces: dict[Piece, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in self.parts:
            for piece in (part.piece, part.less):
                if piece is not None:
                    self.pieces.setdefault(piece, [])

    @property
    def whole(self) -> list[float]:
        return [machine.cores() * each for each in self.cell.per_step]

    def of(self, part: Part) -> list[float]:
        """A part's milliseconds, per round."""
        took = self.pieces[part.piece]
        if part.less is None:
            return took
        return [a - b for a, b in zip(took, self.pieces[part.less], strict=True)]

    def together(self) -> list[float]:
        """The sum of all parts, per round."""
        return [sum(each) for each in zip(*map(self.of, self.parts), strict=True)]

    def asked(self, piece: Piece) -> dict[str, Any]:
        """The piece as a command's arguments."""
        whose = {"network": self.case.network, "batch_size": self.case.batch_size}
        return {**whose, **asdict(piece)}


def measure(
    options: argparse.Namespace, folder: Path
) -> tuple[Peaks, list[Measured], list[float | None]]:
    """Limits, whole steps and parts in turns."""
    ours = workers.team(None, "ours.py", [], folder)
    alone = workers.team(None, "parts.py", [], folder)
    libraries = {name: roofline.library_team(name, options, folder) for name in options.libraries}
    data = Data.written("mnist", folder)
    found = []
    for name in options.cases:
        case = CASES[name]
        cell = populations.cell(
            data,
            case.network,
            case.batch_size,
            case.runs,
            least=populations.settled(case.batch_size),
        )
        found.append(Measured(case, cell, parts(case)))
    teams = (ours, alone, *libraries.values())
    peaks, others = Peaks(), []
    try:
        for each in found:
            _prepare(each, ours, alone, options)
        for number in range(options.rounds):
            machine.wait_until_quiet(options.patience)
            with machine.watched([pid for team in teams for pid in team.pids()]) as watch:
                roofline.measure_peaks(peaks, libraries, options.part_seconds / 2)
                for each in found if number % 2 == 0 else reversed(found):
                    _once(each, ours, alone, options.part_seconds, forth=number % 2 == 0)
            others.append(watch.others)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    except LeftOut as error:
        raise BenchmarkError(str(error)) from error
    finally:
        for team in teams:
            team.end()
    return peaks, found, others


def _prepare(each: Measured, ours: Team, alone: Team, options: argparse.Namespace) -> None:
    populations.prepare(ours, each.cell, options.seconds)
    pieces = [each.asked(piece) for piece in each.pieces]
    alone.ask({"do": "ready", "seconds": options.part_seconds, "parts": pieces}, LIMIT)
    print(f"{each.case.name}: ready", file=sys.stderr, flush=True)


def _once(each: Measured, ours: Team, alone: Team, seconds: float, *, forth: bool) -> None:
    """One measurement more of a case, its pieces in the opposite order in every second round."""
    populations.once(ours, each.cell)
    pieces = list(each.pieces)
    for piece in pieces if forth else reversed(pieces):
        (answer,) = alone.ask({"do": "time", "seconds": seconds, **each.asked(piece)}, LIMIT)
        each.pieces[piece].append(answer["milliseconds"])


# -- the page -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reached:
    """A rate of a core, the limit it is held against, and their ratio, taken within each round."""

    rate: float
    unit: str
    limit: str
    share: Spread


def reached(peaks: Peaks, count: Count | None, milliseconds: Sequence[float]) -> Reached | None:
    """How near a part comes to the best product, or to the best pass over as much memory."""
    if count is None or min(milliseconds) <= 0:
        return None
    if count.operations:
        amount, unit, limit, rates = count.operations, "GFLOP/s", "products", peaks.multiply
    else:
        level = roofline.level_of(count)
        amount, unit, limit = count.moved, "GB/s", level.name
        rates = peaks.stream[level.name]
    per_core = [
        roofline.best(rates[ALL], number) / machine.cores() for number in range(len(milliseconds))
    ]
    done = [1e-6 * amount / each for each in milliseconds]
    shares = [rate / most for rate, most in zip(done, per_core, strict=True)]
    return Reached(spread(done).median, unit, limit, spread(shares))


def rows(peaks: Peaks, each: Measured) -> list[tuple[str, list[float], Reached | None]]:
    """Every part with its milliseconds, then their sum, the rest, and the whole step."""
    found: list[tuple[str, list[float], Reached | None]] = []
    for part in each.parts:
        took = each.of(part)
        found.append((part.name, took, reached(peaks, part.count, took)))
    together, whole = each.together(), each.whole
    rest = [a - b for a, b in zip(whole, together, strict=True)]
    operations = counting.operations(NETWORKS[each.case.network], each.case.batch_size)
    found.append(("all of these", together, None))
    found.append(("the rest", rest, None))
    step = reached(peaks, Count(operations, 0, 0), whole)
    return [*found, ("**the whole step**", whole, step)]


def table(peaks: Peaks, each: Measured) -> str:
    """A case's parts."""
    header = ["part", "ms of a core", "share, %", "rate", "limit", "of the limit, %"]
    lines = []
    for name, took, rate in rows(peaks, each):
        shares = [a / b for a, b in zip(took, each.whole, strict=True)]
        of_limit = ("", "", "")
        if rate is not None:
            percent = f"{100 * rate.share.median:.0f}"
            of_limit = (f"{rate.rate:.1f} {rate.unit}", rate.limit, percent)
        percent = f"{100 * spread(shares).median:.1f}"
        lines.append((name, spread(took).text(3), percent, *of_limit))
    return reporting.markdown_table(header, lines)


def limits(peaks: Peaks, rounds: int) -> str:
    """A sentence on what a core does at its best."""
    named = [("products", "GFLOP/s", peaks.multiply)]
    named += [(f"passes in {name}", "GB/s", rates) for name, rates in peaks.stream.items()]
    told = []
    for name, unit, rates in named:
        best = [roofline.best(rates[ALL], number) / machine.cores() for number in range(rounds)]
        told.append(f"{name} {spread(best).text(1, unit)}")
    return ", ".join(told)


def page(peaks: Peaks, found: Sequence[Measured], others: list[float | None], rounds: int) -> str:
    """The results in Markdown."""
    sections = [
        "## Where a step's time goes",
        "Milliseconds that a core spends on one step of one run: the whole step, of a population "
        "that keeps all cores busy, and its parts, each repeated alone in a loop on all cores at "
        "once, at the same shapes and in the form that fallline gives it. A convolution's "
        "gradients, and the batch normalisation within its block, are differences: what a pass "
        "with them takes longer than one without. Alone, a part finds its numbers in the nearest "
        "cache; in a step it may not. That, with biases, ReLU and loss behind dense layers, is in "
        "*the rest*, which is the whole less all parts. Rates are operations of the product "
        "(2 m n k) or bytes that must pass. What one core does at its best while all are busy: "
        f"{limits(peaks, rounds)}.",
    ]
    for each in found:
        sections += [f"### {each.case.title}", table(peaks, each)]
    sections.append(
        f"{rounds} rounds, limits, whole steps and parts in turns; medians, in brackets the "
        f"smallest and the largest. {reporting.origin()} {reporting.quietness(others)}"
    )
    return "\n\n".join(sections)


def arguments() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(MEASURED))
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--peers-python", type=Path, default=peers.PYTHON)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8, help="per whole step in a round")
    parser.add_argument("--part-seconds", type=float, default=0.12, help="per part in a round")
    reporting.add_options(parser)
    return reporting.parsed(parser, rounds=1, seconds=0.1, part_seconds=0.02)


def main() -> int:
    """Measure, write, print; 2 for an error."""
    options = arguments()
    os.environ.update(command.data_folder())
    try:
        if "torch" in options.libraries:
            peers.check(options.peers_python)
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            peaks, found, others = measure(options, Path(folder))
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    figures = {
        "measured_on": reporting.origin(),
        "machine": machine.description(),
        "peaks": asdict(peaks),
        "others": others,
        "cases": {
            each.case.name: [
                {"part": name, "milliseconds": took, "reached": rate and asdict(rate)}
                for name, took, rate in rows(peaks, each)
            ]
            for each in found
        },
    }
    reporting.publish(NAME, figures, page(peaks, found, others, options.rounds), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
