"""The peers: which there are, and a few trainings of one of them, timed in its own process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import BenchmarkError
from machine import watched


@dataclass(frozen=True)
class Peer:
    """A way of training without fallline.

    ``form`` is one that its script offers. ``threads``: 0 leaves them to the library. ``goal``:
    how many times faster fallline is to be, None where there is no goal.
    """

    title: str
    script: str
    form: str = "documented"
    threads: int = 0
    goal: float | None = None


PEERS = {
    "torch": Peer("torch, as documented", "peer_torch.py", goal=5),
    "torch-indexed": Peer("torch, batches by index", "peer_torch.py", "indexed"),
    "keras": Peer("Keras on TensorFlow, as documented", "peer_keras.py", goal=10),
}


@dataclass(frozen=True)
class PeerRound:
    """What a peer measured in one round; ``others``: cores that other processes took meanwhile.

    Each of ``runs`` has the fields of ``peer.Measured``.
    """

    library: str
    version: str
    runs: list[dict[str, Any]]
    others: float | None

    def values(self, figure: str, optimizer: str) -> list[float]:
        return [run[figure] for run in self.runs if run["optimizer"] == optimizer]

    def scaled(self, runs: Mapping[str, int]) -> float:
        """Seconds for so many runs of each optimizer, one after the other."""
        means = {name: self.values("seconds", name) for name in runs}
        return sum(count * sum(means[name]) / len(means[name]) for name, count in runs.items())


def check(python: Path) -> None:
    """Raise unless there is an environment for the peers."""
    if not python.exists():
        raise BenchmarkError(
            f"there is no {python}; make the peers' environment with 'make bench', or name "
            "another one's python with --peers-python"
        )


def measure(
    peer: Peer,
    python: Path,
    data: Path,
    *,
    rates: Mapping[str, float],
    runs: int,
    first_seed: int,
    epochs: int,
    batch_size: int,
) -> PeerRound:
    """``runs`` trainings of each optimizer, at its learning rate of ``rates``."""
    line = [str(python), str(Path(__file__).with_name(peer.script)), "--data", str(data)]
    line += ["--optimizers", ",".join(f"{name}={rate}" for name, rate in rates.items())]
    line += ["--runs", str(runs), "--first-seed", str(first_seed), "--epochs", str(epochs)]
    line += ["--batch-size", str(batch_size), "--form", peer.form, "--threads", str(peer.threads)]
    with watched() as watch:
        process = subprocess.run(line, capture_output=True, text=True)
    if process.returncode:
        raise BenchmarkError(
            f"{' '.join(line)}\nended with {process.returncode}:\n{process.stderr}"
        )
    answer = json.loads(process.stdout.splitlines()[-1])
    return PeerRound(answer["library"], answer["version"], answer["runs"], watch.others)
