"""How papers, torch, Keras and Optax have Adafactor, CAME and SM3."""

from __future__ import annotations

from collections.abc import Mapping

from fallline.optimizers.dialects import Argument, Dialect, Fixed

_OPTAX_ADAFACTOR: Mapping[str, Argument] = {
    "learning_rate": "learning_rate",
    "min_dim_size_to_factor": Fixed(0),
    "multiply_by_parameter_scale": "parameter_scale",
    "clipping_threshold": "clip_threshold",
    "eps": "epsilon_1",
}
_OPTAX_DIFFERS = (
    "τ is -0.8 and ε₂ 0.001; t^τ is computed in float32; a tensor is factored over its two "
    "longest axes; weight decay is not scaled by the learning rate"
)

ADAFACTOR = (
    Dialect(
        framework="paper",
        defaults={"epsilon_1": 1e-30},
        options={"epsilon_place": "square"},
        form="ε₁ is added to every square, u = g / √v; no weight decay; β₁ only where asked for",
    ),
    Dialect(
        framework="torch",
        call="torch.optim.Adafactor",
        arguments={
            "lr": "learning_rate",
            "beta2_decay": "beta_2_decay",
            "d": "clip_threshold",
            "weight_decay": "weight_decay",
        },
        form="as here; ε₁ and ε₂ are its argument eps, a pair, in which None is the spacing",
        differs="a tensor is factored over its last two axes",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Adafactor",
        arguments={
            "learning_rate": "learning_rate",
            "beta_2_decay": "beta_2_decay",
            "epsilon_1": "epsilon_1",
            "epsilon_2": "epsilon_2",
            "clip_threshold": "clip_threshold",
            "relative_step": Fixed(True),
            "weight_decay": "weight_decay",
        },
        defaults={"learning_rate": 1e-3, "epsilon_1": 1e-30},
        options={"epsilon_place": "square"},
        form="ε₁ is added to every square; the steps shrink as 1/√t with relative_step or without",
        differs="rms(θ) is that of the decayed θ; a tensor is factored over its last two axes",
    ),
    Dialect(
        framework="optax",
        call="optax.adafactor",
        arguments=_OPTAX_ADAFACTOR,
        defaults={"epsilon_1": 1e-30},
        options={"epsilon_place": "square", "relative_step": False},
        form="ε₁ is added to every square; min_dim_size_to_factor 128 factors large matrices only",
        differs=_OPTAX_DIFFERS,
    ),
    Dialect(
        framework="optax",
        call="optax.adafactor",
        arguments={**_OPTAX_ADAFACTOR, "momentum": "beta_1"},
        defaults={"epsilon_1": 1e-30},
        options={"epsilon_place": "square", "relative_step": False, "first_moment": True},
        form="the average is one of steps, scaled by α and the size of the array",
        differs=_OPTAX_DIFFERS,
    ),
)

CAME = (
    Dialect(
        framework="paper",
        form="as here; nothing is said of vectors, which the authors' code moves by α m",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.CAME",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2", "beta_3"),
            "weight_decay": "weight_decay",
            "clip_threshold": "clip_threshold",
            "eps1": "epsilon_1",
            "eps2": "epsilon_2",
        },
        form="as here for matrices",
        differs=(
            "it multiplies a vector's average m itself by the learning rate at every step, so that "
            "vectors lose their momentum; a tensor is factored over its last two axes"
        ),
    ),
)

SM3 = (
    Dialect(
        framework="paper",
        defaults={"momentum": 0.0, "epsilon": 0.0},
        form="no ε, 0/0 is 0, no momentum in algorithm 2 (0.9 in the experiments)",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.SM3",
        arguments={"lr": "learning_rate", "momentum": "momentum", "eps": "epsilon"},
        defaults={"momentum": 0.0, "epsilon": 1e-30},
        form="ε under the root; momentum is an average of steps",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.SM3",
        arguments={
            "lr": "learning_rate",
            "momentum": "momentum",
            "beta": "beta_2",
            "eps": "epsilon",
        },
        defaults={"momentum": 0.0, "epsilon": 1e-30},
        options={"squares": "average"},
        form="beta above 0 averages squares, below a bound that never falls",
    ),
    Dialect(
        framework="optax",
        call="optax.sm3",
        arguments={"learning_rate": "learning_rate", "momentum": "momentum"},
        form="ε = 1e-8 under the root; momentum is an average of steps",
        differs="ε cannot be set, and scalars are refused",
    ),
)
