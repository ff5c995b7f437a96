"""Around any optimizer, a factor of its steps that is learned while training: mechanic."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.dialects import Dialect
from fallline.optimizers.spec import HyperParameter, Option
from fallline.optimizers.tuning_free import citations_tuning_free as citations
from fallline.optimizers.tuning_free.rule_tuning_free import dot, norm, quotient
from fallline.optimizers.wrapping import Inner, Wrapper
from fallline.spaces import Range

FAMILY = "step"


class MechanicState(NamedTuple):
    """Of each tuner, shape ``(tuners,)``: its factor, the largest product, the root of the sum of
    squared products, the reward. Then the sum of the inner steps, and the inner state."""

    factors: jax.Array
    largest: jax.Array
    root: jax.Array
    reward: jax.Array
    moved: optax.Updates
    inner: Any


def mechanised(
    inner: Inner,
    *,
    weight_decay: Any,
    first_factor: Any,
    first_product: Any,
    epsilon: Any,
    tuners: int,
    form: str,
) -> optax.GradientTransformationExtraArgs:
    """Mechanic (Cutkosky et al. 2023, algorithm 1).

    The sum of the inner steps is kept, not found from the parameters: with factors of 1e-8 what
    is left of it in float32 parameters is rounding. The authors' code finds it so, which shrinks
    it by ``s / (s + ε)`` in every step; ``form="code"`` does as much.
    """
    rule = inner()

    def init(params: optax.Params) -> MechanicState:
        dtype = jnp.result_type(*jax.tree.leaves(params))
        nothing = jnp.zeros((tuners,), dtype)
        moved = jax.tree.map(jnp.zeros_like, params)
        largest = jnp.full_like(nothing, first_product)
        return MechanicState(nothing, largest, nothing, nothing, moved, rule.init(params))

    def update(
        grads: optax.Updates,
        state: MechanicState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, MechanicState]:
        steps, held = rule.update(grads, state.inner, params, **extra)
        before = jnp.sum(state.factors)
        place, old, changed = params, state.moved, steps
        if form == "code":
            lost = epsilon / (before + epsilon)
            place = jax.tree.map(jnp.add, params, steps)
            old = jax.tree.map(lambda m: (1 - lost) * m, state.moved)
            changed = jax.tree.map(lambda u, m: u - lost * m, steps, state.moved)
        pull = weight_decay * before * quotient(norm(grads), norm(place))
        product = dot(old, jax.tree.map(lambda g, p: g + pull * p, grads, place))
        kept = jnp.asarray([1 - 0.1**i for i in range(1, tuners + 1)], state.factors.dtype)
        largest = jnp.maximum(kept * state.largest, jnp.abs(product))
        root = jnp.hypot(kept * state.root, product)
        reward = jnp.maximum(kept * state.reward - state.factors * product, 0)
        factors = quotient(first_factor / tuners * largest + reward, root + epsilon)
        moved = jax.tree.map(jnp.add, old, steps)
        grown = jnp.sum(factors) - before
        # The change of s̄ Δ, of which θ₀ takes no part.
        updates = jax.tree.map(lambda m, u: grown * m + before * u, moved, changed)
        return updates, MechanicState(factors, largest, root, reward, moved, held)

    return optax.GradientTransformationExtraArgs(init, update)


MECHANIC = Wrapper(
    name="mechanic",
    title="its learning rate tuned by Mechanic",
    family=FAMILY,
    equation=(
        "h = ⟨Δ, g + λ s̄ ‖g‖/‖θ‖ θ⟩,   s̄ = s₁ + … + sₙ\n"
        "mᵢ ← max(βᵢ mᵢ, |h|),   vᵢ ← βᵢ² vᵢ + h²,   rᵢ ← max(0, βᵢ rᵢ - sᵢ h)\n"
        "sᵢ ← (s₀ mᵢ / n + rᵢ) / (√vᵢ + ε),   βᵢ = 1 - 10⁻ⁱ\n"
        "Δ ← Δ + u with the optimizer's step u\nθ ← θ₀ + s̄ Δ"
    ),
    citation=citations.CUTKOSKY,
    wrap=mechanised,
    finds_rate=True,
    hyperparameters=(
        HyperParameter(
            "weight_decay",
            0.01,
            "λ",
            "how much the factor is held back while the weights are large",
            Range(1e-4, 1e0),
            at_least=0.0,
        ),
        HyperParameter(
            "first_factor",
            1e-8,
            "s₀",
            "the factor to begin with, to be smaller than the best",
            Range(1e-10, 1e-3),
            above=0.0,
        ),
        HyperParameter(
            "first_product",
            0.0,
            "m₀",
            "largest product to begin with: greater than ε makes the first factors large",
            Range(1e-10, 1e-4),
            at_least=0.0,
        ),
        HyperParameter(
            "epsilon", 1e-8, "ε", "keeps the denominator from zero", Range(1e-12, 1e-3), above=0.0
        ),
    ),
    options=(
        Option("tuners", 6, (), "tuners, each with a longer memory, whose factors add up"),
        Option(
            "form",
            "paper",
            ("paper", "code"),
            "the paper's, or the authors' torch code: θ in h is where the inner step leads, "
            "and Δ shrinks by s̄ / (s̄ + ε) in every step (with m₀ = 0 it never starts)",
        ),
    ),
    slots=1,
    more_state="4 numbers per tuner",
    notes=(
        "The form of the paper. The optimizer inside keeps its own schedule "
        "and learning rate, of which only the schedule's shape matters much. The first step "
        "has the factor 0. Optimizers that are judged by other parameters than they train are "
        "not to be put inside: those are found from steps that are not scaled."
    ),
    dialects=(
        Dialect(
            framework="paper",
            form="As here, but for mᵢ.",
            differs="mᵢ ← max(βᵢ mᵢ, h); the authors' codes and this wrapper have |h|.",
        ),
        Dialect(
            framework="torch",
            call="mechanic_pytorch.mechanize",
            arguments={
                "s_decay": "weight_decay",
                "s_init": "first_factor",
                "eps": "epsilon",
            },
            defaults={"first_product": 1e-6},
            options={"form": "code"},
            form="Around an optimizer's class: mechanize(torch.optim.SGD, s_decay=...)(params).",
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.mechanize",
            arguments={
                "weight_decay": "weight_decay",
                "eps": "epsilon",
                "s_init": "first_factor",
                "num_betas": "tuners",
            },
            defaults={"first_factor": 1e-6},
            form="Around an optimizer, its first argument.",
            differs=(
                "the factors begin at s₀ each instead of 0, h is clipped to the largest product "
                "before it, rewards may fall below 0, ε is added to mᵢ too, and Δ is found from "
                "the parameters."
            ),
        ),
    ),
)

ENTRIES: tuple[Wrapper, ...] = (MECHANIC,)
