"""Keras as a side of the step benchmarks: ``compile`` and ``fit``, on TensorFlow or on JAX."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np

import cases
import networks
import stepping
from stepping import Job

FORMS = ("tensorflow", "jax")


def network(job: Job) -> Any:
    """The job's network with its initial weights."""
    import keras

    model = keras.Sequential([keras.layers.Input(job.inputs().shape[1:])])
    image = not networks.is_flat(job.layers)
    for layer in job.layers:
        if image and isinstance(layer, networks.Dense):
            model.add(keras.layers.Flatten())
            image = False
        model.add(_layer(layer))
    weighted = [layer for layer in model.layers if hasattr(layer, "kernel")]
    for layer, kernel in zip(weighted, job.kernels, strict=True):
        layer.set_weights([kernel, np.zeros(kernel.shape[-1], np.float32)])
    return model


def _layer(layer: networks.Layer) -> Any:
    from keras import layers

    match layer:
        case networks.Conv(features, size):
            return layers.Conv2D(features, size, activation="relu")
        case networks.Dense(units, relu):
            return layers.Dense(units, activation="relu" if relu else None)
        case networks.Pool():
            return layers.MaxPooling2D()
        case networks.Dropout(rate):
            return layers.Dropout(rate)
        case networks.BatchNorm():
            return layers.BatchNormalization(momentum=networks.MOMENTUM, epsilon=networks.EPSILON)


class Keras:
    """A compiled model; every training is one call of ``fit``, silent, without validation."""

    def __init__(self, job: Job) -> None:
        import keras

        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        self.job = job
        self.model = network(job)
        self.model.compile(
            optimizer=keras.optimizers.Adam(
                cases.LEARNING_RATE, cases.BETA_1, cases.BETA_2, cases.EPSILON
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        self.asked: tuple[int, Any, Any] = (0, None, None)

    def ready(self, epochs: int, steps: int) -> Callable[[], int]:
        if self.asked[0] != steps:
            rows = self.job.order[: steps * self.job.batch_size]
            self.asked = (steps, self.job.inputs()[rows], self.job.y[rows])
        _, x, y = self.asked

        def train() -> int:
            # The examples lie in the common order already.
            size = self.job.batch_size
            self.model.fit(x, y, batch_size=size, epochs=epochs, shuffle=False, verbose=0)
            return epochs * steps

        return train

    def outputs(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict_on_batch(x))

    def details(self) -> dict[str, Any]:
        return {"jit": bool(self.model.jit_compile)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--form", choices=FORMS, default=FORMS[0])
    parser.add_argument("--threads", type=int, default=0, help="0: as the library decides")
    asked = parser.parse_args()
    os.environ["KERAS_BACKEND"] = asked.form
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if asked.threads and asked.form == "jax":
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    import keras

    if asked.form == "tensorflow":
        import tensorflow as tf

        version = tf.__version__
        if asked.threads:
            tf.config.threading.set_intra_op_parallelism_threads(asked.threads)
            tf.config.threading.set_inter_op_parallelism_threads(asked.threads)
    else:
        import jax

        version = jax.__version__
    stepping.serve(f"keras on {asked.form}", f"{keras.__version__} on {version}", Keras)


if __name__ == "__main__":
    main()
