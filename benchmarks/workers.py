"""The sides of a step benchmark, as processes that wait for their turn.

A :class:`Team` is one side: one process, or one pinned to each core with a thread each. Its
members train at the same time; how long they took runs from the first one's begin to the last one's
end.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command
import machine
from peers import Peer

HERE = Path(__file__).parent
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "1"
)


class LeftOut(Exception):
    """This side cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Timed:
    """One training of a team: wall seconds, steps of all its runs, what its first member says."""

    seconds: float
    steps: int
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def per_step(self) -> float:
        """Milliseconds per step of a run."""
        return 1000 * self.seconds / self.steps


class Worker:
    """One process that answers; it is told its arguments, its environment and its core."""

    def __init__(
        self, line: Sequence[str], environment: Mapping[str, str], core: int | None, log: Path
    ) -> None:
        self.name = " ".join(Path(part).name for part in line)
        self.log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                line,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
            )
        self._read = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, asked: Mapping[str, Any]) -> None:
        """Send a command; its answer is due."""
        if self._process.stdin is None or self._process.poll() is not None:
            raise LeftOut(self._ended())
        try:
            self._process.stdin.write((json.dumps(asked) + "\n").encode())
            self._process.stdin.flush()
        except OSError as error:
            raise LeftOut(self._ended()) from error

    def answer(self, limit: float) -> dict[str, Any]:
        """The answer that is due; LeftOut where there is none within ``limit`` seconds."""
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            waiting, _, _ = select.select([self._process.stdout], [], [], limit)
            if not waiting:
                raise LeftOut(f"no answer within {limit:g} s")
            more = os.read(self._process.stdout.fileno(), 1 << 16)
            if not more:
                raise LeftOut(self._ended())
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LeftOut(answer["error"])
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _ended(self) -> str:
        self._process.wait()
        said = self.log.read_text(errors="replace").strip().splitlines()
        return f"its process ended with {self._process.returncode}: {said[-1] if said else ''}"


@dataclass
class Team:
    """The processes of one side; started when first needed, started anew where one was lost."""

    start: Callable[[], list[Worker]]
    members: list[Worker] = field(default_factory=list)
    library: str = ""
    version: str = ""

    def begin(self, asked: Mapping[str, Any], limit: float) -> dict[str, Any]:
        """Begin a job on every member; the first one's answer."""
        first: dict[str, Any] = self.ask({"do": "begin", **asked}, limit)[0]
        return first

    def ask(self, asked: Mapping[str, Any], limit: float, members: int | None = None) -> list[Any]:
        """What the first ``members`` (or all) answer to a command given to them at once."""
        if not self.members:
            self.members = self.start()
            greetings = [member.answer(limit) for member in self.members]
            self.library, self.version = greetings[0]["library"], greetings[0]["version"]
        chosen = self.members[:members]
        for member in chosen:
            member.tell(asked)
        return [member.answer(limit) for member in chosen]

    def train(self, epochs: int, steps: int, limit: float) -> Timed:
        """Train on all members at once."""
        answers = self.ask({"do": "train", "epochs": epochs, "steps": steps}, limit)
        began, ended = (min(a["began"] for a in answers), max(a["ended"] for a in answers))
        return Timed(ended - began, sum(a["steps"] for a in answers), answers[0])

    def pids(self) -> list[int]:
        return [member.pid for member in self.members]

    def end(self) -> None:
        for member in self.members:
            member.end()
        self.members = []


def peer_team(peer: Peer, python: Path, folder: Path) -> Team:
    """A peer as a side."""
    arguments = ["--form", peer.form, "--threads", str(peer.threads)]
    return team(python, peer.script, arguments, folder, pinned=peer.pinned)


def team(
    python: Path | None,
    script: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    pinned: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Team:
    """The side that ``script`` is; ``python`` None: this one's own. ``folder`` keeps its log."""
    kept = command.environment(folder / "cache") | {
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")
    }
    kept |= dict(environment or {})

    def start() -> list[Worker]:
        line = [str(python or sys.executable), str(HERE / script), *arguments]
        stem = "-".join([Path(script).stem, *(part.strip("-") for part in arguments)])
        if not pinned:
            return [Worker(line, kept, None, folder / f"{stem}.log")]
        return [
            Worker(line, kept | ONE_THREAD, core, folder / f"{stem}-core{core}.log")
            for core in machine.core_numbers()
        ]

    return Team(start)


@dataclass(frozen=True)
class Lengths:
    """How long a training is to be: about ``seconds``, of at least ``least`` steps of each run.

    ``available``: steps in the data.
    """

    available: int
    seconds: float
    least: int = 2

    def of(self, wanted: float) -> tuple[int, int]:
        """Epochs and steps for so many steps: whole epochs where they are more than one."""
        wanted = max(wanted, self.least)
        if wanted <= self.available:
            return 1, round(wanted)
        return round(wanted / self.available), self.available


def calibrated(team: Team, lengths: Lengths, per_step: float, limit: float) -> tuple[int, int]:
    """Epochs and steps of a training of that length, which was done once.

    ``per_step``: a first estimate, in seconds, of all runs' steps together.
    """
    epochs, steps = lengths.of(lengths.seconds / per_step)
    timed = team.train(epochs, steps, limit)
    share = timed.seconds / lengths.seconds
    if not 0.6 <= share <= 1.7:
        again = lengths.of(epochs * steps / share)
        if again != (epochs, steps):
            epochs, steps = again
            team.train(epochs, steps, limit)
    return epochs, steps
