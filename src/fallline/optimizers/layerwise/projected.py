"""Steps along the sphere for weights whose length has no effect: AdamP and SGDP."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.dialects import Dialect, Fixed
from fallline.optimizers.layerwise import rule_projected as rules
from fallline.optimizers.shared import citations_steps as citations
from fallline.optimizers.shared.parameters import chained, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "layer-wise"


def adamp(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    delta: Any,
    wd_ratio: Any,
    nesterov: bool,
    channels: str,
) -> optax.GradientTransformationExtraArgs:
    """AdamP."""
    rule = rules.scale_by_adamp(
        beta_1,
        beta_2,
        epsilon,
        weight_decay,
        delta,
        wd_ratio,
        nesterov=nesterov,
        channels=channels,
    )
    return chained(learning_rate, rule)


def sgdp(
    *,
    learning_rate: Any,
    momentum: Any,
    epsilon: Any,
    weight_decay: Any,
    delta: Any,
    wd_ratio: Any,
    nesterov: bool,
    channels: str,
    velocity: str,
) -> optax.GradientTransformationExtraArgs:
    """SGDP."""
    rule = rules.scale_by_sgdp(
        momentum,
        epsilon,
        weight_decay,
        delta,
        wd_ratio,
        nesterov=nesterov,
        channels=channels,
        velocity=velocity,
    )
    return chained(learning_rate, rule)


_BETAS = (
    share("beta_1", 0.9, "β₁", "share of the average gradient that is kept", 0.5),
    share("beta_2", 0.999, "β₂", "share of the average of squares that is kept", 0.9),
)
_MOMENTUM = share("momentum", 0.9, "μ", "share of the last velocity that is kept", 0.5)
_DECAY = HyperParameter(
    "weight_decay", 0.0, "λ", "pull of the weights towards zero", Range(1e-6, 1e0), at_least=0.0
)
_NESTEROV = Option("nesterov", False, (False, True), "look ahead: the momentum counts once more")
_DELTA = HyperParameter(
    "delta",
    0.1,
    "δ",
    "largest cosine of gradient and weights, times √n of n weights, at which their length counts "
    "as without effect",
    Range(1e-2, 1e0),
    at_least=0.0,
)
_WD_RATIO = HyperParameter(
    "wd_ratio",
    0.1,
    "ρ",
    "share of the weight decay that such weights get",
    Range(1e-2, 1e0),
    at_least=0.0,
)
_CHANNELS = Option(
    "channels",
    "last",
    ("last", "first"),
    "the axis of a kernel that counts its units: last in Flax, first in torch",
)
_PROJECTED = (
    "where |cos(g, θ)| < δ/√n for every unit, or for the array:\n"
    "    d ← d - (θ·d) θ / ‖θ‖²   for each unit, or for the array,   and λ ← ρ λ\n"
)
_PROJECTED_NOTES = (
    "Units are tried first, then the array as a whole; arrays of one axis are left as they are. "
    "A cosine near zero tells weights before a normalisation, whose length has no effect: their "
    "gradient is at right angles to them."
)
_FREE = {"delta": "delta", "wd_ratio": "wd_ratio", "nesterov": "nesterov", "eps": "epsilon"}
ADAMP = Optimizer(
    name="adamp",
    title="AdamP (Adam, projected)",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        f"d = m̂ / (√v̂ + ε)\n{_PROJECTED}θ ← θ - α (d + λ θ)"
    ),
    citation=citations.ADAMP,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        *_BETAS,
        epsilon(1e-8),
        _DECAY,
        _DELTA,
        _WD_RATIO,
    ),
    options=(_NESTEROV, _CHANNELS),
    build=adamp,
    slots=2,
    notes=f"The form of the authors' code. {_PROJECTED_NOTES}",
    dialects=(
        Dialect(
            framework="paper",
            form="averages as Adam's, not corrected in the paper's listing, corrected in its code",
        ),
        Dialect(
            framework="torch",
            call="adamp.AdamP",
            arguments={
                "lr": "learning_rate",
                "betas": ("beta_1", "beta_2"),
                "weight_decay": "weight_decay",
                **_FREE,
            },
            form=(
                "units are the first axis of torch's kernels, the last of Flax's; "
                "pytorch_optimizer's AdamP adds ε to 1/√v instead of √v"
            ),
        ),
    ),
)
SGDP = Optimizer(
    name="sgdp",
    title="SGDP (SGD with momentum, projected)",
    family=FAMILY,
    equation=f"v ← μ v + g,   d = v\n{_PROJECTED}θ ← θ - α (d + λ/(1-μ) θ)",
    citation=citations.ADAMP,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        _MOMENTUM,
        epsilon(1e-8, "keeps the weights' norm from zero"),
        _DECAY,
        _DELTA,
        _WD_RATIO,
    ),
    options=(
        _NESTEROV,
        _CHANNELS,
        Option(
            "velocity",
            "whole",
            ("whole", "projected"),
            "v keeps what the step loses (paper), or loses it too (the authors' code without "
            "Nesterov, whose projection writes into v)",
        ),
    ),
    build=sgdp,
    slots=1,
    notes=(
        f"The form of the paper; μ = 0.9, where the code has 0, to be chosen. {_PROJECTED_NOTES}"
    ),
    dialects=(
        Dialect(framework="paper", form="decay decoupled and divided by 1-μ"),
        Dialect(
            framework="torch",
            call="pytorch_optimizer.SGDP",
            arguments={
                "lr": "learning_rate",
                "momentum": "momentum",
                "dampening": Fixed(0.0),
                "weight_decay": "weight_decay",
                **_FREE,
            },
            defaults={"learning_rate": 1e-3, "momentum": 0.0},
            form="units are the first axis of torch's kernels, the last of Flax's",
        ),
    ),
)

ENTRIES = (ADAMP, SGDP)
