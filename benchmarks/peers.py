"""The peers: which there are, and a few trainings of one of them, timed in its own process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import ROOT, BenchmarkError
from machine import watched

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
"""Of the environment with benchmarks/requirements.txt."""


@dataclass(frozen=True)
class Peer:
    """A way of training without fallline.

    ``form`` is one that its script offers. ``threads``: 0 leaves them to the library. ``goal``:
    how many times faster fallline is to be, None where there is no goal (or where the goals are
    those of ``cases.py``). ``pinned``: a process on each core, with a thread each. ``longer``: how
    many times longer than others it trains, where a training costs something of its own.
    """

    title: str
    script: str
    form: str = "documented"
    threads: int = 0
    goal: float | None = None
    pinned: bool = False
    longer: float = 1.0


PEERS = {
    "torch": Peer("torch, as documented", "peer_torch.py", goal=5),
    "torch-indexed": Peer("torch, batches by index", "peer_torch.py", "indexed"),
    "keras": Peer("Keras on TensorFlow, as documented", "peer_keras.py", goal=10),
}
"""For trainings from the making of a network to its last validation."""


def _pinned(title: str, script: str, form: str) -> Peer:
    longer = 1.5 if "keras" in script else 1.0
    name = f"{title}, a pinned process per core"
    return Peer(name, script, form, threads=1, pinned=True, longer=longer)


STEP_PEERS = {
    "keras-tf": Peer(
        "Keras on TensorFlow, as documented", "steps_keras.py", "tensorflow", longer=2
    ),
    "keras-jax": Peer("Keras on JAX, as documented", "steps_keras.py", "jax", longer=1.5),
    "torch": Peer("torch, as documented", "steps_torch.py"),
    "torch-indexed": Peer("torch, batches by index, fused Adam", "steps_torch.py", "indexed"),
    "torch-compile": Peer("torch.compile, as documented", "steps_torch.py", "compiled"),
    "jax": Peer("JAX, Flax, Optax, as documented", "steps_jax.py"),
    "jax-scan": Peer("JAX, Flax, Optax, a scan over an epoch", "steps_jax.py", "scan"),
    "keras-tf-pinned": _pinned("Keras on TensorFlow", "steps_keras.py", "tensorflow"),
    "keras-jax-pinned": _pinned("Keras on JAX", "steps_keras.py", "jax"),
    "torch-pinned": _pinned("torch, by index, fused", "steps_torch.py", "indexed"),
    "torch-compile-pinned": _pinned(
        "torch.compile, by index", "steps_torch.py", "compiled-indexed"
    ),
    "jax-pinned": _pinned("JAX, jitted step", "steps_jax.py", "jitted"),
    "jax-scan-pinned": _pinned("JAX, a scan", "steps_jax.py", "scan"),
}
"""For steps alone, in processes that wait for their turn."""


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
