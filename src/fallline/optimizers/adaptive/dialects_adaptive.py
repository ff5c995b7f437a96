"""How papers, torch, Keras and Optax have Adagrad, Adadelta and RMSprop."""

from __future__ import annotations

from dataclasses import replace

from fallline.optimizers.dialects import Dialect, Fixed

_OUTSIDE = {"epsilon_place": "outside"}

ADAGRAD = (
    Dialect(
        framework="paper",
        defaults={"initial_accumulator": 0.0},
        options=_OUTSIDE,
        form="θ ← θ - α g / (δ + √s), s starts at 0; the paper leaves δ open, so ε stays as it is",
    ),
    Dialect(
        framework="torch",
        call="torch.optim.Adagrad",
        arguments={
            "lr": "learning_rate",
            "initial_accumulator_value": "initial_accumulator",
            "eps": "epsilon",
        },
        defaults={"initial_accumulator": 0.0, "epsilon": 1e-10},
        options=_OUTSIDE,
        form="θ ← θ - α g / (√s + ε), s starts at 0: the first step has length α everywhere",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Adagrad",
        arguments={
            "learning_rate": "learning_rate",
            "initial_accumulator_value": "initial_accumulator",
            "epsilon": "epsilon",
        },
        defaults={"learning_rate": 1e-3},
        form="θ ← θ - α g / √(s + ε), s starts at 0.1",
    ),
    Dialect(
        framework="optax",
        call="optax.adagrad",
        arguments={
            "learning_rate": "learning_rate",
            "initial_accumulator_value": "initial_accumulator",
            "eps": "epsilon",
        },
        form="θ ← θ - α g / √(s + ε), s starts at 0.1, as Keras",
    ),
)

ADADELTA = (
    Dialect(
        framework="paper",
        defaults={"epsilon": 1e-6},
        form="no learning rate: α = 1; ρ = 0.95, ε = 1e-6 in its experiments, ε under both roots",
    ),
    Dialect(
        framework="torch",
        call="torch.optim.Adadelta",
        arguments={"lr": "learning_rate", "rho": "rho", "eps": "epsilon"},
        defaults={"rho": 0.9, "epsilon": 1e-6},
        form="the paper's, times α = 1",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Adadelta",
        arguments={"learning_rate": "learning_rate", "rho": "rho", "epsilon": "epsilon"},
        defaults={"learning_rate": 1e-3},
        form="the paper's, times α = 0.001, which hardly moves",
    ),
    Dialect(
        framework="optax",
        call="optax.adadelta",
        arguments={"learning_rate": "learning_rate", "rho": "rho", "eps": "epsilon"},
        defaults={"rho": 0.9, "epsilon": 1e-6},
        form="the paper's, times α, which must be given",
    ),
)


def _with_momentum(dialect: Dialect) -> tuple[Dialect, Dialect]:
    """``dialect``, and itself with the argument ``momentum``."""
    return dialect, replace(
        dialect,
        arguments={**dialect.arguments, "momentum": "momentum"},
        options={**dialect.options, "with_momentum": True},
    )


_OPTAX_RMSPROP = Dialect(
    framework="optax",
    call="optax.rmsprop",
    arguments={
        "learning_rate": "learning_rate",
        "decay": "rho",
        "eps": "epsilon",
        "centered": "centered",
    },
    defaults={"epsilon": 1e-8},
    options={"velocity": "of_steps"},
    form=(
        "ε under the root unless eps_in_sqrt=False; momentum gathers steps, α in them; "
        "initial_scale (0) and bias_correction (False) are left at their defaults"
    ),
)

RMSPROP = (
    Dialect(
        framework="paper",
        form="s ← 0.9 s + 0.1 g², θ ← θ - α g / √s; the lecture has no ε, so ours stays as it is",
    ),
    *_with_momentum(
        Dialect(
            framework="torch",
            call="torch.optim.RMSprop",
            arguments={
                "lr": "learning_rate",
                "alpha": "rho",
                "eps": "epsilon",
                "centered": "centered",
            },
            defaults={"learning_rate": 1e-2, "rho": 0.99, "epsilon": 1e-8},
            options=_OUTSIDE,
            form="g / (√s + ε), ε beside the root, ρ called alpha; momentum gathers these",
        )
    ),
    *_with_momentum(
        Dialect(
            framework="keras",
            call="keras.optimizers.RMSprop",
            arguments={
                "learning_rate": "learning_rate",
                "rho": "rho",
                "epsilon": "epsilon",
                "centered": "centered",
            },
            options={"velocity": "of_steps"},
            form="g / √(s + ε), ε under the root; momentum gathers steps, α in them",
        )
    ),
    *_with_momentum(_OPTAX_RMSPROP),
    *_with_momentum(
        replace(
            _OPTAX_RMSPROP,
            arguments={**_OPTAX_RMSPROP.arguments, "eps_in_sqrt": Fixed(False)},
            options={**_OPTAX_RMSPROP.options, **_OUTSIDE},
        )
    ),
)
