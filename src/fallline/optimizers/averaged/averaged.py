"""Averages of the parameters, and dual averaging: asgd, schedule_free_sgd and _adamw, ftrl."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.averaged import citations_averaged as citations
from fallline.optimizers.averaged import rule_averaged as rules
from fallline.optimizers.averaged.schedule_free import (
    FAMILY,
    SCHEDULE_FREE_ADAMW,
    SCHEDULE_FREE_SGD,
)
from fallline.optimizers.dialects import Dialect
from fallline.optimizers.shared.parameters import learning_rate
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range


def asgd(
    *, learning_rate: Any, lambd: Any, power: Any, average_from: Any
) -> optax.GradientTransformationExtraArgs:
    """ASGD."""
    rule = rules.averaged_descent(learning_rate, lambd, power, average_from)
    return optax.with_extra_args_support(rule)


def ftrl(
    *,
    learning_rate: Any,
    learning_rate_power: Any,
    initial_accumulator: Any,
    beta: Any,
    l1: Any,
    l2: Any,
    origin: str,
) -> optax.GradientTransformationExtraArgs:
    """FTRL-Proximal."""
    rule = rules.follow_the_leader(
        learning_rate, learning_rate_power, initial_accumulator, beta, l1, l2, origin=origin
    )
    return optax.with_extra_args_support(rule)


def _mean(params: Any, state: rules.AveragedState, **settings: Any) -> Any:
    """The running mean that ASGD is judged by."""
    del params, settings
    return state.average


ASGD = Optimizer(
    name="asgd",
    title="Averaged SGD",
    family=FAMILY,
    equation=(
        "αₜ = α / (1 + λ α (t-1))^p\nθ ← (1 - λ αₜ) θ - αₜ g\n"
        "a ← a + (θ - a) / max(1, t - 1 - t₀),   judged by a"
    ),
    citation=citations.POLYAK_JUDITSKY,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        HyperParameter(
            "lambd",
            1e-4,
            "λ",
            "pull of the weights towards zero, and how fast the learning rate falls",
            Range(1e-6, 1e-2),
            at_least=0.0,
        ),
        HyperParameter(
            "power",
            0.75,
            "p",
            "power with which the learning rate falls; the theory wants 1/2 < p < 1",
            Range(0.5, 1.0, "linear"),
            at_least=0.0,
        ),
        HyperParameter(
            "average_from",
            0.0,
            "t₀",
            "steps before the mean begins: its first iterate is that of step t₀ + 2",
            Range(1e1, 1e6),
            at_least=0.0,
        ),
    ),
    build=asgd,
    slots=1,
    evaluated=_mean,
    notes=(
        "torch's rule and learning rates, judged by the mean, which torch keeps as state['ax'] and "
        "leaves to its user. The mean begins at once, as in the paper; torch's t₀ of 1e6 steps "
        "means never in most trainings, and then this is SGD."
    ),
    dialects=(
        Dialect(
            framework="paper",
            defaults={"lambd": 0.0},
            form=(
                "The mean of all iterates of SGD with αₜ = α t^-p, 1/2 < p < 1, the start counted "
                "in, and no pull towards zero."
            ),
            differs="αₜ = α t^-p falls from the first step on; here it starts to fall at 1/(λα).",
        ),
        Dialect(
            framework="torch",
            call="torch.optim.ASGD",
            arguments={
                "lr": "learning_rate",
                "lambd": "lambd",
                "alpha": "power",
                "t0": "average_from",
            },
            defaults={"average_from": 1e6},
            form=(
                "As here. The parameters are the last iterate; the mean is in "
                "optimizer.state[parameter]['ax'], to be copied before evaluating."
            ),
        ),
    ),
)
FTRL = Optimizer(
    name="ftrl",
    title="FTRL-Proximal",
    family=FAMILY,
    equation=(
        "n' = n + g²,   σ = (n'^-p - n^-p) / α\nz ← z + g - σ θ,   n ← n'\n"
        "θ ← (clip(z, -λ₁, λ₁) - z) / ((β + n^-p) / α + λ₂)"
    ),
    citation=citations.MCMAHAN,
    hyperparameters=(
        learning_rate(0.1, 1e-4, 1e1),
        HyperParameter(
            "learning_rate_power",
            -0.5,
            "p",
            "power with which each parameter's learning rate falls with its sum of squares",
            Range(-1.0, -0.1, "linear"),
            at_least=-1.0,
            below=0.0,
        ),
        HyperParameter(
            "initial_accumulator",
            0.1,
            "n₀",
            "what the sum of squares begins with: damps the first steps",
            Range(1e-6, 1e0),
            at_least=0.0,
        ),
        HyperParameter(
            "beta",
            0.0,
            "β",
            "damps the first steps, and holds the weights to the origin",
            Range(1e-3, 1e1),
            at_least=0.0,
        ),
        HyperParameter(
            "l1",
            0.0,
            "λ₁",
            "sum of gradients that a weight must gather to leave zero",
            Range(1e-4, 1e1),
            at_least=0.0,
        ),
        HyperParameter("l2", 0.0, "λ₂", "hold of the origin", Range(1e-4, 1e1), at_least=0.0),
    ),
    options=(
        Option(
            "origin",
            "zero",
            ("zero", "start"),
            "weights begin at zero, whatever they are at first (paper, Keras), or where they are",
        ),
    ),
    build=ftrl,
    slots=2,
    notes=(
        "The form of Keras, at a hundred times its learning rate of 0.001, with which a steady "
        "gradient moves a weight by no more than 0.002 √t. FTRL solves for the weights from z, "
        "which starts at zero: a weight is forgotten at the first step unless g² is large beside "
        "n₀, so a network begins at nearly zero weights and can fail to train; origin='start' "
        "keeps them. With origin='start', λ₁ = λ₂ = 0 and β = 0 it is Adagrad with ε = 0."
    ),
    dialects=(
        Dialect(
            framework="paper",
            defaults={"beta": 1.0, "initial_accumulator": 0.0},
            form="n starts at zero and β = 1 keeps the denominator from it; p = -1/2.",
        ),
        Dialect(
            framework="keras",
            call="keras.optimizers.Ftrl",
            arguments={
                "learning_rate": "learning_rate",
                "learning_rate_power": "learning_rate_power",
                "initial_accumulator_value": "initial_accumulator",
                "l1_regularization_strength": "l1",
                "beta": "beta",
            },
            defaults={"learning_rate": 0.001},
            form="As here; λ₂ is twice its l2_regularization_strength.",
            differs="λ₂ is left at 0 in the code: give half of it as l2_regularization_strength.",
        ),
        Dialect(
            framework="torch",
            call="pytorch_optimizer.FTRL",
            arguments={
                "lr": "learning_rate",
                "lr_power": "learning_rate_power",
                "beta": "beta",
                "lambda_1": "l1",
                "lambda_2": "l2",
            },
            defaults={"learning_rate": 0.001, "initial_accumulator": 0.0},
            form="As the paper, with β = 0.",
            differs=(
                "the sum of squares always starts at 0, where a parameter without a gradient "
                "becomes NaN (0/0); the denominator has √n whatever the power is."
            ),
        ),
    ),
)

ENTRIES: tuple[Optimizer, ...] = (ASGD, SCHEDULE_FREE_SGD, SCHEDULE_FREE_ADAMW, FTRL)
