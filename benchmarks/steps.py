"""Milliseconds per training step of a run: fallline beside Keras, torch and plain JAX.

Networks and batch sizes are those of ``cases.py``. Every side is a process (or one per core) that
waits for its turn; in a round all sides train one after the other, in the opposite order in every
second round, and ratios are taken within a round. The validation is left out on all sides.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import command
import inputs
import machine
import peers
import reporting
import workers
from cases import CASES, Case
from command import BenchmarkError
from fallline.errors import FalllineError
from peers import STEP_PEERS
from reporting import Spread, spread
from workers import LeftOut, Team

NAME = "steps"
OURS = "fallline"
EXAMPLES = 60_000


@dataclass
class Measured:
    """One side on one case: milliseconds per step of a run, one per round.

    ``loss``: after the first steps. ``compile``: seconds. ``left_out``: why there are no figures.
    """

    per_step: list[float] = field(default_factory=list)
    loss: float = float("nan")
    compile: float = float("nan")
    steps: tuple[int, int] = (0, 0)
    details: dict[str, Any] = field(default_factory=dict)
    left_out: str = ""


@dataclass
class Found:
    """All sides on one case; ``others``: the cores that other processes took, per round."""

    case: Case
    sides: dict[str, Measured]
    others: list[float | None]

    def ratio(self, side: str) -> Spread:
        """How many times faster fallline is, taken within each round."""
        own = self.sides[OURS].per_step
        theirs = self.sides[side].per_step
        return spread([long / short for long, short in zip(theirs, own, strict=True)])

    def measured(self) -> list[str]:
        """The peers with figures."""
        return [name for name, each in self.sides.items() if each.per_step and name != OURS]

    def strangers(self) -> list[str]:
        """The peers whose loss after the first steps is not fallline's."""
        own = self.sides[OURS].loss
        allowed = self.case.same_loss * own
        return [name for name in self.measured() if not abs(self.sides[name].loss - own) <= allowed]


