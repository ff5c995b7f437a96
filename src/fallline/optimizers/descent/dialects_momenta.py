"""Descents with other momenta as their papers and frameworks have them."""

from __future__ import annotations

from dataclasses import replace

from fallline.optimizers.dialects import Dialect, Fixed


def _decaying(dialect: Dialect, *, decoupled: bool) -> tuple[Dialect, ...]:
    """``dialect`` without weight decay, and with each kind, its own default first."""
    found = [dialect]
    for kind in (decoupled, not decoupled):
        arguments = {**dialect.arguments, "weight_decay": "weight_decay"}
        if kind != decoupled:
            arguments["weight_decouple"] = Fixed(kind)
        options = {**dialect.options, "decay": "decoupled" if kind else "coupled"}
        found.append(replace(dialect, arguments=arguments, options=options))
    return tuple(found)


QHM = (
    Dialect(framework="paper", form="ν = 0.7 and μ = 0.999 recommended"),
    *_decaying(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.QHM",
            arguments={"lr": "learning_rate", "momentum": "momentum", "nu": "nu"},
            defaults={"learning_rate": 1e-3, "momentum": 0.0, "nu": 1.0},
            form="as the paper, but its defaults are plain gradient descent",
        ),
        decoupled=False,
    ),
)
AGGMO = (
    Dialect(
        framework="paper",
        form="velocities v ← β v - g, added; α may differ between them",
    ),
    *_decaying(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.AggMo",
            arguments={"lr": "learning_rate", "betas": ("beta_1", "beta_2", "beta_3")},
            defaults={"learning_rate": 1e-3},
            form="as the paper, for any number of betas",
        ),
        decoupled=False,
    ),
    *_decaying(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.AggMo",
            arguments={"lr": "learning_rate", "betas": Fixed((0.0, 0.9))},
            defaults={"learning_rate": 1e-3},
            options={"velocities": 2},
            form="betas as a pair",
        ),
        decoupled=False,
    ),
)
ACCSGD = (
    Dialect(framework="paper", form="the constant is 0.7 everywhere"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AccSGD",
        arguments={
            "lr": "learning_rate",
            "kappa": "kappa",
            "xi": "xi",
            "constant": "constant",
        },
        defaults={"learning_rate": 1e-3},
        form="as the paper",
    ),
)
PNM = (
    Dialect(framework="paper", form="β₀ = 1, β₁ = 0.9"),
    *_decaying(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.PNM",
            arguments={"lr": "learning_rate", "betas": ("beta_1", "beta_0")},
            defaults={"learning_rate": 1e-3},
            form="as the paper; betas are (β₁, β₀)",
        ),
        decoupled=True,
    ),
)
PID = (
    Dialect(
        framework="paper",
        form="the learning rate scales what enters the integral; no gain of the integral",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.PID",
        arguments={
            "lr": "learning_rate",
            "momentum": "momentum",
            "derivative": "derivative",
            "integral": "integral",
        },
        defaults={"learning_rate": 1e-3, "momentum": 0.0},
        options={"difference": "late"},
        form="the first gradient is not remembered",
        differs="with momentum=0 it has neither integral nor derivative",
    ),
)
OPTIMISTIC_GD = (
    Dialect(framework="paper", form="(a + b) g - b g', with g' = g at first"),
    Dialect(
        framework="optax",
        call="optax.optimistic_gradient_descent",
        arguments={"learning_rate": "learning_rate", "alpha": "alpha", "beta": "beta"},
        form="as the paper",
    ),
)
NOISY_SGD = (
    Dialect(framework="paper", form="variance η / (1+t)^γ with t from 0; γ = 0.55"),
    Dialect(
        framework="optax",
        call="optax.noisy_sgd",
        arguments={
            "learning_rate": "learning_rate",
            "eta": "eta",
            "gamma": "gamma",
            "key": Fixed(0),
        },
        form="as the paper; the key of the noise is kept in the state",
        differs="other random numbers: it splits a key of its own",
    ),
)
POLYAK = (
    Dialect(
        framework="paper",
        defaults={"c": 0.5},
        form="c = 0.5 for convex losses, 0.2 for networks; no ε",
    ),
    Dialect(
        framework="optax",
        call="optax.polyak_sgd",
        arguments={
            "max_learning_rate": "learning_rate",
            "scaling": Fixed(1.0),
            "f_min": "f_min",
            "eps": "epsilon",
            "variant": "variant",
        },
        form=(
            "c is 1, and a squared norm below 2.2e-16 counts as 0; scaling is applied before the "
            "norm is taken, and so acts as c"
        ),
    ),
)
