"""How papers, torch, Keras, pytorch_optimizer and Optax have Adam with other averages."""

from __future__ import annotations

from dataclasses import replace

from fallline.optimizers.adam.dialects_adam_mixtures import OPTAX, TORCH, deciding
from fallline.optimizers.dialects import Dialect, Fixed
from fallline.optimizers.shared.parameters import decaying

NADAMW = (
    Dialect(
        framework="paper",
        form=(
            "Dozat's Nadam with the decay of Loshchilov and Hutter, which they scale by the "
            "schedule alone, not by α"
        ),
    ),
    Dialect(
        framework="torch",
        call="torch.optim.NAdam",
        arguments={
            **TORCH,
            "eps": "epsilon",
            "weight_decay": "weight_decay",
            "momentum_decay": "momentum_decay",
            "decoupled_weight_decay": Fixed(True),
        },
        defaults={"weight_decay": 0.0},
        form="θ ← (1 - α λ) θ, then the step; μₜ grows to β₁, ε beside the root of v̂",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Nadam",
        arguments={
            "learning_rate": "learning_rate",
            "beta_1": "beta_1",
            "beta_2": "beta_2",
            "epsilon": "epsilon",
            "weight_decay": "weight_decay",
        },
        defaults={
            "learning_rate": 0.001,
            "epsilon": 1e-7,
            "momentum_decay": 1.0,
            "weight_decay": 0.0,
        },
        options={"betas": "float32"},
        form="ψ = 1: the momentum is at β₁ after some hundred steps; decay in the step",
    ),
    Dialect(
        framework="optax",
        call="optax.nadamw",
        arguments={**OPTAX, "eps": "epsilon", "weight_decay": "weight_decay"},
        defaults={"weight_decay": 1e-4},
        options={"warm_up": False},
        form="μₜ = β₁ from the first step on; ε beside the root of v̂, decay in the step",
    ),
)

YOGI = (
    Dialect(
        framework="paper",
        options={"bias_correction": False},
        form="no correction of the bias; ε = 0.001 beside the root",
    ),
    *deciding(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.Yogi",
            arguments={
                **TORCH,
                "initial_accumulator": "initial_accumulator",
                "eps": "epsilon",
            },
            options={"first_moment": "accumulator"},
            form="m and v start at v₀ and are corrected as if they had started at zero",
        )
    ),
    Dialect(
        framework="optax",
        call="optax.yogi",
        arguments={**OPTAX, "eps": "epsilon"},
        options={"first_moment": "accumulator"},
        form="m and v start at 1e-6 and are corrected as if they had started at zero",
        differs="v₀ is 1e-6; another one takes optax.scale_by_yogi.",
    ),
)

LAPROP = (
    Dialect(framework="paper", form="as here"),
    *deciding(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.LaProp",
            arguments={**TORCH, "eps": "epsilon"},
            options={"epsilon_place": "uncorrected"},
            form=(
                "ε, and 10⁻¹⁵ under the root, before the correction of v; α inside of the average; "
                "decoupled decay after the step"
            ),
            differs=(
                "A learning rate that changes reaches the step by and by, as part of the average; "
                "coupled decay is not to be had: its code adds it to a gradient already used."
            ),
        )
    )[:2],
)

_ADOPT = Dialect(
    framework="torch",
    call="pytorch_optimizer.ADOPT",
    arguments={**TORCH, "eps": "epsilon"},
    options={"clipping": "ahead"},
    form="the bound counts the first gradient as a move: (t+1)^¼; decay in the first step too",
)
_ADOPT_OPTAX = Dialect(
    framework="optax",
    call="optax.contrib.adopt",
    arguments={**OPTAX, "eps": "epsilon"},
    form="the bound is t^¼ as in the paper",
)
ADOPT = (
    Dialect(
        framework="paper",
        form="g over max(√v, ε), clipped to t^¼ in the form that the experiments use",
    ),
    *deciding(_ADOPT),
    *deciding(
        replace(
            _ADOPT,
            arguments={**_ADOPT.arguments, "clip_lambda": Fixed(None)},
            options={"clipping": "none"},
            form="no bound of the scaled gradient",
        )
    ),
    _ADOPT_OPTAX,
    replace(
        _ADOPT_OPTAX,
        arguments={**_ADOPT_OPTAX.arguments, "use_clipping": Fixed(False)},
        options={"clipping": "none"},
        form="no bound of the scaled gradient",
    ),
)

ACPROP = (
    Dialect(
        framework="paper",
        form="g over the root of the last step's s, whose deviation is from the new average",
    ),
    *decaying(
        Dialect(
            framework="optax",
            call="optax.contrib.acprop",
            arguments={**OPTAX, "eps": "epsilon", "eps_root": "epsilon"},
            options={"deviation": "old"},
            form="the deviation is from the old average, 1/β₁ times as large: shorter steps",
        ),
        "decoupled",
    ),
)

QHADAM = (
    Dialect(
        framework="paper",
        form="averages corrected for bias, then mixed with g and g²; ε beside the root",
    ),
    *deciding(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.QHAdam",
            arguments={**TORCH, "nus": ("nu_1", "nu_2"), "eps": "epsilon"},
            defaults={"beta_1": 0.9, "nu_1": 1.0},
            options={"weights": "float32"},
            form=(
                "weights of the averages in float32 whatever the parameters are; as the paper from "
                "version 4.1 on"
            ),
            differs=(
                "version 3.9 adds 1 - w g² to v where (1 - w) g² belongs, and soon takes the root "
                "of what is negative"
            ),
        )
    ),
)

OPTIMISTIC_ADAM = (
    Dialect(
        framework="paper",
        options={"first_step": "longer"},
        form="θ ← θ - 2α r + α r′ with r′ = 0 before the first step; no Nesterov momentum",
    ),
    Dialect(
        framework="optax",
        call="optax.optimistic_adam_v2",
        arguments={
            "learning_rate": "learning_rate",
            "alpha": Fixed(1.0),
            "beta": "optimism",
            "b1": "beta_1",
            "b2": "beta_2",
            "eps": "epsilon",
            "nesterov": "nesterov",
        },
        options={"nesterov": True},
        form="Nadam's direction unless nesterov=False; the first step is a plain one",
    ),
)

MADGRAD = (
    Dialect(
        framework="paper",
        form="w = α √t; ε beside the cube root; θ a moving average of z",
        differs="w = (α + ε) √t here, as in the authors' code.",
    ),
    *deciding(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.MADGRAD",
            arguments={"lr": "learning_rate", "momentum": "momentum", "eps": "epsilon"},
            defaults={"learning_rate": 0.001},
            form="w = (α + ε) √t; decoupled decay by (α + ε) λ θ",
        )
    ),
    *decaying(
        Dialect(
            framework="optax",
            call="optax.contrib.madgrad",
            arguments={
                "learning_rate": "learning_rate",
                "momentum": "momentum",
                "eps": "epsilon",
            },
            form="w = (α + ε) √t; weight_decay is added to the gradient",
        ),
        "coupled",
    ),
)

EXADAM = (
    Dialect(
        framework="paper",
        form="as here in the second version; the first scales α by ln(√2 √(t+1)) besides",
    ),
    *deciding(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.EXAdam",
            arguments={**TORCH, "eps": "epsilon"},
            form="as here",
        )
    ),
)
