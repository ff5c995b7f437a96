"""Step lengths without tuning from distances and bets: dog, dowg, cocob, kt."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.dialects import Dialect
from fallline.optimizers.shared.parameters import epsilon, learning_rate
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.optimizers.tuning_free import citations_tuning_free as citations
from fallline.optimizers.tuning_free import rule_tuning_free as rules
from fallline.optimizers.tuning_free.momo import FAMILY
from fallline.spaces import Range


def dog(
    *, learning_rate: Any, first_share: Any, epsilon: Any, weight_decay: Any, layerwise: bool
) -> optax.GradientTransformationExtraArgs:
    """DoG."""
    rule = rules.distance_over_gradients(
        learning_rate, first_share, epsilon, weight_decay, layerwise=layerwise
    )
    return optax.with_extra_args_support(rule)


def dowg(
    *, learning_rate: Any, first_square: Any, epsilon: Any
) -> optax.GradientTransformationExtraArgs:
    """DoWG."""
    rule = rules.distance_over_weighted_gradients(learning_rate, first_square, epsilon)
    return optax.with_extra_args_support(rule)


def cocob(*, alpha: Any, epsilon: Any) -> optax.GradientTransformationExtraArgs:
    """COCOB-Backprop."""
    return optax.with_extra_args_support(rules.coin_betting(alpha, epsilon))


def kt(*, first_wealth: Any) -> optax.GradientTransformationExtraArgs:
    """KT."""
    return optax.with_extra_args_support(rules.krichevsky_trofimov(first_wealth))


FACTOR = learning_rate(
    1.0, 1e-1, 1e1, meaning="factor of the step that is found; to be scheduled rather than tuned"
)
COUPLED = HyperParameter(
    "weight_decay",
    0.0,
    "λ",
    "pull of the weights towards zero, added to the gradient as λθ",
    Range(1e-6, 1e-1),
    at_least=0.0,
)

DOG = Optimizer(
    name="dog",
    title="DoG (distance over gradients)",
    family=FAMILY,
    equation=(
        "r̄ ← max(r̄, ‖θ - θ₀‖),   r̄ starts at ρ (1 + ‖θ₀‖)\nG ← G + ‖g‖²\nθ ← θ - α r̄ / √(G + ε) g"
    ),
    citation=citations.IVGI,
    hyperparameters=(
        FACTOR,
        HyperParameter(
            "first_share",
            1e-6,
            "ρ",
            "the distance to begin with, as a share of 1 + ‖θ₀‖ (1e-4 with batch normalisation)",
            Range(1e-8, 1e-2),
            source=citations.IVGI,
            above=0.0,
        ),
        epsilon(1e-8),
        COUPLED,
    ),
    options=(
        Option(
            "layerwise",
            False,
            (False, True),
            "a distance, a sum and a step length for each array (L-DoG), instead of for all",
        ),
    ),
    build=dog,
    slots=1,
    notes=(
        "The form of the authors' code, which adds the decay to the gradient. The authors judge it "
        "by an average of the parameters."
    ),
    dialects=(
        Dialect(
            framework="paper",
            defaults={"epsilon": 0.0},
            form="No ε; the first step is ρ (1 + ‖θ₀‖) long.",
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.dog",
            arguments={
                "learning_rate": "learning_rate",
                "eps": "epsilon",
                "weight_decay": "weight_decay",
            },
            form="As here.",
            differs="ρ is left at 1e-6 in the code: give init_step=('heuristic', ρ).",
        ),
    ),
)
DOWG = Optimizer(
    name="dowg",
    title="DoWG (distance over weighted gradients)",
    family=FAMILY,
    equation=(
        "r̄² ← max(r̄², ‖θ - θ₀‖²),   r̄² starts at r₀²\nv ← v + r̄² ‖g‖²\nθ ← θ - α r̄² / (√v + ε) g"
    ),
    citation=citations.KHALED,
    hyperparameters=(
        FACTOR,
        HyperParameter(
            "first_square",
            1e-4,
            "r₀²",
            "square of the distance to begin with",
            Range(1e-12, 1e0),
            above=0.0,
        ),
        epsilon(1e-4),
    ),
    build=dowg,
    slots=1,
    notes="The form of the authors' code; all parameters share one step length.",
    dialects=(
        Dialect(framework="paper", defaults={"epsilon": 0.0}, form="No ε."),
        Dialect(
            framework="optax",
            call="optax.contrib.dowg",
            arguments={
                "learning_rate": "learning_rate",
                "init_estim_sq_dist": "first_square",
                "eps": "epsilon",
            },
            form="As here.",
        ),
    ),
)
COCOB = Optimizer(
    name="cocob",
    title="COCOB (coin betting)",
    family=FAMILY,
    equation=(
        "L ← max(L, |g|),   G ← G + |g|,   R ← max(R - g (θ - θ₀), 0),   s ← s - g\n"
        "θ ← θ₀ + s / (L max(G + L, a L)) (L + R)"
    ),
    citation=citations.ORABONA,
    hyperparameters=(
        HyperParameter(
            "alpha",
            100.0,
            "a",
            "how long the first bets are kept small, in steps",
            Range(1e0, 1e4),
            above=0.0,
        ),
        epsilon(1e-8, meaning="the largest gradient to begin with: L starts at it"),
    ),
    build=cocob,
    slots=5,
    notes=(
        "The backpropagation variant, which is the one in use. It has no learning rate, and does "
        "not change when the loss is multiplied by a constant (while gradients are larger than ε)."
    ),
    dialects=(
        Dialect(
            framework="paper",
            defaults={"epsilon": 0.0},
            form="L starts at 0, and 0/0 counts as 0.",
        ),
        Dialect(
            framework="torch",
            call="parameterfree.COCOB",
            arguments={"alpha": "alpha", "eps": "epsilon"},
            form="As here.",
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.cocob",
            arguments={"alpha": "alpha", "eps": "epsilon"},
            form="As here; its learning_rate scales the gradients, which changes next to nothing.",
        ),
    ),
)
KT = Optimizer(
    name="kt",
    title="KT (coin betting with the Krichevsky-Trofimov estimator)",
    family=FAMILY,
    equation=(
        "N ← max(N, ‖g‖),   c = -g / N,   N starts at 1\n"
        "W ← W + ⟨c, θ - θ₀⟩,   s ← s + c\nθ ← θ₀ + W s / (t+1)"
    ),
    citation=citations.ORABONA_PAL,
    hyperparameters=(
        HyperParameter(
            "first_wealth",
            1e-4,
            "W₀",
            "the wealth to begin with: the first step is half as long at most",
            Range(1e-8, 1e2),
            above=0.0,
        ),
    ),
    build=kt,
    slots=2,
    notes=(
        "The authors' code, made safe: the method asks for gradients of norm 1 at most, without "
        "which it can lose more than it has. Gradients are divided by the largest norm so far "
        "where that is above 1, so it is the published rule where they are not."
    ),
    dialects=(
        Dialect(
            framework="paper",
            form="As here, for gradients of norm 1 at most (N = 1).",
            differs="larger gradients are the user's to scale",
        ),
        Dialect(
            framework="torch",
            call="parameterfree.KT",
            arguments={"w": "first_wealth"},
            form="As here, for gradients of norm 1 at most (N = 1).",
            differs="larger gradients are the user's to scale",
        ),
    ),
)
