"""Record after how many epochs Keras's EarlyStopping stops on fixed sequences of figures.

The callback itself is asked, epoch by epoch, with a model that only remembers to be stopped. It
needs Keras, not fallline:

    python tests/golden/record_early_stopping.py

and writes ``early_stopping.json`` beside itself: per case the figures, the settings, the epochs
that were trained, and the best epoch (from 1).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras

SEQUENCES: dict[str, list[float]] = {
    "shares that creep up": [
        *(0.9, 0.94, 0.95, 0.9501, 0.95005, 0.95015, 0.95018, 0.95019, 0.9502, 0.96, 0.9600),
        *(0.96, 0.96005, 0.96011, 0.96012, 0.96008, 0.96002),
    ],
    "shares that fall back": [0.5, 0.7, 0.65, 0.69, 0.71, 0.6, 0.7105, 0.70, 0.66, 0.64, 0.63],
    "a loss that levels off": [
        *(2.3, 1.1, 0.8, 0.79995, 0.7999, 0.79985, 0.7998, 0.7, 0.6999, 0.69985, 0.6998, 0.5),
    ],
    "a loss that turns": [1.0, 0.6, 0.5, 0.52, 0.49, 0.51, 0.55, 0.6, 0.7, 0.48, 0.4],
    "errors in units": [0.9, 0.8, 0.81, 0.79, 0.795, 0.7899, 0.78, 0.781, 0.782, 0.783, 0.784],
}
MONITORS = {
    "train_loss": ("loss", "min"),
    "train_metric": ("accuracy", "max"),
    "validation_loss": ("val_loss", "min"),
    "validation_metric": ("val_accuracy", "max"),
}


class Remembers:
    """What the callback needs of a model."""

    stop_training = False
    epochs = 0

    def get_weights(self) -> list[Any]:
        return [self.epochs]

    def set_weights(self, weights: list[Any]) -> None:
        self.best = weights[0]


def stopped(figures: list[float], monitor: str, mode: str, delta: float, patience: int) -> Any:
    """The model that was stopped, or trained to the end of ``figures``."""
    model = Remembers()
    callback = keras.callbacks.EarlyStopping(
        monitor=monitor,
        mode=mode,
        min_delta=delta,
        patience=patience,
        restore_best_weights=True,
    )
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, figure in enumerate(figures):
        model.epochs = epoch + 1
        callback.on_epoch_end(epoch, {monitor: figure})
        if model.stop_training:
            break
    callback.on_train_end()
    return model


def main() -> None:
    cases = []
    for name, figures in SEQUENCES.items():
        for ours, (theirs, mode) in MONITORS.items():
            for delta in (0.0, 1e-4, 0.015):
                for patience in (1, 3):
                    up = mode == "max"
                    model = stopped(figures, theirs, mode, delta, patience)
                    cases.append(
                        {
                            "sequence": name,
                            "monitor": ours,
                            "higher_is_better": up,
                            "min_delta": delta,
                            "patience": patience,
                            "epochs": model.epochs,
                            "best_epoch": model.best,
                        }
                    )
    record = {"keras": keras.__version__, "sequences": SEQUENCES, "cases": cases}
    path = Path(__file__).with_name("early_stopping.json")
    path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
