"""Runs the optimizers' tests and keeps what they found: docs/optimizers/proofs.json.

``python docs/proofs.py`` (``make proofs``) ends with pytest's exit code where a test fails, and
writes nothing then. Differences are rounded up to a digit and a power of ten, so that the file
changes only where a proof does.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "docs" / "optimizers" / "proofs.json"
TESTS = "tests/optimizers"


def run(report: Path, more: list[str]) -> int:
    """pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-n", "2", TESTS, "-k", "not test_contract"]
    return subprocess.run([*command, f"--junitxml={report}", *more], cwd=ROOT).returncode


def read(report: Path) -> dict[str, list[list[object]]]:
    """The proofs of a report: for each entry what it was compared with, difference, allowed."""
    found: dict[str, set[tuple[str, float, float]]] = {}
    for each in ElementTree.parse(report).iter("property"):
        if each.get("name") == "proof":
            name, against, error, allowed = str(each.get("value")).split("|")
            rounded = min(rounded_up(float(error)), float(allowed))
            found.setdefault(name, set()).add((against, rounded, float(allowed)))
    return {name: [list(each) for each in sorted(held)] for name, held in sorted(found.items())}


def rounded_up(error: float) -> float:
    """To a power of ten, and no smaller than float64's own rounding."""
    if error <= 1e-15:
        return 1e-15
    return float(f"1e{math.ceil(math.log10(error))}")


def main(arguments: list[str]) -> int:
    """Run, read, keep."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = run(report, arguments)
        if code != 0:
            return code
        proofs = read(report)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(held)}" for name, held in proofs.items())
    KEPT.write_text(f'{{"proofs": {{\n{lines}\n}}}}\n', encoding="utf-8")
    print(f"{sum(map(len, proofs.values()))} proofs of {len(proofs)} entries: {KEPT.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
