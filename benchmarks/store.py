"""What keeping costs: the store's share of a study's time, and reading a study of many runs.

    python benchmarks/store.py [--rounds 3] [--runs 10000]

For docs/reliability.md, which ``reliability.py`` writes.

The share is the seconds that the training thread passes in calls of the store (folder, parts,
manifest, snapshots) and copying states out of the devices. The devices go on meanwhile, so it is
more than what a study loses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import command
import machine
import reporting
from command import BenchmarkError
from reporting import spread
from store_made import A_PART, EPOCHS, OPTIMIZERS, made_study
from store_share import LONG, SHORT, Kept, kept_of

NAME = "store"
MOST_SHARE, MOST_PART, MOST_OPENING, MOST_REPORT = 0.02, 0.020, 1.0, 20.0
READING = """
import json, sys, time
import fallline
import fallline.results
found = {}
for name, ask in (
    ("open", lambda: study.runs),
    ("verdict", lambda: study.verdict),
    ("report", lambda: study.report()),
):
    began, worked = time.perf_counter(), time.process_time()
    if name == "open":
        study = fallline.open_study(sys.argv[1])
    ask()
    found[name] = (time.perf_counter() - began, time.process_time() - worked)
print(json.dumps(found | {"runs": len(study.runs)}))
"""


def read_by_a_process(folder: Path) -> Mapping[str, Sequence[float]]:
    """Wall and processor seconds of opening, of the verdict, and of the page, one after another."""
    done = subprocess.run(
        [sys.executable, "-c", READING, str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        raise BenchmarkError(f"the study in {folder} could not be read:\n{done.stderr}")
    return json.loads(done.stdout)


Read = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Measured:
    """All that a results file holds."""

    kept: Sequence[Kept]
    read: Sequence[Read]
    runs: int
    """Of the study that was read."""
    origin: str
    """Machine, versions and date, in a sentence."""

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> Measured:
        """What was written as JSON."""
        return cls(**{**results, "kept": [Kept(**each) for each in results["kept"]]})


def goals(found: Measured) -> list[tuple[str, str, str]]:
    """What was asked of keeping, what was measured, and whether that is met."""
    parts = [seconds for each in found.kept for seconds in each.parts]
    opened = spread([each["open"][0] for each in found.read])
    page = spread([each["verdict"][0] + each["report"][0] for each in found.read])
    share = spread([each.share for each in found.kept])
    return [
        (
            f"keeping takes less than {100 * MOST_SHARE:.0f} % of a study of mnist-mlp",
            f"{reporting.percent(share)} %",
            met(share.most < MOST_SHARE),
        ),
        (
            f"a part of finished runs is stored in less than {1e3 * MOST_PART:.0f} ms",
            f"{1e3 * median(parts):.1f} ms, of {len(parts)} the longest {1e3 * max(parts):.0f} ms",
            met(median(parts) < MOST_PART),
        ),
        (
            f"a study of {found.runs:,} runs is opened in less than {MOST_OPENING:.0f} s",
            opened.text(2, "s"),
            met(opened.median < MOST_OPENING),
        ),
        (
            f"and its page drawn in less than {MOST_REPORT:.0f} s",
            page.text(1, "s"),
            met(page.median < MOST_REPORT),
        ),
    ]


def text(found: Measured) -> str:
    """The page's section."""
    return "\n\n".join(
        [
            "## What keeping costs",
            "Studies of mnist-mlp. The store's part is what passes in its calls: the folder is "
            "made and read, parts, manifest and snapshots are written and flushed to the disk, and "
            "the weights and states of a snapshot are copied out of the devices. The devices train "
            "meanwhile, so a study loses less.",
            _studies(found.kept),
            f"The {found.runs:,} runs are made up: {OPTIMIZERS} optimizers, {EPOCHS} epochs, "
            f"{-(-found.runs // A_PART):,} parts. They are read by {len(found.read)} processes, "
            "one after another; starting Python and importing are not counted.",
            reporting.quietness([each.others for each in found.kept]),
            found.origin,
        ]
    )


def _studies(kept: Sequence[Kept]) -> str:
    header = ["study", "runs", "took", "the store", "parts", "snapshots of runs under way"]
    rows = [
        (
            each.what,
            f"{each.runs}",
            f"{each.seconds:.1f} s",
            f"{each.store:.2f} s ({100 * each.share:.2f} %)",
            f"{len(each.parts)}, {1e3 * median(each.parts):.1f} ms "
            f"({1e3 * min(each.parts):.1f} to {1e3 * max(each.parts):.1f})",
            f"{len(each.snapshots)}, {1e3 * median(each.snapshots):.0f} ms"
            if each.snapshots
            else "none",
        )
        for each in kept
    ]
    return reporting.text_table(header, rows)


def met(whether: bool) -> str:
    return "met" if whether else "**not met**"


def main() -> int:
    """Measure, write, print; 2 for an error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10_000, help="of the large study")
    reporting.add_options(parser)
    options = reporting.parsed(parser, rounds=1, runs=400)
    os.environ.update(command.data_folder())
    kept: list[Kept] = []
    read: list[Read] = []
    try:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
            large = made_study(Path(place) / "large", options.runs)
            for at in range(options.rounds):
                machine.wait_until_quiet(options.patience)
                read.append(read_by_a_process(large))
                for name, asked in (("short runs", SHORT), ("long runs", LONG)):
                    given = asked | ({"epochs": 1} if options.quick else {})
                    machine.wait_until_quiet(options.patience)
                    kept.append(kept_of(name, given, Path(place) / f"{name}-{at}"))
    except BenchmarkError as error:
        return reporting.failed(NAME, error)
    found = Measured(kept, read, options.runs, reporting.origin())
    table = reporting.text_table(["asked", "measured", ""], goals(found))
    reporting.publish(NAME, asdict(found), f"{text(found)}\n\n{table}", options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
