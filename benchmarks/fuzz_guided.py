"""The same readers, with inputs that are led by what code they reach: libFuzzer, by atheris.

    pip install -r benchmarks/requirements-guided.txt
    python benchmarks/fuzz_guided.py [READER ...] [--runs 100000] [--seed 1] [--json FILE]

It begins with the good inputs of a reader and goes on from those that reach a new branch of
fallline's Python code. ``fuzz_judging`` judges them as in ``fuzz.py``, and a failure ends neither
the reader's process nor the count. atheris lives in an environment of its own, beside fallline.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fuzz_folders
from fuzz import LARGEST, inputs, keep, row
from fuzz_judging import Outcome, judge
from fuzz_readers import READERS

DEFAULT = ("idx", "csv", "study")
RUNS = 100_000
DAMAGED_SEEDS = 200
"""Inputs that it begins with, besides the good ones."""
INSTRUMENTED = ("fallline",)
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")


def guided(name: str, runs: int, seed: int) -> tuple[Outcome, dict[str, int]]:
    """How the reader took its inputs, and the edges and features that they reached."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as at:
        place = Path(at)
        corpus = place / "corpus"
        corpus.mkdir()
        begin = itertools.islice(inputs(READERS[name], seed), DAMAGED_SEEDS)
        for number, data in enumerate(begin):
            (corpus / f"{number:05}").write_bytes(data)
        words = [word for word in READERS[name].words if 0 < len(word) < 60]
        lines = ('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words)
        (place / "words").write_text("".join(lines))
        command = [
            *(sys.executable, __file__, "--child", name, str(place / "outcome.json")),
            *(f"-runs={runs}", f"-seed={seed}", f"-max_len={LARGEST}", "-len_control=50"),
            *(f"-dict={place / 'words'}", "-rss_limit_mb=4096", "-timeout=120"),
            *(f"-artifact_prefix={place}/", "-print_final_stats=1", str(corpus)),
        ]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
        told = _told(place / "outcome.json")
        if done.returncode:
            told.failed.append(f"the process ended with {done.returncode}\n{done.stderr[-3000:]}")
        reached = _COVERAGE.findall(done.stderr)
        edges, features = map(int, reached[-1]) if reached else (0, 0)
        return told, {"edges": edges, "features": features}


def _told(file: Path) -> Outcome:
    return Outcome(**json.loads(file.read_text())) if file.is_file() else Outcome()


def _child(name: str, file: Path, options: list[str]) -> None:
    """Be the fuzzer for one reader; libFuzzer ends the process itself."""
    import atheris

    logging.getLogger("fallline").setLevel(logging.ERROR)
    fuzz_folders.SHOWN_OF = sys.maxsize  # what is led through the loader shall not wait for a table
    runs = int(next(each for each in options if each.startswith("-runs=")).partition("=")[2])
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        # What a reader imports it imports at its first input.
        reader = READERS[name]
        around = tempfile.mkdtemp(dir=os.path.dirname(file))
        folder = Path(around) / "own"
        folder.mkdir()
        for data in reader.seeds():
            judge(reader, data, folder, Outcome())
    outcome, began = Outcome(), time.process_time()

    def one(data: bytes) -> None:
        judge(reader, data, folder, outcome)
        if outcome.tried % 1000 == 0 or outcome.tried >= runs:
            outcome.seconds = time.process_time() - began
            file.write_text(json.dumps(vars(outcome)))

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def main() -> None:
    """Lead inputs for the readers that are named."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
        return
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    line.add_argument("--runs", type=int, default=RUNS, help="inputs per reader")
    line.add_argument("--seed", type=int, default=1)
    line.add_argument("--json", type=Path, help="put the figures into this file")
    asked = line.parse_args()
    if wrong := set(asked.readers) - set(READERS):
        line.error(f"no reader {', '.join(sorted(wrong))}; there are {', '.join(READERS)}")
    failed = False
    print("reader           inputs      read   refused    failed   seconds     edges")
    for name in asked.readers or DEFAULT:
        found, reached = guided(name, asked.runs, asked.seed)
        numbers = (found.tried, found.read, found.refused, len(found.failed), found.seconds)
        edges = f"{reached['edges']:9,}"
        print(f"{name:14} {'{:9,} {:9,} {:9,} {:9,} {:9.1f}'.format(*numbers)} {edges}", flush=True)
        for text in found.kinds:
            print(text, file=sys.stderr, flush=True)
        if asked.json:
            keep(asked.json, "guided", name, row(name, found, asked.seed, **reached))
        failed |= bool(found.failed)
    sys.exit(failed)


if __name__ == "__main__":
    main()
