"""The peer Optuna with torch: a grid of optimizers, learning rates and seeds, as a study.

One process trains one trial after the other; several, pinned to a core each, share the trials by
a journal on the disk. Prints what it took as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import optuna
import torch
from torch import nn

import peer
import peer_torch
from peer import Data, Training

MAKERS = {
    "sgd": lambda weights, rate: torch.optim.SGD(weights, rate),
    "momentum": lambda weights, rate: torch.optim.SGD(weights, rate, momentum=0.9),
    "nesterov": lambda weights, rate: torch.optim.SGD(weights, rate, 0.9, nesterov=True),
    "adagrad": lambda weights, rate: torch.optim.Adagrad(
        weights, rate, initial_accumulator_value=0.1, eps=1e-7
    ),
    "rmsprop": lambda weights, rate: torch.optim.RMSprop(weights, rate, alpha=0.9, eps=1e-7),
    "adam": lambda weights, rate: torch.optim.Adam(weights, rate),
}
BATCH_SIZE = 32


def objective(trial: optuna.Trial, data: Data, asked: argparse.Namespace) -> float:
    """The validation accuracy after the last epoch; every epoch's is reported to the trial."""
    name = trial.suggest_categorical("optimizer", list(asked.rates))
    factor = trial.suggest_categorical("factor", asked.factors)
    seed = trial.suggest_categorical("seed", asked.seeds)
    torch.manual_seed(seed)
    training = Training(
        name, asked.rates[name] * factor, seed, asked.epochs, BATCH_SIZE, asked.form
    )
    batches, validation = peer_torch.batches_of(data, training)
    model, loss_fn = peer_torch.network(), nn.CrossEntropyLoss()
    optimizer = MAKERS[name](model.parameters(), training.learning_rate)
    accuracy = float("nan")
    for epoch in range(asked.epochs):
        peer_torch.train_epoch(batches, model, loss_fn, optimizer)
        _, accuracy = peer_torch.validate(validation, model, loss_fn)
        trial.report(accuracy, epoch)
    return accuracy


def study_of(asked: argparse.Namespace) -> optuna.Study:
    """A study over the whole grid, in memory or, where several processes share it, on the disk."""
    space = {"optimizer": list(asked.rates), "factor": asked.factors, "seed": asked.seeds}
    storage = None
    if asked.journal:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        storage = JournalStorage(JournalFileBackend(str(asked.journal)))
    return optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.GridSampler(space, seed=0),
        storage=storage,
        study_name="mnist-mlp",
        load_if_exists=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="the .npz file with the splits")
    parser.add_argument(
        "--rates", type=json.loads, required=True, help="JSON: a rate per optimizer"
    )
    parser.add_argument("--factors", type=json.loads, default=[1.0], help="JSON: of those rates")
    parser.add_argument("--seeds", type=json.loads, default=[0], help="JSON")
    parser.add_argument("--trials", type=int, required=True, help="of this process")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--form", choices=("documented", "indexed"), default="documented")
    parser.add_argument("--threads", type=int, default=0, help="0: as the library decides")
    parser.add_argument("--journal", type=Path, help="shared by several processes")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = peer.read(asked.data)
    study = study_of(asked)
    began = time.monotonic()
    study.optimize(lambda trial: objective(trial, data, asked), n_trials=asked.trials)
    ended = time.monotonic()
    # The journal also holds trials that the other processes have begun.
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    answer = {
        "versions": {"torch": torch.__version__, "optuna": optuna.__version__},
        "began": began,
        "ended": ended,
        "trials": [{**trial.params, "accuracy": trial.value} for trial in complete],
        "best": study.best_params,
    }
    print(json.dumps(answer, default=str))


if __name__ == "__main__":
    main()
