"""The peer Keras on TensorFlow: one ``compile`` and ``fit`` after the other, as documented."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

from peer import Data, Training, serve

OPTIMIZERS = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}


def network() -> keras.Model:
    """MLP 784-128-10 with ReLU: Keras's own Glorot-uniform weights, zero biases, raw outputs."""
    return keras.Sequential(
        [
            keras.layers.Input((784,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def train(data: Data, training: Training) -> float:
    """One training; gives the validation accuracy after its last epoch."""
    # What Keras advises where many models are made in a loop: the global state would grow.
    keras.backend.clear_session()
    keras.utils.set_random_seed(training.seed)
    model = network()
    model.compile(
        optimizer=OPTIMIZERS[training.optimizer](learning_rate=training.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        data.train_x,
        data.train_y,
        batch_size=training.batch_size,
        epochs=training.epochs,
        validation_data=(data.validation_x, data.validation_y),
        verbose=0,
    )
    return float(history.history["val_accuracy"][-1])


def set_threads(threads: int) -> None:
    """Use so many threads within an operation, and run one operation at a time."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    version = f"{keras.__version__} on tensorflow {tf.__version__}"
    serve("keras", version, ("documented",), train, set_threads)
