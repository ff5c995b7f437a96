"""How papers, torch, Keras and Optax have gradient descent and its kin."""

from __future__ import annotations

from dataclasses import replace

from fallline.optimizers.dialects import Dialect, Fixed
from fallline.optimizers.shared.parameters import decaying

_TORCH_RATE = {"learning_rate": 1e-3}
_OF_STEPS = {"velocity": "of_steps"}
_DAMPENING = (
    "dampening τ, 0 unless asked for, makes it v ← μ v + (1-τ) g from the second step on; the "
    "first is v = g whatever τ"
)

_PLAIN = (
    *decaying(
        Dialect(
            framework="torch",
            call="torch.optim.SGD",
            arguments={"lr": "learning_rate"},
            defaults=_TORCH_RATE,
            form="θ ← θ - α (g + λ θ)",
        ),
        "coupled",
        "decoupled",
    ),
    *decaying(
        Dialect(
            framework="keras",
            call="keras.optimizers.SGD",
            arguments={"learning_rate": "learning_rate"},
            defaults={"learning_rate": 0.01},
            form="θ ← θ - α λ θ, then θ ← θ - α g",
        ),
        "decoupled",
        "coupled",
    ),
    Dialect(
        framework="optax",
        call="optax.sgd",
        arguments={"learning_rate": "learning_rate"},
        form="θ ← θ - α g; weight decay is optax.add_decayed_weights in front of it",
    ),
)

GD = (
    Dialect(
        framework="paper",
        form=(
            "Cauchy looks for the length of each step anew, as gd_exact does; a constant α is the "
            "later custom"
        ),
    ),
    *_PLAIN,
)

SGD = (
    Dialect(
        framework="paper",
        form=(
            "Robbins and Monro let α fall, with a diverging sum and a converging sum of squares; a "
            "schedule around a constant α does that"
        ),
    ),
    *_PLAIN,
)

_HEAVY_BALL = {
    "torch": Dialect(
        framework="torch",
        call="torch.optim.SGD",
        arguments={"lr": "learning_rate", "momentum": "momentum"},
        defaults=_TORCH_RATE,
        form=f"v ← μ v + g, θ ← θ - α v: α scales the velocity; {_DAMPENING}",
    ),
    "keras": Dialect(
        framework="keras",
        call="keras.optimizers.SGD",
        arguments={"learning_rate": "learning_rate", "momentum": "momentum"},
        options=_OF_STEPS,
        form="v ← μ v - α g, θ ← θ + v: α enters the velocity; weight decay stays outside of it",
    ),
    "optax": Dialect(
        framework="optax",
        call="optax.sgd",
        arguments={"learning_rate": "learning_rate", "momentum": "momentum"},
        form="v ← μ v + g, θ ← θ - α v, as torch; no dampening",
    ),
}

MOMENTUM = (
    Dialect(
        framework="paper",
        options=_OF_STEPS,
        form="θ ← θ - α g + μ (θ - θ'), θ' the parameters one step ago: v is the last step",
    ),
    *decaying(_HEAVY_BALL["torch"], "coupled"),
    *decaying(_HEAVY_BALL["keras"], "decoupled"),
    _HEAVY_BALL["optax"],
)


def _looking_ahead(dialect: Dialect, form: str) -> Dialect:
    arguments = {**dialect.arguments, "nesterov": Fixed(True)}
    return replace(dialect, arguments=arguments, form=form)


NESTEROV = (
    Dialect(
        framework="paper",
        options=_OF_STEPS,
        form=(
            "v ← μ v - α ∇f(θ + μ v), θ ← θ + v: the gradient is taken ahead of θ. What is trained "
            "here is that point ahead, θ + μ v, which takes the same steps"
        ),
    ),
    *decaying(
        _looking_ahead(
            _HEAVY_BALL["torch"],
            f"v ← μ v + g, θ ← θ - α (g + μ v); needs dampening = 0 ({_DAMPENING})",
        ),
        "coupled",
    ),
    *decaying(
        _looking_ahead(
            _HEAVY_BALL["keras"],
            "v ← μ v - α g, θ ← θ + μ v - α g: α enters the velocity; weight decay stays outside",
        ),
        "decoupled",
    ),
    _looking_ahead(_HEAVY_BALL["optax"], "v ← μ v + g, θ ← θ - α (g + μ v), as torch"),
)

RPROP = (
    Dialect(
        framework="paper",
        defaults={"learning_rate": 0.1},
        options={"overshot": "back"},
        form=(
            "where the sign changed the last step is taken back, and the next one adapts nothing; "
            "Δ starts at 0.1"
        ),
    ),
    Dialect(
        framework="torch",
        call="torch.optim.Rprop",
        arguments={
            "lr": "learning_rate",
            "etas": ("eta_minus", "eta_plus"),
            "step_sizes": ("step_min", "step_max"),
        },
        form="where the sign changed the parameter rests, and the next step adapts nothing",
    ),
    Dialect(
        framework="optax",
        call="optax.rprop",
        arguments={
            "learning_rate": "learning_rate",
            "eta_minus": "eta_minus",
            "eta_plus": "eta_plus",
            "min_step_size": "step_min",
            "max_step_size": "step_max",
        },
        form="where the sign changed the parameter rests, and the next step adapts nothing",
        differs=(
            "Optax 0.2.8 applies the update of the step before: the first is none, and each sign "
            "is answered one step late"
        ),
    ),
)
