"""The parts of the tasks' page that hold formulas: activations, losses, what Huber's delta does."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from fallline import activations, losses, models
from fallline.data.variants import SETTINGS
from writing import code, table

RESIDUALS = (0.1, 0.5, 1.0, 2.0, 10.0)
DELTAS = (0.1, 1.0, 5.0, 100.0)
SAMPLE = (1.0, 2.0, 3.0, 4.0, 100.0)


def changes_part() -> str:
    """How a built-in task is changed, and the settings of its data."""
    example = """```python
from fallline import tasks

task = tasks.varied(
    "mnist-mlp",
    model={"hidden": [75, 75], "activation": "prelu"},
    data={"validation": "test", "train_rows": 10_000},
    l2=0.001,
)
```"""
    words = (
        "`model` takes the fields of the task's network: of `MLP` `hidden`, `activation`, "
        "`output_activation` and `initial`, of `ConvNet` `convolutions`, `dense`, `padding`, "
        "`activation`, `batch_norm`, `pool_dropout` and `dense_dropout`; `initial` is one of "
        f"{', '.join(models.INITIALS)}. `data` takes:"
    )
    rows = ((code(name), meaning) for name, meaning in SETTINGS.items())
    ends = (
        "Where a data set has test files of its own, `test` is a share or a count of their rows. "
        'What is chosen on `validation = "test"` has seen the test: it is there to repeat what '
        "was published that way."
    )
    title = "## A task with some of it changed"
    return "\n\n".join((title, example, words, table(("data", "takes"), rows), ends))


def activations_part() -> str:
    """Every activation with its derivative, and what holds where there is none."""
    rows = (
        (code(_written(each)), code(each.equation), code(each.derivative_equation), each.note)
        for each in map(activations.get, activations.names())
    )
    columns = ("name", "f(z)", "derivative", "")
    return f"## Activations\n\n{table(columns, rows)}"


def _written(each: activations.Activation) -> str:
    return f"{each.name}, {each.name}({each.parameter})" if each.parameter else each.name


def losses_part() -> str:
    """Every loss, from the network's raw outputs z."""
    rows = (
        (code(each.name), each.kind, code(each.equation))
        for each in map(losses.get, losses.names())
    )
    words = (
        "Of the network's raw outputs z and the targets y; the loss of a batch is the mean over "
        "its examples, and over the outputs where there are several. Cross-entropies are computed "
        "from logits in their stable forms: no exponential of a large number, no logarithm of a "
        "small probability."
    )
    return f"## Losses\n\n{words}\n\n{table(('name', 'for', 'of one example'), rows)}"


def huber_part() -> str:
    """Loss and slope of residuals under some deltas, and what an outlier does to a fit."""
    words = (
        "`huber(0.5)` has delta = 0.5, `huber` delta = 1. Residuals up to delta count by their "
        "square, those beyond it by their size, and no example pulls harder than delta: a small "
        "delta approaches delta times the absolute error, a large one half the squared error. "
        "Below are loss and slope of a residual r, and at last the constant that fits "
        f"{', '.join(f'{value:g}' for value in SAMPLE)} best: an outlier moves it the more the "
        "larger delta is, from the median to the mean."
    )
    columns = ["r:", *(f"huber({delta:g}):" for delta in DELTAS), "mae:", "mse:"]
    names = [*(f"huber({delta})" for delta in DELTAS), "mae", "mse"]
    rows = [[f"{r:g}", *(_loss_and_slope(name, r) for name in names)] for r in RESIDUALS]
    rows.append(["best constant", *(f"{best_constant(name):.4g}" for name in names)])
    return f"## What Huber's delta does\n\n{words}\n\n{table(columns, rows)}"


def _loss_and_slope(name: str, r: float) -> str:
    return f"{_loss(name, r):.4g}, {_slope(name, r):.3g}"


def _loss(name: str, r: float) -> float:
    return float(losses.get(name).per_example(jnp.asarray([[r]]), jnp.zeros(1))[0])


def _slope(name: str, r: float) -> float:
    """By the closed form: the derivative by r."""
    base, _, delta = name.partition("(")
    if base == "huber":
        return float(np.clip(r, -float(delta[:-1]), float(delta[:-1])))
    return float(np.sign(r)) if base == "mae" else 2 * r


def best_constant(name: str) -> float:
    """The constant with the least loss on SAMPLE, where its slopes sum to 0: by bisection."""
    low, high = min(SAMPLE), max(SAMPLE)
    for _ in range(100):
        middle = (low + high) / 2
        pull = sum(_slope(name, middle - value) for value in SAMPLE)
        low, high = (low, middle) if pull > 0 else (middle, high)
    return (low + high) / 2