def measure_case(
    case: Case, teams: dict[str, Team], options: argparse.Namespace, data: Path
) -> Found:
    """Prepare every side, then time them in turns."""
    found = Found(case, {name: Measured() for name in teams}, [])
    for name, team in teams.items():
        began = time.monotonic()
        _prepare(case, name, found.sides[name], team, options, data)
        _say(case, name, found.sides[name], time.monotonic() - began)
    for number in range(options.rounds):
        machine.wait_until_quiet(options.patience)
        names = [name for name, each in found.sides.items() if not each.left_out]
        living = [pid for name in names for pid in teams[name].pids()]
        with machine.watched(living) as watch:
            for name in names if number % 2 == 0 else reversed(names):
                each = found.sides[name]
                try:
                    timed = teams[name].train(*each.steps, options.limit)
                    each.per_step.append(timed.per_step)
                    each.details = timed.details
                except LeftOut as error:
                    _leave_out(name, each, teams[name], error)
        found.others.append(watch.others)
        print(f"{case.name}: round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return found


def _prepare(
    case: Case,
    name: str,
    measured: Measured,
    team: Team,
    options: argparse.Namespace,
    data: Path,
) -> None:
    # Each run of a population is to be as long as the one run of a peer.
    longer = case.runs / machine.cores() if name == OURS else STEP_PEERS[name].longer
    available = EXAMPLES // case.batch_size
    check = (1, case.check_steps) if case.check_steps <= available else (case.check_steps, 1)
    asked = {"network": case.network, "batch_size": case.batch_size, "check": check}
    asked |= {"data": str(data), "runs": case.runs}
    lengths = workers.Lengths(available, options.seconds * longer)
    try:
        begun = team.begin(asked, options.limit)
        measured.loss, measured.compile = begun["loss"], begun["compile"]
        measured.steps = workers.calibrated(team, lengths, begun["seconds_per_step"], options.limit)
    except LeftOut as error:
        _leave_out(name, measured, team, error)


def _leave_out(name: str, measured: Measured, team: Team, error: LeftOut) -> None:
    if name == OURS:
        raise BenchmarkError(f"fallline: {error}") from error
    measured.left_out, measured.per_step = str(error), []
    team.end()


def _say(case: Case, name: str, measured: Measured, seconds: float) -> None:
    text = measured.left_out or f"loss {measured.loss:.4f}, compiled in {measured.compile:.1f} s"
    print(f"{case.name}: {name}: {text}; ready after {seconds:.1f} s", file=sys.stderr, flush=True)


def teams_of(options: argparse.Namespace, folder: Path) -> dict[str, Team]:
    """fallline and the peers that were asked for."""
    found = {OURS: workers.team(None, "ours.py", [], folder)}
    for name in options.sides:
        found[name] = workers.peer_team(STEP_PEERS[name], options.peers_python, folder)
    return found


# -- the page -----------------------------------------------------------------------------------


def title(side: str) -> str:
    return OURS if side == OURS else STEP_PEERS[side].title


def times_table(found: list[Found]) -> str:
    """Milliseconds per step of a run, and how many times longer than fallline's."""
    rows = []
    for side in found[0].sides:
        cells = []
        for each in found:
            measured = each.sides[side]
            if not measured.per_step:
                cells.append("—")
                continue
            text = spread(measured.per_step).text(_digits(measured.per_step))
            cells.append(text if side == OURS else f"{text}; **{each.ratio(side).median:.1f} x**")
        rows.append((title(side), *cells))
    return reporting.markdown_table(["side", *(each.case.title for each in found)], rows)


def _digits(values: list[float]) -> int:
    """Decimals that show three figures of the median."""
    middle = spread(values).median
    return 3 if middle < 1 else 2 if middle < 10 else 1


def compile_table(found: list[Found]) -> str:
    """Seconds until the first steps were done, less those of the same steps done again."""
    rows = [
        (
            title(side),
            *(
                "—" if each.sides[side].left_out else f"{each.sides[side].compile:.1f}"
                for each in found
            ),
        )
        for side in found[0].sides
    ]
    return reporting.markdown_table(["compiling, s", *(each.case.title for each in found)], rows)


def goals_table(found: list[Found]) -> str:
    """What was wanted, what was reached, and whether that is enough."""
    rows = []
    for each in found:
        wanted = dict(each.case.goals)
        for side, goal in wanted.items():
            if side in each.measured():
                rows.append(_verdict(each.case.title, title(side), goal, each.ratio(side)))
        if each.measured():
            fastest = min(each.measured(), key=lambda side: each.ratio(side).median)
            name = f"the fastest of all: {title(fastest)}"
            rows.append(_verdict(each.case.title, name, each.case.best, each.ratio(fastest)))
    header = ["benchmark", "against", "wanted", "reached", "verdict"]
    return reporting.markdown_table(header, rows)


def _verdict(case: str, side: str, goal: float, reached: Spread) -> tuple[str, ...]:
    verdict = "met" if reached.median >= goal else "not met"
    return case, side, f"{goal:g} x", f"{reached.text(2)} x", verdict


def page(found: list[Found], versions: dict[str, str], options: argparse.Namespace) -> str:
    """The results in Markdown."""
    parts = [
        "## A training step, beside Keras, torch and plain JAX",
        "Adam at 0.001 on MNIST's 60,000 training images, float32, validation left out. "
        "Milliseconds per step of a run (median; smallest to largest), and how many times longer "
        "than fallline's. fallline trains a population ("
        + ", ".join(sorted({f"{e.case.runs} runs of {e.case.network}" for e in found}))
        + "), the others one run at a time, or, pinned, one run on each core.",
    ]
    for number in sorted({each.case.benchmark for each in found}):
        parts.append(times_table([each for each in found if each.case.benchmark == number]))
    if any(each.measured() for each in found):
        parts += ["What was wanted:", goals_table(found)]
    parts += ["Compiling is not in those times:", compile_table(found)]
    parts += [_absent(found), _sameness(found), _method(found, options)]
    others = [cores for each in found for cores in each.others]
    parts.append(f"{reporting.origin(versions)} {reporting.quietness(others)}")
    return "\n\n".join(part for part in parts if part)


def _absent(found: list[Found]) -> str:
    reasons = [
        f"{title(side)} on {each.case.title}: {measured.left_out}"
        for each in found
        for side, measured in each.sides.items()
        if measured.left_out
    ]
    return f"Left out: {'; '.join(reasons)}." if reasons else ""


def _sameness(found: list[Found]) -> str:
    strange = [
        f"{title(side)} on {each.case.title} ({each.sides[side].loss:.4f} against "
        f"{each.sides[OURS].loss:.4f})"
        for each in found
        for side in each.strangers()
    ]
    text = (
        "All sides begin with the same weights; after the first steps on the same batches their "
        "losses were compared"
    )
    if strange:
        return f"**{text}, and differ: {'; '.join(strange)}: those times compare other trainings.**"
    return f"{text}, and agree within 2 % (10 % where there is dropout)."


def _method(found: list[Found], options: argparse.Namespace) -> str:
    jit = {
        side: measured.details["jit"]
        for each in found
        for side, measured in each.sides.items()
        if "jit" in measured.details
    }
    said = "; ".join(f"{title(side)}: {'on' if on else 'off'}" for side, on in jit.items())
    return (
        f"{options.rounds} rounds of about {options.seconds:g} s for each run, in turns (Keras 1.5 "
        "times that: it has most to do before and after a training; on a core fallline's runs are "
        "trained one after another); ratios are taken within a round. Each side was warmed by a "
        "training of the same length."
        + (f" What Keras chose for its `jit_compile='auto'`: {said}." if said else "")
    )


# -- the command --------------------------------------------------------------------------------


def arguments() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--sides", nargs="*", choices=STEP_PEERS, default=list(STEP_PEERS))
    parser.add_argument("--peers-python", type=Path, default=peers.PYTHON)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="per side in a round")
    parser.add_argument(
        "--limit", type=float, default=180, help="seconds after which a side is left out"
    )
    reporting.add_options(parser)
    return reporting.parsed(parser, rounds=1, seconds=0.05)


def measure(options: argparse.Namespace, folder: Path) -> tuple[list[Found], dict[str, str]]:
    """All cases, and the versions of the libraries."""
    if options.sides:
        peers.check(options.peers_python)
    data = folder / "data.npz"
    inputs.write(data)
    teams = teams_of(options, folder)
    try:
        found = [measure_case(CASES[name], teams, options, data) for name in options.cases]
        versions = {team.library: team.version for team in teams.values() if team.library}
    finally:
        for team in teams.values():
            team.end()
    versions.pop(OURS, None)
    return found, versions


def main() -> int:
    """Measure, write, print; 1 where sides do not train the same thing, 2 for an error."""
    options = arguments()
    os.environ.update(command.data_folder())
    try:
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            found, versions = measure(options, Path(folder))
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    figures = {
        "measured_on": reporting.origin(versions),
        "machine": machine.description(),
        "rounds": options.rounds,
        "cases": [asdict(each) for each in found],
    }
    reporting.publish(NAME, figures, page(found, versions, options), options)
    strange = {side for each in found for side in each.strangers()}
    if strange:
        print(f"{NAME}: another loss than fallline's: {', '.join(strange)}", file=sys.stderr)
    return 1 if strange else 0


if __name__ == "__main__":
    sys.exit(main())
