"""How papers, torch, Keras and Optax have Adam and its kin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fallline.optimizers.dialects import Argument, Dialect, Fixed
from fallline.optimizers.shared.parameters import decaying

_TORCH: dict[str, Argument] = {
    "lr": "learning_rate",
    "betas": ("beta_1", "beta_2"),
    "eps": "epsilon",
}
_KERAS: dict[str, Argument] = {
    "learning_rate": "learning_rate",
    "beta_1": "beta_1",
    "beta_2": "beta_2",
    "epsilon": "epsilon",
}
_OPTAX: dict[str, Argument] = {
    "learning_rate": "learning_rate",
    "b1": "beta_1",
    "b2": "beta_2",
    "eps": "epsilon",
}
_KERAS_EPSILON = {"epsilon": 1e-7}
_ROUNDED = {"betas": "float32"}
_UNCORRECTED = {"epsilon_place": "uncorrected", **_ROUNDED}
_KERAS_FORM = (
    "α √(1-β₂ᵗ) / (1-β₁ᵗ) · m / (√v + ε): ε beside the root before its correction, which early on "
    "makes it count more; on TensorFlow the corrections take β rounded to float32"
)
_TORCH_FORM = "ε beside the root of v̂, as in the paper"
_OPTAX_FORM = "ε beside the root of v̂; eps_root is a second one under it, 0 unless asked for"
_NO_EPSILON = "no ε in the paper, where 0/0 is open; ours stays as it is"


def _moved(dialect: Dialect, call: str, **options: str) -> Dialect:
    return replace(dialect, call=call, options={**dialect.options, **options})


def _under_root(dialect: Dialect) -> Dialect:
    """Optax's form with its ε under the root alone."""
    arguments: Mapping[str, Argument] = {
        **dialect.arguments,
        "eps": Fixed(0.0),
        "eps_root": "epsilon",
    }
    return replace(
        dialect, arguments=arguments, options={**dialect.options, "epsilon_place": "inside"}
    )


_TORCH_ADAM = decaying(
    Dialect(framework="torch", call="torch.optim.Adam", arguments=_TORCH, form=_TORCH_FORM),
    "coupled",
    "decoupled",
)
_KERAS_ADAM = decaying(
    Dialect(
        framework="keras",
        call="keras.optimizers.Adam",
        arguments=_KERAS,
        defaults=_KERAS_EPSILON,
        options=_UNCORRECTED,
        form=f"{_KERAS_FORM}; weight_decay is decoupled",
    ),
    "decoupled",
)
_OPTAX_ADAM = decaying(
    Dialect(framework="optax", call="optax.adam", arguments=_OPTAX, form=_OPTAX_FORM),
    "decoupled",
)
_OPTAX_ADAMW = _moved(_OPTAX_ADAM[1], "optax.adamw")

ADAM = (
    Dialect(
        framework="paper",
        form=(
            "ε beside the root of v̂; the faster order of its section 2 has ε beside the root of v, "
            "which is epsilon_place='uncorrected'"
        ),
    ),
    *_TORCH_ADAM[:2],
    _moved(_TORCH_ADAM[2], "torch.optim.AdamW"),
    *_KERAS_ADAM,
    _OPTAX_ADAM[0],
    _OPTAX_ADAMW,
    _under_root(_OPTAX_ADAM[0]),
    _under_root(_OPTAX_ADAMW),
)


def _always(dialect: Dialect, **other: Any) -> Dialect:
    """A form of Adam with decoupled decay as a form of AdamW, whose decay is no option."""
    options = {name: value for name, value in dialect.options.items() if name != "decay"}
    return replace(dialect, options=options, **other)


ADAMW = (
    Dialect(
        framework="paper",
        form=(
            "θ ← θ - η (α m̂ / (√v̂ + ε) + λ θ), η a schedule from 1: α does not scale the decay. "
            "The paper's λ is α λ here"
        ),
    ),
    _always(_TORCH_ADAM[2], call="torch.optim.AdamW", form=f"{_TORCH_FORM}; decay is α λ θ"),
    _always(
        _KERAS_ADAM[1],
        call="keras.optimizers.AdamW",
        defaults={**_KERAS_EPSILON, "weight_decay": 0.004},
        form=f"{_KERAS_FORM}; decay is α λ θ",
    ),
    *(
        _always(form, defaults={"weight_decay": 1e-4}, form=f"{_OPTAX_FORM}; decay is α λ θ")
        for form in (_OPTAX_ADAMW, _under_root(_OPTAX_ADAMW))
    ),
)

_OPTAX_AMSGRAD = Dialect(
    framework="optax",
    call="optax.amsgrad",
    arguments=_OPTAX,
    options={"correction": "before"},
    form=f"n ← max(n, v̂): the maximum is of corrected averages; {_OPTAX_FORM}",
)

