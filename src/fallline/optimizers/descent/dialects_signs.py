"""Steps of signs as their papers and frameworks have them."""

from __future__ import annotations

from fallline.optimizers.dialects import Dialect, Fixed

SIGNSGD = (
    Dialect(framework="paper", form="no weight decay but in the vote of many workers"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.SignSGD",
        arguments={"lr": "learning_rate", "momentum": Fixed(0.0)},
        form="as the paper; its argument weight_decay has no effect",
    ),
    Dialect(
        framework="optax",
        call="optax.sign_sgd",
        arguments={"learning_rate": "learning_rate"},
        form="as the paper, without weight decay",
    ),
)
SIGNUM = (
    Dialect(framework="paper", form="no weight decay but in the vote of many workers"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.SignSGD",
        arguments={"lr": "learning_rate", "momentum": "beta"},
        form="meant as the paper; its Lion with betas=(β, β) is Signum, with weight decay",
        differs="version 3.9 empties m before every step and so takes the steps of signSGD",
    ),
    Dialect(
        framework="optax",
        call="optax.signum",
        arguments={"learning_rate": "learning_rate", "beta": "beta"},
        form="as the paper, without weight decay",
    ),
)
LION = (
    Dialect(framework="paper", defaults={"learning_rate": 1e-4}, form="decay decoupled, times α"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.Lion",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "weight_decay": "weight_decay",
        },
        defaults={"learning_rate": 1e-4},
        form="as the paper",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Lion",
        arguments={
            "learning_rate": "learning_rate",
            "beta_1": "beta_1",
            "beta_2": "beta_2",
            "weight_decay": "weight_decay",
        },
        defaults={"learning_rate": 1e-3},
        form="as the paper; on TensorFlow β is rounded to float32",
    ),
    Dialect(
        framework="optax",
        call="optax.lion",
        arguments={
            "learning_rate": "learning_rate",
            "b1": "beta_1",
            "b2": "beta_2",
            "weight_decay": "weight_decay",
        },
        defaults={"weight_decay": 1e-3},
        form="as the paper",
    ),
)
CAUTIOUS_LION = (
    Dialect(
        framework="paper",
        defaults={"learning_rate": 1e-4, "beta_1": 0.95, "beta_2": 0.98},
        form="n / (k + 1) times what agrees; the defaults of its code",
    ),
    Dialect(
        framework="torch",
        call="timm.optim.Lion",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "weight_decay": "weight_decay",
            "caution": Fixed(True),
        },
        defaults={"learning_rate": 1e-4},
        options={"rescaled": "mean"},
        form="1 / max(k/n, 0.001); pytorch_optimizer's Lion with cautious=True has n / (k + 1)",
    ),
)
TIGER = (
    Dialect(
        framework="paper",
        defaults={"learning_rate": 1.76e-3},
        form="the author's code scales α by each matrix's size, and spares biases from decay",
        differs="α in proportion to the root mean square of each matrix, and no decay of biases",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.Tiger",
        arguments={"lr": "learning_rate", "beta": "beta", "weight_decay": "weight_decay"},
        form="every parameter alike",
    ),
)
DADAPT_LION = (
    Dialect(
        framework="paper",
        defaults={"learning_rate": 1.0},
        form="of the authors' code; the paper has SGD, Adagrad and Adam",
    ),
    Dialect(
        framework="torch",
        call="dadaptation.DAdaptLion",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "weight_decay": "weight_decay",
            "d0": "first_distance",
        },
        defaults={"learning_rate": 1.0},
        form="the authors' own",
    ),
)
