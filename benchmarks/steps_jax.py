"""JAX with Flax and Optax as a side of the step benchmarks, one run at a time.

``documented``: the loop of Flax's tutorials: an NNX model, ``nnx.jit`` around a step with metrics,
batches from NumPy arrays. ``jitted``: the loop written for speed: pure functions, state donated,
data on the device. ``scan``: a ``lax.scan`` over the steps of an epoch, in one compiled call.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import cases
import networks
import stepping
from stepping import Job

FORMS = ("documented", "jitted", "scan")


class Network(nnx.Module):
    """A network of ``networks.py``."""

    def __init__(self, layers: tuple[networks.Layer, ...], rngs: nnx.Rngs) -> None:
        shapes = networks.shaped(layers)
        self.parts = nnx.List([_part(each, rngs) for each in shapes])
        self.kinds = tuple(each.layer for each in shapes)

    def __call__(self, x: jax.Array) -> jax.Array:
        for kind, part in zip(self.kinds, self.parts, strict=True):
            if isinstance(kind, networks.Pool):
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
                continue
            if isinstance(kind, networks.Dense):
                x = x.reshape(len(x), -1)
            x = part(x)
            if isinstance(kind, networks.Conv) or getattr(kind, "relu", False):
                x = nnx.relu(x)
        return x


class Nothing(nnx.Module):
    """Stands where a layer has no module."""


def _part(each: networks.Shaped, rngs: nnx.Rngs) -> nnx.Module:
    match each.layer:
        case networks.Conv(features, size):
            size2 = (size, size)
            return nnx.Conv(each.before[-1], features, size2, padding="VALID", rngs=rngs)
        case networks.Dense(units, _):
            return nnx.Linear(each.before[0], units, rngs=rngs)
        case networks.Dropout(rate):
            return nnx.Dropout(rate, rngs=rngs)
        case networks.BatchNorm():
            return nnx.BatchNorm(
                each.after[-1],
                momentum=networks.MOMENTUM,
                epsilon=networks.EPSILON,
                rngs=rngs,
            )
    return Nothing()


def network(job: Job) -> Network:
    """The job's network with its initial weights."""
    model = Network(job.layers, nnx.Rngs(0))
    weighted = [part for part in model.parts if isinstance(part, nnx.Conv | nnx.Linear)]
    for part, kernel in zip(weighted, job.kernels, strict=True):
        part.kernel[...] = jnp.asarray(kernel)
        part.bias[...] = jnp.zeros_like(part.bias[...])
    return model


def adam() -> optax.GradientTransformation:
    return optax.adam(cases.LEARNING_RATE, cases.BETA_1, cases.BETA_2, cases.EPSILON)


def mean_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@nnx.jit
def train_step(
    model: Network, optimizer: nnx.Optimizer, metrics: nnx.MultiMetric, x: Any, y: Any
) -> None:
    """One step, as the tutorials have it."""

    def loss_fn(model: Network) -> tuple[jax.Array, jax.Array]:
        logits = model(x)
        return mean_loss(logits, y), logits

    (loss, logits), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model)
    metrics.update(loss=loss, logits=logits, labels=y)
    optimizer.update(model, grads)


class Documented:
    """The loop of Flax's tutorials."""

    def __init__(self, job: Job) -> None:
        self.job, self.model = job, network(job)
        self.optimizer = nnx.Optimizer(self.model, adam(), wrt=nnx.Param)
        self.metrics = nnx.MultiMetric(
            accuracy=nnx.metrics.Accuracy(), loss=nnx.metrics.Average("loss")
        )

    def ready(self, epochs: int, steps: int) -> Callable[[], int]:
        x, y, batches = self.job.inputs(), self.job.y, self.job.batches(steps)

        def train() -> int:
            self.model.train()
            for _ in range(epochs):
                for rows in batches:
                    train_step(self.model, self.optimizer, self.metrics, x[rows], y[rows])
            jax.block_until_ready((nnx.state(self.model), nnx.state(self.metrics)))
            return epochs * steps

        return train

    def outputs(self, x: np.ndarray) -> np.ndarray:
        self.model.eval()
        return np.asarray(nnx.jit(lambda model, x: model(x))(self.model, x))

    def details(self) -> dict[str, Any]:
        return {"devices": len(jax.devices())}


class Functional:
    """Pure functions of (weights, everything else of the model, optimizer's state)."""

    def __init__(self, job: Job, scan: bool) -> None:
        self.job, self.scan = job, scan
        model = network(job)
        model.train()
        self.graph, params, rest = nnx.split(model, nnx.Param, ...)
        self.state = (params, rest, adam().init(params))
        self.x, self.y = jnp.asarray(job.inputs()), jnp.asarray(job.y)
        self.calls: dict[int, Any] = {}
        self.step = jax.jit(self._step, donate_argnums=0)

    def _step(self, state: Any, x: Any, y: Any, rows: Any) -> tuple[Any, jax.Array]:
        params, rest, moments = state

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            # The generators of dropout's random numbers count: they must be this trace's own.
            model = nnx.merge(self.graph, params, rest, copy=True)
            loss = mean_loss(model(x[rows]), y[rows])
            return loss, nnx.split(model, nnx.Param, ...)[2]

        (loss, rest), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        updates, moments = adam().update(grads, moments, params)
        return (optax.apply_updates(params, updates), rest, moments), loss

    def _epoch(self, state: Any, x: Any, y: Any, batches: Any) -> tuple[Any, jax.Array]:
        return jax.lax.scan(lambda state, rows: self._step(state, x, y, rows), state, batches)

    def ready(self, epochs: int, steps: int) -> Callable[[], int]:
        batches = jnp.asarray(self.job.batches(steps))
        each = list(batches)
        if self.scan and steps not in self.calls:
            compiled = jax.jit(self._epoch, donate_argnums=0)
            self.calls = {steps: compiled.lower(self.state, self.x, self.y, batches).compile()}

        def train() -> int:
            for _ in range(epochs):
                if self.scan:
                    self.state, _ = self.calls[steps](self.state, self.x, self.y, batches)
                else:
                    for rows in each:
                        self.state, _ = self.step(self.state, self.x, self.y, rows)
            jax.block_until_ready(self.state)
            return epochs * steps

        return train

    def outputs(self, x: np.ndarray) -> np.ndarray:
        model = nnx.merge(self.graph, *self.state[:2])
        model.eval()
        return np.asarray(nnx.jit(lambda model, x: model(x))(model, x))

    def details(self) -> dict[str, Any]:
        return {"devices": len(jax.devices())}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--form", choices=FORMS, default=FORMS[0])
    parser.add_argument("--threads", type=int, default=0, help="0: as the library decides")
    asked = parser.parse_args()
    if asked.threads:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

    def make(job: Job) -> stepping.Side:
        return (
            Documented(job) if asked.form == "documented" else Functional(job, asked.form == "scan")
        )

    version = f"{jax.__version__} with flax {flax.__version__} and optax {optax.__version__}"
    stepping.serve("jax", version, make)


if __name__ == "__main__":
    main()