AMSGRAD = (
    Dialect(
        framework="paper",
        options={"correction": "none"},
        form=(
            "n ← max(n, v), θ ← θ - α m / √n without any correction; α falls like 1/√t in its "
            f"theory; {_NO_EPSILON}"
        ),
    ),
    Dialect(
        framework="torch",
        call="torch.optim.Adam",
        arguments={**_TORCH, "amsgrad": Fixed(True)},
        form=f"n ← max(n, v), corrected afterwards; {_TORCH_FORM}",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Adam",
        arguments={**_KERAS, "amsgrad": Fixed(True)},
        defaults=_KERAS_EPSILON,
        options=_UNCORRECTED,
        form=f"n ← max(n, v), corrected afterwards; {_KERAS_FORM}",
    ),
    _OPTAX_AMSGRAD,
    _under_root(_OPTAX_AMSGRAD),
    replace(
        _OPTAX_AMSGRAD,
        arguments={
            **_OPTAX,
            "bias_correction_mu": Fixed(False),
            "bias_correction_nu": Fixed(False),
        },
        options={"correction": "none"},
        form="the paper's: nothing is corrected",
    ),
)

ADAMAX = (
    Dialect(framework="paper", form=f"θ ← θ - α / (1-β₁ᵗ) · m / u; {_NO_EPSILON}"),
    Dialect(
        framework="torch",
        call="torch.optim.Adamax",
        arguments=_TORCH,
        options={"epsilon_place": "inside"},
        form="u ← max(β₂ u, |g| + ε)",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Adamax",
        arguments=_KERAS,
        defaults={"learning_rate": 1e-3, **_KERAS_EPSILON},
        options=_ROUNDED,
        form="m / (u + ε); on TensorFlow the correction takes β₁ rounded to float32",
    ),
    Dialect(
        framework="optax",
        call="optax.adamax",
        arguments=_OPTAX,
        options={"epsilon_place": "inside"},
        form="u ← max(β₂ u, |g| + ε), as torch",
    ),
)

NADAM = (
    Dialect(
        framework="paper",
        form="the same look-ahead, with ψ = 0.004 written as 1/250",
        differs="the paper averages m with μₜ in place of β₁, and has a further factor β₂ in v̂",
    ),
    Dialect(
        framework="torch",
        call="torch.optim.NAdam",
        arguments={**_TORCH, "momentum_decay": "momentum_decay"},
        defaults={"learning_rate": 2e-3},
        form=f"μₜ = β₁ (1 - 0.96^(t ψ) / 2); {_TORCH_FORM}",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Nadam",
        arguments=_KERAS,
        defaults={**_KERAS_EPSILON, "momentum_decay": 1.0},
        options=_ROUNDED,
        form=(
            "μₜ = β₁ (1 - 0.96ᵗ / 2): the warm-up is over after 100 steps; ε beside the root of "
            "v̂; on TensorFlow β is rounded to float32"
        ),
    ),
    Dialect(
        framework="optax",
        call="optax.nadam",
        arguments=_OPTAX,
        options={"warm_up": False},
        form=f"μₜ = β₁ in every step, no warm-up; {_OPTAX_FORM}",
    ),
)

_ROOT_EPSILON = "pytorch_optimizer 3.9 adds 1e-15 under the root besides ε"

ADABOUND = (
    Dialect(
        framework="paper",
        form="bounds 0.1 - 0.1 / ((1-β₂) t + 1) and 0.1 + 0.1 / ((1-β₂) t): γ is 1-β₂",
        differs=(
            "its algorithm corrects no bias, has no ε, and divides the clipped step by √t; the "
            "authors' code does as is done here"
        ),
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdaBound",
        arguments={
            "lr": "learning_rate",
            "final_lr": "final_lr",
            "betas": ("beta_1", "beta_2"),
            "gamma": "gamma",
            "eps": "epsilon",
        },
        form="the authors': ε beside the root of v; α_f follows a schedule of α",
        differs=f"{_ROOT_EPSILON}, which is felt where |g| falls below 1e-6",
    ),
)

ADABELIEF = (
    Dialect(
        framework="paper",
        defaults={"epsilon": 1e-8},
        form="ε is added to s in every step, and beside the root of ŝ again; ε = 1e-8",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdaBelief",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "rectify": Fixed(False),
            "eps": "epsilon",
        },
        form="the paper's, without rectification",
        differs=(
            f"ε beside the uncorrected root; {_ROOT_EPSILON}, which outweighs ε = 1e-16 where s "
            "falls below 1e-13"
        ),
    ),
    Dialect(
        framework="optax",
        call="optax.adabelief",
        arguments={**_OPTAX, "eps_root": "epsilon"},
        form="eps_root is added to s in every step, eps beside the root: both are ε",
    ),
)

EADAM = (
    Dialect(
        framework="paper",
        form="ε is added to v in every step and nowhere else, as in the authors' code",
    ),
)

ADAM_ATAN2 = (
    Dialect(
        framework="paper",
        form="θ ← θ - α atan2(m̂, √v̂): no ε, and no change when the loss is scaled",
    ),
)
