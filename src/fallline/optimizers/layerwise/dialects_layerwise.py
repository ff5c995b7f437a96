"""LARS, LAMB, Fromage and NovoGrad as their papers and frameworks have them."""

from __future__ import annotations

from fallline.optimizers.dialects import Dialect

LARS = (
    Dialect(
        framework="paper",
        defaults={"weight_decay": 0.0005},
        options={"layers": "all"},
        form="‖g‖ + λ‖θ‖ below; α, falling as (1 - t/T)², inside of the velocity",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.LARS",
        arguments={
            "lr": "learning_rate",
            "weight_decay": "weight_decay",
            "momentum": "momentum",
            "trust_coefficient": "trust_coefficient",
            "nesterov": "nesterov",
        },
        defaults={"learning_rate": 1e-3},
        options={"denominator": "gradient"},
        form="‖g‖ below; arrays of one axis neither scaled nor decayed; v begins with 0",
        differs="some builds (3.9.0) begin the velocity with the first gradient, not scaled",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.LARS",
        arguments={
            "lr": "learning_rate",
            "weight_decay": "weight_decay",
            "momentum": "momentum",
            "trust_coefficient": "trust_coefficient",
            "nesterov": "nesterov",
        },
        defaults={"learning_rate": 1e-3},
        options={"denominator": "gradient", "velocity_start": "gradient"},
        form="as 3.9.0 has it: v begins with g",
    ),
    Dialect(
        framework="optax",
        call="optax.lars",
        arguments={
            "learning_rate": "learning_rate",
            "weight_decay": "weight_decay",
            "trust_coefficient": "trust_coefficient",
            "momentum": "momentum",
            "nesterov": "nesterov",
        },
        options={"layers": "all", "denominator": "decayed"},
        form="‖g + λθ‖ below; α inside of the velocity",
    ),
)
LAMB = (
    Dialect(
        framework="paper",
        defaults={"weight_decay": 0.01},
        form="both averages corrected, ε outside the root, λθ inside of the ratio",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.Lamb",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "weight_decay": "weight_decay",
            "eps": "epsilon",
        },
        defaults={"learning_rate": 1e-3},
        options={"correction": "first", "norm": "limited", "decay_place": "outside"},
        form="α / (1-β₁ᵗ) for a correction, so ten times the step at first; ‖θ‖ at most 10",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Lamb",
        arguments={
            "learning_rate": "learning_rate",
            "beta_1": "beta_1",
            "beta_2": "beta_2",
            "epsilon": "epsilon",
            "weight_decay": "weight_decay",
        },
        defaults={"learning_rate": 1e-3, "epsilon": 1e-7},
        options={"decay_place": "outside"},
        form=(
            "both averages corrected; θ shrunk by αλ before the step, outside of the ratio; on "
            "TensorFlow the corrections take β rounded to float32"
        ),
    ),
    Dialect(
        framework="optax",
        call="optax.lamb",
        arguments={
            "learning_rate": "learning_rate",
            "b1": "beta_1",
            "b2": "beta_2",
            "eps": "epsilon",
            "weight_decay": "weight_decay",
        },
        form="as the paper",
    ),
)
FROMAGE = (
    Dialect(framework="paper", form="no word on zero norms in the equation"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.Fromage",
        arguments={"lr": "learning_rate"},
        form="a plain step where a norm is 0",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.Fromage",
        arguments={"lr": "learning_rate", "p_bound": "norm_bound"},
        options={"bounded": True},
        form="a plain step where a norm is 0",
    ),
    Dialect(
        framework="optax",
        call="optax.fromage",
        arguments={"learning_rate": "learning_rate", "min_norm": "min_norm"},
        options={"at_zero": "floor"},
        form="both norms at least 1e-6",
    ),
)
NOVOGRAD = (
    Dialect(framework="paper", form="s and m begin with the first gradient; no correction"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.NovoGrad",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "weight_decay": "weight_decay",
            "grad_averaging": "averaging",
            "eps": "epsilon",
        },
        form="as the paper",
        differs="some builds (3.9.0) count the first gradient twice, and scale the step as Adam",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.NovoGrad",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "weight_decay": "weight_decay",
            "grad_averaging": "averaging",
            "eps": "epsilon",
        },
        options={"form": "corrected"},
        form="as 3.9.0 has it: m takes the first gradient in twice; Adam's corrections",
    ),
    Dialect(
        framework="optax",
        call="optax.novograd",
        arguments={
            "learning_rate": "learning_rate",
            "b1": "beta_1",
            "b2": "beta_2",
            "eps": "epsilon",
            "weight_decay": "weight_decay",
        },
        defaults={"beta_1": 0.9, "beta_2": 0.25, "epsilon": 1e-6},
        form="as the paper",
    ),
)
