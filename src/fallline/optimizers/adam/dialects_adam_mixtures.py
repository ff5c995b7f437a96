"""How papers, pytorch_optimizer and Optax have Adan, AdEMAMix, AdaPNM and MARS."""

from __future__ import annotations

from dataclasses import replace

from fallline.optimizers.dialects import Argument, Dialect, Fixed
from fallline.optimizers.shared.parameters import decaying

TORCH: dict[str, Argument] = {"lr": "learning_rate", "betas": ("beta_1", "beta_2")}
OPTAX: dict[str, Argument] = {"learning_rate": "learning_rate", "b1": "beta_1", "b2": "beta_2"}


def deciding(dialect: Dialect) -> tuple[Dialect, ...]:
    """``dialect``, and its forms with decay, which an argument ``weight_decouple`` decides on."""
    plain, *forms = decaying(dialect, "decoupled", "coupled")
    decided = (
        replace(
            form,
            arguments={
                **form.arguments,
                "weight_decouple": Fixed(form.options["decay"] == "decoupled"),
            },
        )
        for form in forms
    )
    return (plain, *decided)


_ADAN = Dialect(
    framework="torch",
    call="pytorch_optimizer.Adan",
    arguments={
        "lr": "learning_rate",
        "betas": ("beta_1", "beta_2", "beta_3"),
        "weight_decay": "weight_decay",
        "weight_decouple": Fixed(False),
        "eps": "epsilon",
    },
    form="the authors' code: zero averages at first, corrected for bias; ε beside the root",
)
ADAN = (
    Dialect(
        framework="paper",
        form=(
            "β are the shares of the new: 0.02, 0.08 and 0.01. Averages begin with their first "
            "value and are not corrected; decay is proximal"
        ),
        differs=(
            "m₀ = g₀ and n₀ = g₀² without correction, where ours begin at zero and are corrected: "
            "the first steps differ."
        ),
    ),
    _ADAN,
    replace(
        _ADAN,
        arguments={**_ADAN.arguments, "weight_decouple": Fixed(True)},
        options={"decay": "decoupled"},
    ),
    Dialect(
        framework="optax",
        call="optax.adan",
        arguments={
            **OPTAX,
            "b3": "beta_3",
            "eps": "epsilon",
            "eps_root": Fixed(0.0),
            "weight_decay": "weight_decay",
        },
        options={"decay": "decoupled"},
        form="β as here; decay in the step; a second ε of 1e-8 under the root unless it is 0",
        differs=(
            "0.2.8 weighs the gradient's change by 1-β₂ in the step and in n, where the paper's "
            "1-β₂ is β₂ in these β: 0.08 in place of 0.92."
        ),
    ),
)

_ADEMAMIX = Dialect(
    framework="torch",
    call="pytorch_optimizer.AdEMAMix",
    arguments={
        "lr": "learning_rate",
        "betas": ("beta_1", "beta_2", "beta_3"),
        "alpha": "alpha",
        "eps": "epsilon",
    },
    options={"corrected": "both"},
    form="version 3.9: the slow average is corrected by 1-β₁ᵗ too; ε beside the root",
)
_ADEMAMIX_SCHEDULED = replace(
    _ADEMAMIX,
    arguments={**_ADEMAMIX.arguments, "t_alpha_beta3": "warm_up_steps"},
    options={**_ADEMAMIX.options, "schedules": True},
    form=f"{_ADEMAMIX.form}; one number of steps for both schedules",
)
_ADEMAMIX_FORMS = (*deciding(_ADEMAMIX), *deciding(_ADEMAMIX_SCHEDULED))
ADEMAMIX = (
    Dialect(
        framework="paper",
        options={"schedules": True, "decay": "decoupled"},
        form=(
            "only m is corrected, so that the slow average fills slowly; a and β₃ on schedules "
            "over T steps; decay in the step"
        ),
    ),
    *_ADEMAMIX_FORMS,
    *(
        replace(
            form,
            options={**form.options, "corrected": "fast"},
            form="version 4.1: only m is corrected; ε beside the root",
            differs="version 3.9 divides the slow average by 1-β₁ᵗ too",
        )
        for form in _ADEMAMIX_FORMS
    ),
    *decaying(
        Dialect(
            framework="optax",
            call="optax.contrib.ademamix",
            arguments={**OPTAX, "b3": "beta_3", "alpha": "alpha", "eps": "epsilon"},
            form="only m is corrected; schedules are functions of the step for b3 and alpha",
        ),
        "decoupled",
    ),
)

SIMPLIFIED_ADEMAMIX = (
    Dialect(
        framework="paper",
        form="m is the sum of fading gradients, not an average; the newest one a times more",
    ),
    *deciding(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.SimplifiedAdEMAMix",
            arguments={**TORCH, "alpha": "alpha", "eps": "epsilon"},
            options={"momentum": "average"},
            form=(
                "m is an average, 1-β₁ of the sum; the step is over √(1-β₂ᵗ) where it should be "
                "times it, which makes the first steps longer"
            ),
        )
    ),
    *decaying(
        Dialect(
            framework="optax",
            call="optax.contrib.simplified_ademamix",
            arguments={**OPTAX, "alpha": "alpha", "eps": "epsilon"},
            form="as here; eps_root is a second ε under the root, 0 unless asked for",
        ),
        "decoupled",
    ),
)

ADAPNM = (
    Dialect(
        framework="paper",
        form="as here; its authors' code takes the largest v unless told otherwise",
    ),
    *deciding(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.AdaPNM",
            arguments={
                "lr": "learning_rate",
                "betas": ("beta_1", "beta_2", "beta_0"),
                "ams_bound": "amsgrad",
                "eps": "epsilon",
            },
            options={"epsilon_place": "uncorrected"},
            form="ε, and 10⁻¹⁵ under the root, before the correction of v",
        )
    ),
)

_MARS = Dialect(
    framework="torch",
    call="pytorch_optimizer.MARS",
    arguments={
        "lr": "learning_rate",
        "betas": ("beta_1", "beta_2"),
        "gamma": "gamma",
        "mars_type": Fixed("adamw"),
        "optimize_1d": "mars_vectors",
        "lr_1d": "vector_learning_rate",
        "betas_1d": ("vector_beta_1", "vector_beta_2"),
        "weight_decay": "weight_decay",
        "weight_decay_1d": "weight_decay",
        "cautious": "cautious",
        "eps": "epsilon",
    },
    options={"epsilon_place": "uncorrected"},
    form=(
        "ε, and 10⁻¹⁵ under the root, before the correction of v; version 3.9 has one decay "
        "for all arrays, whatever weight_decay_1d is; "
        "mars_type='shampoo' takes matrices for (out, in) and rounds to bfloat16"
    ),
)
MARS = (
    Dialect(
        framework="paper",
        options={"mars_vectors": True},
        form=(
            "every array alike; g′ is the gradient of the new batch at the last parameters, or of "
            "the last batch (MARS-approx, as here)"
        ),
        differs="The exact form takes two gradients per step; ours is MARS-approx.",
    ),
    _MARS,
    replace(
        _MARS,
        arguments={**_MARS.arguments, "mars_type": Fixed("lion")},
        options={**_MARS.options, "step": "lion"},
    ),
)
