"""``fallline compare`` as a user runs it: a process of its own, timed from start to report."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine import watched

AFTER_SEARCH = ("widening", "final", "timing")
ROOT = Path(__file__).resolve().parents[1]


class BenchmarkError(Exception):
    """A side could not be measured; the text says why and how to mend it."""


@dataclass(frozen=True)
class Compared:
    """One ``fallline compare``: wall seconds of the whole process, and what the study holds.

    ``seconds``: interpreter's start to its end. ``compile`` and ``train`` are those of the study's
    own ``timing.toml``. ``search_seconds``: the whole less the phases after the search (grids
    widened, the winners on fresh seeds, the timing of steps); start, compilation and report stay
    in. ``others``: cores that other processes took meanwhile.
    """

    seconds: float
    others: float | None
    runs: int
    searched: int
    optimizers: int
    steps: int
    compile: float
    train: float
    search_seconds: float
    folder: Path


def compare(arguments: Sequence[str], *, cache: Path, out: Path) -> Compared:
    """Run ``fallline compare`` with compilations kept in ``cache``, the study in ``out``."""
    program = Path(sys.executable).with_name("fallline")
    if not program.exists():
        raise BenchmarkError(
            f"no program 'fallline' beside {sys.executable}; run 'make install', and start this "
            "script with the python of that environment"
        )
    line = [str(program), "compare", *arguments, "--out", str(out)]
    with watched() as watch:
        process = subprocess.run(line, env=environment(cache), capture_output=True, text=True)
    if process.returncode:
        raise BenchmarkError(
            f"{' '.join(line)}\nended with {process.returncode}:\n{process.stderr}"
        )
    return _read(out, watch.seconds, watch.others)


def cold_and_warm(arguments: Sequence[str], folder: Path) -> tuple[Compared, Compared]:
    """The command with an empty cache of compilations, and again with the one that it left.

    Each writes its study into a new folder under ``folder``.
    """
    cache = folder / "cache"
    cold = compare(arguments, cache=cache, out=folder / "cold")
    if not any(path.is_file() for path in cache.rglob("*")):
        raise BenchmarkError(f"the command left no compilations in {cache}: warm would be cold")
    return cold, compare(arguments, cache=cache, out=folder / "warm")


def search_figures(
    folder: Path, rates: Mapping[str, float], epoch: int = -1
) -> dict[str, list[float]]:
    """Validation figures of the search's runs at these learning rates, by optimizer.

    Those after the last epoch, or after ``epoch``, counted from 0.
    """
    from fallline.store.folder import StudyFolder

    found: dict[str, list[float]] = {name: [] for name in rates}
    for result in StudyFolder.open(folder).results():
        run = result.run
        if run.phase == "search" and run.hyperparameters.get("learning_rate") == rates.get(
            run.optimizer
        ):
            found[run.optimizer].append(float(result.curves.validation_metric[epoch]))
    for name, values in found.items():
        if not values:
            raise BenchmarkError(f"the study holds no run of {name} at {rates[name]}")
    return found


def environment(cache: Path) -> dict[str, str]:
    """The process's environment with nothing in it that decides compilations or their cache."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_", "XLA_", "FALLLINE_"))
    }
    return {**kept, "FALLLINE_CACHE": str(cache), **data_folder()}


def write_data(path: Path, data: str) -> None:
    """fallline's own training and validation splits of a data set, for the peers."""
    import numpy as np

    from fallline.data import builtin

    loaded = builtin.load(data)
    if loaded.validation is None:
        raise BenchmarkError(f"the data set {data} has no validation split")
    np.savez(
        path,
        train_x=loaded.train.x,
        train_y=loaded.train.y,
        validation_x=loaded.validation.x,
        validation_y=loaded.validation.y,
    )


def data_folder() -> dict[str, str]:
    """FALLLINE_DATA: as it is set, else the folder of data beside the repository."""
    beside = ROOT.parent / "shared" / "data"
    given = os.environ.get("FALLLINE_DATA") or (str(beside) if beside.is_dir() else "")
    return {"FALLLINE_DATA": given} if given else {}


def _read(out: Path, seconds: float, others: float | None) -> Compared:
    from fallline.store.folder import StudyFolder

    study = StudyFolder.open(out)
    results, timing = study.results(), study.timing
    if timing is None:
        raise BenchmarkError(f"the study in {out} is not complete")
    protocol = study.document.protocol
    points = sum(len(rates) for rates in protocol.learning_rates.values())
    return Compared(
        seconds=seconds,
        others=others,
        runs=len(results),
        optimizers=len(protocol.optimizers),
        searched=points * len(protocol.search_seeds),
        steps=sum(result.steps for result in results),
        compile=timing.compile,
        train=timing.train,
        search_seconds=seconds - sum(timing.phases.get(phase, 0.0) for phase in AFTER_SEARCH),
        folder=out,
    )
