"""Faults that really happen to real studies, each judged beside a study that nothing happened to.

    python benchmarks/faults.py [KIND ...] [--kills 50] [--seed 0] [--json FILE]

All kinds together are kept for docs/reliability.md, in ``--json``.

Every study is the same one (digits-mlp, 18 runs), trained by fallline's command line in processes
of their own. It is killed, starved, damaged or moved, gone on with by the same command, and must
then be the uninterrupted one: every figure of every run to the bit, no run lost, none stored
twice, nothing left over, the same verdict and the same table. Exit code 1 if one is not.

What is drawn at random is the same for a seed; what a process has come to at a moment is not. It
runs on Linux; as the superuser it mounts a small disk and becomes another user.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import faults_folder
import faults_kills
import faults_process
import faults_system
import reporting
from faults_judge import Expected
from faults_process import Order, Process
from faults_trial import ASKED, Bench, Record, Scenario

KILLS = 50
RESULTS = Path(__file__).parent / "results" / "faults.json"
SCENARIOS: dict[str, Scenario] = {
    "kills": faults_kills.at_random,
    "points": faults_kills.at_points,
    "mending": faults_kills.while_mending,
    "five": faults_kills.five_times,
    "signals": faults_kills.stopped,
    "disk": faults_system.full_disk,
    "read-only": faults_system.read_only,
    "memory": faults_system.memory,
    "device": faults_system.device,
    "clock": faults_system.clock,
    "two": faults_system.two_processes,
    "parts": faults_folder.parts,
    "manifest": faults_folder.manifests,
    "documents": faults_folder.documents,
    "elsewhere": faults_folder.elsewhere,
    "reading": faults_folder.read_while_written,
}
"""What is done to studies, by its name on the command line."""


def prepared(place: Path, seed: int, kills: int) -> Bench:
    """The uninterrupted study, trained twice: the first time compiles, the second is measured."""
    place.chmod(0o755)  # for a process that runs as somebody else
    whole = place / "whole"
    for folder in (place / "compiled", whole):
        order = Order(
            (*ASKED, "--out", str(folder)),
            folder.with_suffix(".err"),
            folder.with_suffix(".acknowledged"),
        )
        process = Process(order)
        process.until((folder / "states.safetensors").is_file)
        until_training = time.monotonic() - process.began
        if code := process.wait():
            raise RuntimeError(f"the undisturbed study ended with {code}\n{process.said}")
        seconds = time.monotonic() - process.began
    expected = Expected.of(whole)
    if Expected.of(place / "compiled") != expected:
        raise RuntimeError("two undisturbed studies differ")
    return Bench(place, expected, whole, seed, kills, seconds - until_training, seconds)


def carried_out(name: str, bench: Bench) -> Iterator[Record]:
    """The records of a scenario; where it breaks, that is one."""
    try:
        yield from SCENARIOS[name](bench)
    except Exception as error:
        wrong = f"the scenario broke: {type(error).__name__}: {error}"
        yield Record(name, "", 0, 0, wrong=[wrong])


def verdict(records: list[Record]) -> dict[str, object]:
    """All of it in one record."""
    sums = {
        name: sum(getattr(each, name) for each in records)
        for name in ("injected", "survived", "lost", "doubled", "seconds")
    }
    sums["seconds"] = round(sums["seconds"], 1)
    return {
        "verdict": "all survived" if all(each.passed for each in records) else "not all survived",
        **sums,
        "failed": [f"{each.kind}: {each.what}" for each in records if not each.passed],
    }


def _line(record: Record) -> str:
    counts = (record.injected, record.survived, record.lost, record.doubled)
    numbers = " ".join(f"{count:8}" for count in counts)
    return f"{record.kind:27} {record.what:48.48} {numbers} {record.seconds:8.1f}"


def main() -> None:
    """Carry out the kinds that are named, by default all."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(SCENARIOS))
    line.add_argument("--kills", type=int, default=KILLS, help="at random moments")
    line.add_argument("--seed", type=int, default=0)
    line.add_argument("--json", type=Path, default=RESULTS, help="a file for the records")
    asked = line.parse_args()
    if wrong := set(asked.kinds) - set(SCENARIOS):
        line.error(f"no kind {', '.join(sorted(wrong))}; there are {', '.join(SCENARIOS)}")
    place = Path(tempfile.mkdtemp(prefix="fallline-faults-"))
    os.environ.setdefault("FALLLINE_CACHE", str(place / "cache"))
    faults_process.preload()
    kept: list[tuple[str, Record]] = []
    try:
        bench = prepared(place, asked.seed, asked.kills)
        seconds = f"{bench.whole_seconds:.1f} s, {bench.training_seconds:.1f} s of it training"
        print(f"the undisturbed study: {len(bench.expected.runs)} runs, {seconds}\n")
        heads = " ".join(f"{head:>8}" for head in ("injected", "survived", "lost", "doubled"))
        print(f"{'kind':27} {'what':48} {heads} {'seconds':>8}")
        for name in asked.kinds or SCENARIOS:
            for record in carried_out(name, bench):
                kept.append((name, record))
                print(_line(record), flush=True)
                for text in record.wrong:
                    print(f"    WRONG {text}", flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    summary = verdict([record for _, record in kept])
    print(f"\n{summary['verdict']}: {summary['injected']} faults, {summary['survived']} survived")
    if not asked.kinds or asked.json != RESULTS:
        records = [{"scenario": name, **record.as_json()} for name, record in kept]
        everything = {
            "records": records,
            "seed": asked.seed,
            "origin": reporting.origin(),
            **summary,
        }
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(everything, indent=2, ensure_ascii=False) + "\n")
    sys.exit(summary["verdict"] != "all survived")


if __name__ == "__main__":
    main()
