"""What keeping costs: the store's share of a study's time, and reading a study of many runs.

    python benchmarks/store.py [--rounds 3] [--runs 10000] --table docs/reliability.md

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
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import command
import machine
import reporting
from command import BenchmarkError
from reporting import Spread, spread
from store_made import made_study
from store_share import LONG, SHORT, Kept, kept_of

NAME = "store"
PAGE = """# What survives what

What was done to real studies and what became of them; what damaged input came to; what keeping
costs. Scripts in [`benchmarks/`](../benchmarks/README.md) write the sections between the markers:
do not edit them. How a study's folder is made is told in [study-format.md](study-format.md).
"""
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


def read_by_a_process(folder: Path) -> dict[str, list[float]]:
    """Wall and processor seconds of opening, of the verdict, and of the page, one after another."""
    done = subprocess.run(
        [sys.executable, "-c", READING, str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        raise BenchmarkError(f"the study in {folder} could not be read:\n{done.stderr}")
    return json.loads(done.stdout)


def text(kept: Sequence[Kept], read: Sequence[dict[str, list[float]]], runs: int) -> str:
    """The page's section."""
    parts = [seconds for each in kept for seconds in each.parts]
    opened, verdict, page = (
        spread([each[name][0] for each in read]) for name in ("open", "verdict", "report")
    )
    share = max(each.share for each in kept)
    rows = [
        (
            f"at most {100 * MOST_SHARE:.0f} % of a study of mnist-mlp",
            f"{100 * share:.2f} % at most",
            _met(share <= MOST_SHARE),
        ),
        (
            f"a part (finished runs) stored in less than {1e3 * MOST_PART:.0f} ms",
            f"median {1e3 * median(parts):.1f} ms, largest {1e3 * max(parts):.1f} ms of "
            f"{len(parts)}",
            _met(median(parts) < MOST_PART),
        ),
        (
            f"a study of {runs:,} runs opened in less than {MOST_OPENING:.0f} s",
            opened.text(2, "s"),
            _met(opened.median < MOST_OPENING),
        ),
        (
            f"its page drawn in less than {MOST_REPORT:.0f} s",
            Spread(
                verdict.median + page.median, verdict.least + page.least, verdict.most + page.most
            ).text(1, "s"),
            _met(page.median + verdict.median < MOST_REPORT),
        ),
    ]
    return "\n\n".join(
        [
            "## What keeping costs",
            reporting.text_table(["asked", "measured", ""], rows),
            "Studies of mnist-mlp. The store's part is what passes in its calls: the folder is "
            "made and read, parts, manifest and snapshots are written and flushed to the disk, and "
            "the weights and states of a snapshot are copied out of the devices. The devices train "
            "meanwhile, so a study loses less.",
            _studies(kept),
            f"The {runs:,} runs are made up: 20 optimizers, 30 epochs, "
            f"{-(-runs // 50):,} parts; medians of {len(read)} processes, smallest and largest in "
            "brackets, without starting Python and importing.",
            reporting.quietness([each.others for each in kept]),
            reporting.origin(),
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


def _met(whether: bool) -> str:
    return "met" if whether else "**not met**"


def main() -> int:
    """Measure, write, print; 2 for an error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10_000, help="of the large study")
    reporting.add_options(parser)
    options = reporting.parsed(parser, rounds=1, runs=400)
    os.environ.update(command.data_folder())
    kept, read = [], []
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
    figures = {"kept": [asdict(each) for each in kept], "read": read}
    reporting.publish(NAME, figures, text(kept, read, options.runs), options, heading=PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
