"""What is timed, and what is wanted: networks, batch sizes, populations and goals."""

from __future__ import annotations

from dataclasses import dataclass, field

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 0.001, 0.9, 0.999, 1e-7
"""Adam, on every side."""


@dataclass(frozen=True)
class Case:
    """One network at one batch size.

    ``runs``: fallline's population. ``goals``: by a peer's key, how many times faster than it
    fallline is to be; ``best``: than the fastest of all peers. ``check_steps``: steps after which
    all sides must have come to the same loss, within ``same_loss`` of it.
    """

    name: str
    title: str
    benchmark: int
    network: str
    batch_size: int
    runs: int
    goals: dict[str, float] = field(default_factory=dict)
    best: float = 1.0
    check_steps: int = 20
    same_loss: float = 0.02


def _mlp(batch_size: int, **goals: float) -> Case:
    title = f"MLP, batch {batch_size:,}"
    steps = 20 if batch_size < 60_000 else 2
    named = {name.replace("_", "-"): goal for name, goal in goals.items()}
    return Case(f"mlp-{batch_size}", title, 1, "mlp", batch_size, 16, named, check_steps=steps)


def _both(goal: float) -> dict[str, float]:
    return {"keras-tf": goal, "torch": goal}


CASES = {
    case.name: case
    for case in (
        _mlp(1, keras_tf=50),
        _mlp(8),
        _mlp(32, keras_tf=20, torch=8),
        _mlp(256),
        _mlp(60_000),
        Case(
            "cnn-64",
            "CNN of study B, batch 64",
            2,
            "cnn",
            64,
            8,
            _both(3),
            1.5,
            check_steps=8,
            same_loss=0.1,  # every side draws its own dropout
        ),
        Case("bn-cnn-250", "CNN of study D, batch 250", 3, "bn-cnn", 250, 4, _both(2.5), 1.5, 2),
        Case(
            "plain-cnn-250",
            "CNN of study D without BN, batch 250",
            3,
            "plain-cnn",
            250,
            4,
            _both(1.8),
            1.5,
            2,
        ),
        Case("lenet5-64", "LeNet-5, batch 64", 4, "lenet5", 64, 8, check_steps=8),
    )
}
