"""Schedule-free learning, part of the family of averages: schedule_free_sgd and _adamw."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.averaged import citations_averaged as citations
from fallline.optimizers.averaged import rule_averaged as rules
from fallline.optimizers.dialects import Dialect
from fallline.optimizers.shared.parameters import epsilon, learning_rate, share
from fallline.optimizers.spec import Evaluated, HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "averaged"


def schedule_free_sgd(
    *,
    learning_rate: Any,
    momentum: Any,
    weight_decay: Any,
    warmup_steps: Any,
    r: Any,
    weight_lr_power: Any,
) -> optax.GradientTransformationExtraArgs:
    """Schedule-free SGD."""
    rule = rules.schedule_free_descent(
        learning_rate, momentum, weight_decay, warmup_steps, r, weight_lr_power
    )
    return optax.with_extra_args_support(rule)


def schedule_free_adamw(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    warmup_steps: Any,
    r: Any,
    weight_lr_power: Any,
    corrected: str,
) -> optax.GradientTransformationExtraArgs:
    """Schedule-free AdamW."""
    rule = rules.schedule_free_adam(
        learning_rate,
        beta_1,
        beta_2,
        epsilon,
        weight_decay,
        warmup_steps,
        r,
        weight_lr_power,
        corrected=corrected,
    )
    return optax.with_extra_args_support(rule)


def _judged_by_x(beta: str) -> Evaluated:
    """The average x, found with the setting named ``beta``."""

    def evaluated(params: Any, state: rules.ScheduleFreeState, **settings: Any) -> Any:
        return rules.averaged_iterate(params, state.z, settings[beta])

    return evaluated


def _interpolation(name: str, symbol: str) -> HyperParameter:
    return HyperParameter(
        name,
        0.9,
        symbol,
        "share of the average x in the point y at which gradients are taken; plays momentum",
        Range(0.5, 0.99, "log_one_minus"),
        source=citations.DEFAZIO_2024,
        above=0.0,
        below=1.0,
    )


_WEIGHTS = (
    HyperParameter(
        "weight_decay",
        0.0,
        "λ",
        "pull of the weights towards zero, taken at y, per unit of the learning rate",
        Range(1e-5, 1e0),
        at_least=0.0,
    ),
    HyperParameter(
        "warmup_steps",
        0.0,
        "T_w",
        "steps over which the learning rate rises in equal parts to its full value",
        Range(1e1, 1e4),
        at_least=0.0,
    ),
    HyperParameter(
        "r",
        0.0,
        "r",
        "power of the step's number in its weight: larger forgets the beginning sooner",
        Range(0.5, 1e1),
        at_least=0.0,
    ),
    HyperParameter(
        "weight_lr_power",
        2.0,
        "p",
        "power of the largest learning rate so far in a step's weight; matters in a warm-up only",
        Range(0.0, 4.0, "linear"),
        at_least=0.0,
    ),
)
_MODES = (
    "The trained parameters are y; runs are judged by x (torch: optimizer.eval() puts x in their "
    "place). x is found from y and z, so it takes no memory."
)
_PYTORCH_OPTIMIZER = (
    "As here; the parameters are y until optimizer.eval() turns them into x, which must be called "
    "before evaluating or saving, and optimizer.train() before going on."
)

SCHEDULE_FREE_SGD = Optimizer(
    name="schedule_free_sgd",
    title="Schedule-free SGD",
    family=FAMILY,
    equation=(
        "αₜ = α min(1, t/T_w),   cₜ = wₜ / Σ w,   wₜ = tʳ max(α₁…αₜ)^p\n"
        "z ← z - αₜ (g + λ θ)\nx ← (1-cₜ) x + cₜ z,   judged by x\nθ = y ← (1-β) z + β x"
    ),
    citation=citations.DEFAZIO_2024,
    hyperparameters=(
        learning_rate(1.0, 1e-3, 1e2, meaning="length of the steps of z"),
        _interpolation("momentum", "β"),
        *_WEIGHTS,
    ),
    build=schedule_free_sgd,
    slots=1,
    evaluated=_judged_by_x("momentum"),
    notes=f"The form and defaults of the authors' code. {_MODES}",
    dialects=(
        Dialect(
            framework="paper",
            form=(
                "z without warm-up and decay, and cₜ = 1/(t+1) in its equations, which counts the "
                "starting point in; its algorithm, its code and this entry begin with c₁ = 1."
            ),
            differs="the starting point's share of 1/(t+1) in x.",
        ),
        Dialect(
            framework="torch",
            call="pytorch_optimizer.ScheduleFreeSGD",
            arguments={
                "lr": "learning_rate",
                "momentum": "momentum",
                "weight_decay": "weight_decay",
                "r": "r",
                "weight_lr_power": "weight_lr_power",
                "warmup_steps": "warmup_steps",
            },
            form=_PYTORCH_OPTIMIZER,
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.schedule_free_sgd",
            arguments={
                "learning_rate": "learning_rate",
                "b1": "momentum",
                "weight_decay": "weight_decay",
                "weight_lr_power": "weight_lr_power",
            },
            form=(
                "As here with r = 0. The parameters are y; "
                "optax.contrib.schedule_free_eval_params(state, params) gives x."
            ),
            differs=(
                "it lacks r, and its warm-up begins with a step of length zero: both are left out."
            ),
        ),
    ),
)
SCHEDULE_FREE_ADAMW = Optimizer(
    name="schedule_free_adamw",
    title="Schedule-free AdamW",
    family=FAMILY,
    equation=(
        "αₜ = α min(1, t/T_w),   cₜ = wₜ / Σ w,   wₜ = tʳ max(α₁…αₜ)^p\n"
        "v ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\nz ← z - αₜ (g / (√v̂ + ε) + λ θ)\n"
        "x ← (1-cₜ) x + cₜ z,   judged by x\nθ = y ← (1-β₁) z + β₁ x"
    ),
    citation=citations.DEFAZIO_2024,
    hyperparameters=(
        learning_rate(0.0025, 1e-5, 1e0, meaning="length of the steps of z"),
        _interpolation("beta_1", "β₁"),
        share("beta_2", 0.999, "β₂", "share of the average of squares that is kept", 0.9),
        epsilon(1e-8),
        *_WEIGHTS,
    ),
    options=(
        Option(
            "corrected",
            "average",
            ("average", "rate", "rectified"),
            "the start of v is corrected in v itself (the authors' code, Optax), by a factor "
            "√(1-β₂ᵗ) of the learning rate, which then weighs the first steps less (the paper), or "
            "in v and by RAdam's factor (the authors' schedule-free RAdam)",
        ),
    ),
    build=schedule_free_adamw,
    slots=2,
    evaluated=_judged_by_x("beta_1"),
    notes=(
        f"The form and defaults of the authors' code. {_MODES} There is no "
        "average of gradients: β₁ plays its part."
    ),
    dialects=(
        Dialect(
            framework="paper",
            options={"corrected": "rate"},
            form=(
                "√(1-β₂ᵗ) is part of the learning rate, so ε stands beside the uncorrected root "
                "and the weights cₜ count the first steps less; decay at y."
            ),
        ),
        Dialect(
            framework="torch",
            call="pytorch_optimizer.ScheduleFreeAdamW",
            arguments={
                "lr": "learning_rate",
                "betas": ("beta_1", "beta_2"),
                "weight_decay": "weight_decay",
                "r": "r",
                "weight_lr_power": "weight_lr_power",
                "warmup_steps": "warmup_steps",
                "eps": "epsilon",
            },
            form=_PYTORCH_OPTIMIZER,
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.schedule_free_adamw",
            arguments={
                "learning_rate": "learning_rate",
                "b1": "beta_1",
                "b2": "beta_2",
                "eps": "epsilon",
                "weight_decay": "weight_decay",
                "weight_lr_power": "weight_lr_power",
            },
            form=(
                "As here with r = 0. The parameters are y; "
                "optax.contrib.schedule_free_eval_params(state, params) gives x."
            ),
            differs=(
                "it lacks r, and its warm-up begins with a step of length zero: both are left out."
            ),
        ),
    ),
)
