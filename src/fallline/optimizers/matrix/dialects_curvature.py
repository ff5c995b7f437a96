"""How papers, torch and Optax have AdaHessian, Sophia, Apollo and L-BFGS."""

from __future__ import annotations

from collections.abc import Mapping

from fallline.optimizers.dialects import Argument, Dialect, Fixed
from fallline.optimizers.shared.parameters import decaying

ADAHESSIAN = (
    Dialect(
        framework="paper",
        form="as here; it averages over blocks of other arrays too where they are given",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdaHessian",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "weight_decay": "weight_decay",
            "hessian_power": "power",
            "eps": "epsilon",
        },
        defaults={"learning_rate": 0.1, "epsilon": 1e-16},
        form="as here",
        differs=(
            "version 3.9 takes -1 for every sign, which estimates the sums of the Hessian's rows; "
            "kernels of convolutions are not averaged"
        ),
    ),
)

SOPHIA = (
    Dialect(
        framework="paper",
        form="as here; ε as here, λ 0.1 in the authors' code",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.SophiaH",
        arguments={
            "betas": ("beta_1", "beta_2"),
            "p": "gamma",
            "update_period": "every",
            "hessian_distribution": Fixed("gaussian"),
        },
        defaults={"weight_decay": 0.0},
        form="clip(m / max(h, ε), -p, p): its lr is α/γ, its λ γ times ours, its ε ε/γ",
        differs=(
            "lr, weight_decay and eps have to be converted; version 3.9 estimates in one step and "
            "takes the estimate up in another"
        ),
    ),
    Dialect(
        framework="optax",
        call="optax.contrib.sophia",
        arguments={
            "learning_rate": "learning_rate",
            "b1": "beta_1",
            "b2": "beta_2",
            "eps": "epsilon",
            "weight_decay": "weight_decay",
            "gamma": "gamma",
            "update_interval": "every",
        },
        defaults={"beta_1": 0.965, "epsilon": 1e-8, "weight_decay": 1e-4},
        options={"probe": "signs"},
        form="m is corrected by 1/(1-β₁ᵗ)",
        differs=(
            "m is corrected for its start; an estimate counts from the step after it, so that the "
            "first is a step of the sign; the update is given the loss as obj_fn"
        ),
    ),
)

_TORCH_APOLLO = Dialect(
    framework="torch",
    call="pytorch_optimizer.ApolloDQN",
    arguments={
        "lr": "learning_rate",
        "init_lr": "initial_rate",
        "beta": "beta",
        "rebound": "rebound",
        "warmup_steps": "warmup",
        "eps": "epsilon",
    },
    form="as here, with σ = 0.01",
)
APOLLO = (
    Dialect(
        framework="paper",
        form="as here; the norm's fourth power plus ε is the denominator of B's change",
    ),
    *decaying(_TORCH_APOLLO, "coupled"),
)

_TORCH_LBFGS: Mapping[str, Argument] = {
    "lr": "learning_rate",
    "max_iter": Fixed(1),
    "tolerance_grad": Fixed(0.0),
    "history_size": "memory_size",
}
LBFGS = (
    Dialect(
        framework="paper",
        form="as here; H starts as 1 and any line search for Wolfe's conditions will do",
    ),
    Dialect(
        framework="torch",
        call="torch.optim.LBFGS",
        arguments={**_TORCH_LBFGS, "line_search_fn": Fixed("strong_wolfe")},
        options={"memory_size": 100, "first_step": "manhattan"},
        form="Wolfe's conditions with c₁ = 1e-4 and c₂ = 0.9",
        differs=(
            "its search interpolates by cubics from the start, and takes another t where the first "
            "is not accepted; pairs with yᵀs up to 1e-10 are left out"
        ),
    ),
    Dialect(
        framework="torch",
        call="torch.optim.LBFGS",
        arguments=_TORCH_LBFGS,
        options={"memory_size": 100, "line_search": "none", "first_step": "manhattan"},
        form="t = α without a search; max_iter=1 makes a step of it one of ours",
        differs="pairs with yᵀs up to 1e-10 are left out, and steps that would gain less than 1e-9",
    ),
    Dialect(
        framework="optax",
        call="optax.lbfgs",
        arguments={"learning_rate": "learning_rate", "memory_size": "memory_size"},
        form="as here, with c₁ = 1e-4, c₂ = 0.9 and 20 trials; other searches are an object",
    ),
)
