"""How papers, torch, Keras and Optax have Muon, Shampoo, SOAP, Kron and GaLore."""

from __future__ import annotations

from dataclasses import replace

from fallline.optimizers.dialects import Dialect, Fixed

MUON = (
    Dialect(
        framework="paper",
        options={"precision": "bfloat16"},
        form=(
            "as here, in bfloat16; m gathers gradients, (1-μ) or not, which the norm takes away; "
            "what is no hidden matrix has an AdamW of its own"
        ),
    ),
    *(
        Dialect(
            framework="torch",
            call="torch.optim.Muon",
            arguments={
                "lr": "learning_rate",
                "weight_decay": "weight_decay",
                "momentum": "momentum",
                "nesterov": "nesterov",
                "eps": "epsilon",
                "ns_steps": "iterations",
                "adjust_lr_fn": Fixed(scale),
            },
            defaults={"learning_rate": 1e-3, "weight_decay": 0.1},
            options={"precision": "bfloat16", "others": "none", "scale": scale},
            form="takes matrices only, of shape (out, in); rounds to bfloat16",
        )
        for scale in ("original", "match_rms_adamw")
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Muon",
        arguments={
            "learning_rate": "learning_rate",
            "adam_beta_1": "beta_1",
            "adam_beta_2": "beta_2",
            "adam_weight_decay": "weight_decay",
            "epsilon": "adam_epsilon",
            "weight_decay": "weight_decay",
            "adam_lr_ratio": "adam_ratio",
            "momentum": "momentum",
            "ns_steps": "iterations",
            "nesterov": "nesterov",
            "rms_rate": Fixed(0.2),
        },
        defaults={
            "learning_rate": 1e-3,
            "weight_decay": 0.004,
            "adam_ratio": 1.0,
            "beta_2": 0.999,
            "adam_epsilon": 1e-7,
        },
        options={"scale": "match_rms_adamw"},
        form="m gathers whole gradients; 0.2 √max(in, out); float32",
        differs=(
            "ε is 1e-7 and added to the norm; Adam's stands beside the root of the uncorrected v; "
            "the decay of vectors is not scaled by ρ; embeddings and kernels of convolutions have "
            "Adam"
        ),
    ),
    Dialect(
        framework="optax",
        call="optax.contrib.muon",
        arguments={
            "learning_rate": "learning_rate",
            "ns_steps": "iterations",
            "beta": "momentum",
            "eps": "epsilon",
            "weight_decay": "weight_decay",
            "nesterov": "nesterov",
            "adam_b1": "beta_1",
            "adam_b2": "beta_2",
            "adam_weight_decay": "weight_decay",
        },
        defaults={"epsilon": 1e-8, "adam_ratio": 1.0, "beta_2": 0.999, "adam_epsilon": 1e-8},
        form="float32; Adam with the same learning rate for all that has not two axes",
        differs=(
            "gradient and average are each corrected for their start before they are added, which "
            "changes u in the first steps; ε is added to the norm; the first learning rate is that "
            "of Adam too, whose ε cannot be set"
        ),
    ),
)

SHAMPOO = (
    Dialect(
        framework="paper",
        options={"every": 1, "vectors": "full"},
        form="as here for a matrix; a vector is a tensor of order 1 with (Σ g gᵀ)^(-1/2)",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.Shampoo",
        arguments={
            "lr": "learning_rate",
            "preconditioning_compute_steps": "every",
            "matrix_eps": "epsilon",
        },
        defaults={"learning_rate": 1e-3},
        options={"every": 1, "vectors": "full"},
        form="one sum per axis of a tensor",
        differs=(
            "version 3.9 takes powers -1/k of the paper's -1/(2k), gathers R from the gradient "
            "that L has changed, and takes roots in float32"
        ),
    ),
)

SOAP = (
    Dialect(
        framework="paper",
        form="as here without the skipped first step; the authors' code skips it",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.SOAP",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "shampoo_beta": "beta_products",
            "weight_decay": "weight_decay",
            "precondition_frequency": "every",
            "max_precondition_dim": "largest",
            "eps": "epsilon",
        },
        options={"first_step": "counted", "largest": 10000},
        form="t counts the first gradient; bases are turned in steps 10, 20, and so on",
        differs="bases are computed in float32; a tensor has a basis for every axis",
    ),
)

_KRON = Dialect(
    framework="torch",
    call="pytorch_optimizer.Kron",
    arguments={
        "lr": "learning_rate",
        "momentum": "momentum",
        "weight_decay": "weight_decay",
        "max_size_triangular": "largest",
    },
    form="as here; γ = 0.1",
    differs=(
        "γ cannot be set; V comes from another generator, factors are balanced at random and held "
        "in float32; a tensor has a factor for every axis"
    ),
)
KRON = (
    Dialect(
        framework="paper",
        form=(
            "the factors' relative gradient steps as here, from pairs of a probe and a gradient or "
            "Hessian product; averages, the limit 1.1 and the rarer updates are the packages'"
        ),
    ),
    _KRON,
    replace(
        _KRON,
        arguments={**_KRON.arguments, "pre_conditioner_update_probability": Fixed(1.0)},
        options={"updates": "always"},
    ),
)

GALORE = (
    Dialect(
        framework="paper",
        options={"epsilon_place": "outside"},
        form="as here, with Adam's ε beside the corrected root",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.GaLore",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2"),
            "eps": "epsilon",
        },
        defaults={"learning_rate": 1e-3},
        options={"refresh": "at_multiples"},
        form="new projections in steps 1, 200, 400",
        differs=(
            "rank, update_proj_gap, scale and projection_type='std' belong to a parameter group, "
            "without which it is Adam; projections are computed in float32; only what has two "
            "axes is projected"
        ),
    ),
    Dialect(
        framework="optax",
        call="optax.contrib.galore",
        arguments={
            "learning_rate": "learning_rate",
            "rank": "rank",
            "update_proj_gap": "every",
            "scale": "scale",
        },
        defaults={"epsilon": 1e-8, "scale": 1.0},
        options={"side": "longer", "epsilon_place": "outside"},
        form="the longer side is projected; ε beside the corrected root",
        differs=(
            "projections are computed in float32; only what has two axes is projected; Adam's "
            "numbers are set by another argument, base_optimizer"
        ),
    ),
)
