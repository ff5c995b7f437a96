"""Steps by second derivatives, estimated or remembered: adahessian, sophia, apollo, lbfgs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optax

from fallline.optimizers.matrix import citations_matrix as citations
from fallline.optimizers.matrix import dialects_curvature as dialects
from fallline.optimizers.matrix import rule_curvature as rules
from fallline.optimizers.matrix import rule_lbfgs
from fallline.optimizers.shared.parameters import chained, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "curvature"

_AVERAGE = "share of the average gradient that is kept"
_PROBED = frozenset({"value_fn", "key"})


def _weight_decay(default: float) -> HyperParameter:
    return HyperParameter(
        "weight_decay",
        default,
        "λ",
        "pull of the weights towards zero, per unit of the learning rate",
        Range(1e-5, 1e0),
        at_least=0.0,
    )


def _wolfe(name: str, default: float, symbol: str, meaning: str, span: Range) -> HyperParameter:
    return HyperParameter(
        name,
        default,
        symbol,
        meaning,
        span,
        above=0.0,
        below=1.0,
        only_with=("line_search", ("zoom",)),
    )


def adahessian(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    power: Any,
    weight_decay: Any,
) -> optax.GradientTransformationExtraArgs:
    """AdaHessian."""
    rule = rules.scale_by_adahessian(beta_1, beta_2, epsilon, power)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def sophia(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    gamma: Any,
    weight_decay: Any,
    every: int,
    probe: str,
) -> optax.GradientTransformationExtraArgs:
    """Sophia-H."""
    rule = rules.scale_by_sophia(beta_1, beta_2, epsilon, gamma, every=every, probe=probe)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def apollo(
    *,
    learning_rate: Any,
    beta: Any,
    epsilon: Any,
    sigma: Any,
    initial_rate: Any,
    warmup: Any,
    weight_decay: Any,
    rebound: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """Apollo."""
    rule = rules.apollo(learning_rate, beta, epsilon, sigma, initial_rate, warmup, rebound=rebound)
    if decay == "coupled":
        rule = optax.chain(optax.add_decayed_weights(weight_decay), rule)
    return optax.with_extra_args_support(rule)


def lbfgs(
    *,
    learning_rate: Any,
    c1: Any,
    c2: Any,
    memory_size: int,
    line_search: str,
    trials: int,
    first_step: str,
) -> optax.GradientTransformationExtraArgs:
    """L-BFGS."""
    return rule_lbfgs.lbfgs(
        learning_rate,
        c1,
        c2,
        memory_size=memory_size,
        line_search=line_search,
        trials=trials,
        first_step=first_step,
    )


ADAHESSIAN = Optimizer(
    name="adahessian",
    title="AdaHessian",
    family=FAMILY,
    equation=(
        "z = ±1 at random,   d = |z ∘ ∇(gᵀ z)|, of a convolution its mean over height and width\n"
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) d²,   v̂ = v / (1-β₂ᵗ)\n"
        "θ ← θ - α (m̂ / ((√v̂)^k + ε) + λ θ)"
    ),
    citation=citations.YAO,
    hyperparameters=(
        learning_rate(0.15, 1e-4, 1e0),
        share("beta_1", 0.9, "β₁", _AVERAGE, 0.5),
        share("beta_2", 0.999, "β₂", "share of the average of squared curvatures kept", 0.9),
        epsilon(1e-4, span=Range(1e-16, 1e-1)),
        HyperParameter(
            "power",
            1.0,
            "k",
            "power of the curvature that a step is over: 1 for Newton's, 0 for the gradient's",
            Range(0.1, 1.0, "linear"),
            at_least=0.0,
        ),
        _weight_decay(0.0),
    ),
    build=adahessian,
    slots=2,
    needs=_PROBED,
    gradients_per_step=2,
    notes=(
        "The form of the authors' code. A step costs a second gradient: the derivative of the "
        "gradient along z, which is new in every step. The estimate is exact where the Hessian is "
        "diagonal."
    ),
    dialects=dialects.ADAHESSIAN,
)
SOPHIA = Optimizer(
    name="sophia",
    title="Sophia-H",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g\n"
        "every k steps  z normal at random,   h ← β₂ h + (1-β₂) z ∘ ∇(gᵀ z)\n"
        "θ ← θ - α (clip(m / max(γ h, ε), -1, 1) + λ θ)"
    ),
    citation=citations.LIU_SOPHIA,
    hyperparameters=(
        learning_rate(6e-4, 1e-6, 1e-1, meaning="longest step of any entry"),
        share("beta_1", 0.96, "β₁", _AVERAGE, 0.5),
        share("beta_2", 0.99, "β₂", "share of the average curvature that is kept", 0.9),
        epsilon(1e-12, "least curvature, after γ", Range(1e-16, 1e-3), above=0.0),
        HyperParameter(
            "gamma",
            0.01,
            "γ",
            "how much of a Newton step makes the longest step: larger clips less",
            Range(1e-3, 1e0),
            above=0.0,
        ),
        _weight_decay(0.1),
    ),
    options=(
        Option("every", 10, (), "steps from one estimate of the curvature to the next (k)"),
        Option(
            "probe",
            "normal",
            ("normal", "signs"),
            "z normal (paper), or ±1 (Optax): the same mean, and less variance",
        ),
    ),
    build=sophia,
    slots=2,
    needs=_PROBED,
    notes=(
        "The paper's second form, with γ; in the first, and in pytorch_optimizer, the learning "
        "rate is α/γ. Neither average is corrected for its start at zero. Every k-th step costs a "
        "second gradient. Where the estimate is negative the step is α, by the sign of m."
    ),
    dialects=dialects.SOPHIA,
)
APOLLO = Optimizer(
    name="apollo",
    title="Apollo",
    family=FAMILY,
    equation=(
        "y = g - m,   a = (1-β) / (1-βᵗ),   m ← m + a y\n"
        "n = ‖d‖₄ + ε/σ,   u = d / n\nB ← B - (uᵀ B u + a uᵀ y / n) u²\n"
        "d = m / max(|B|, σ)\n"
        "θ ← θ - (α₀ + (α - α₀) min(1, t/T)) d"
    ),
    citation=citations.MA,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        share("beta", 0.9, "β", _AVERAGE, 0.5),
        epsilon(1e-4, "keeps the norm of the last direction from zero", Range(1e-10, 1e-1)),
        HyperParameter(
            "sigma",
            0.01,
            "σ",
            "least curvature",
            Range(1e-4, 1e1),
            above=0.0,
            only_with=("rebound", ("constant",)),
        ),
        HyperParameter(
            "initial_rate",
            1e-5,
            "α₀",
            "learning rate before the first step",
            Range(1e-7, 1e-1),
            at_least=0.0,
        ),
        HyperParameter(
            "warmup",
            500.0,
            "T",
            "steps in which the learning rate grows from α₀ to α",
            Range(1.0, 5000.0),
            above=0.0,
        ),
        replace(_weight_decay(0.0), only_with=("decay", ("coupled",))),
    ),
    options=(
        Option(
            "rebound",
            "constant",
            ("constant", "belief"),
            "σ as given, or the largest of |y|, with ε/a added to the denominator and ε to n",
        ),
        Option("decay", "none", ("none", "coupled"), "whether λθ is added to the gradient (L2)"),
    ),
    build=apollo,
    slots=3,
    notes=(
        "The form of the authors' code, whose warm-up is part of the rule: B is 0 at first and "
        "learnt from differences of gradients, an array at a time. α and σ matter by α/σ alone, as "
        "long as no |B| is above σ. The first form of the paper had σ = 1."
    ),
    dialects=dialects.APOLLO,
)
LBFGS = Optimizer(
    name="lbfgs",
    title="L-BFGS (full batch)",
    family=FAMILY,
    equation=(
        "s = θₜ - θₜ₋₁,   y = gₜ - gₜ₋₁,   ρ = 1 / yᵀs,   the last 10 of each\n"
        "H = sᵀy / yᵀy, then from the oldest  H ← (1 - ρ s yᵀ) H (1 - ρ y sᵀ) + ρ s sᵀ\n"
        "θ ← θ - t H g,   t from α on so that with d = -H g\n"
        "f(θ + t d) ≤ f(θ) + c₁ t gᵀd,   |∇f(θ + t d)ᵀ d| ≤ c₂ |gᵀd|"
    ),
    citation=citations.LIU_NOCEDAL,
    hyperparameters=(
        learning_rate(1.0, 1e-3, 1e1, meaning="length of the first step that is tried"),
        _wolfe(
            "c1",
            1e-4,
            "c₁",
            "share of the decrease that the slope promises which is enough",
            Range(1e-6, 0.5),
        ),
        _wolfe(
            "c2",
            0.9,
            "c₂",
            "share of the slope that may be left",
            Range(0.1, 0.99, "linear"),
        ),
    ),
    options=(
        Option("memory_size", 10, (), "steps that are remembered"),
        Option("line_search", "zoom", ("zoom", "none"), "search for t, or take t = α"),
        Option("trials", 20, (), "most step lengths tried for one step"),
        Option(
            "first_step",
            "euclidean",
            ("euclidean", "manhattan"),
            "the first step has at most length 1 (Optax), or entries that sum up to at most 1 "
            "(torch), before t",
        ),
    ),
    build=lbfgs,
    slots=3,
    more_state="the last memory_size steps and as many differences of gradients, parameter-sized",
    needs=frozenset({"value", "grad", "value_fn"}),
    full_batch=True,
    gradients_per_step=2,
    notes=(
        "Optax's two loops and zoom line search, which calls loss and gradient at least once per "
        "step. The paper starts from H = 1 with any first step. A pair with yᵀs = 0 is left out; "
        "torch leaves out those below 1e-10."
    ),
    dialects=dialects.LBFGS,
)

ENTRIES = (ADAHESSIAN, SOPHIA, APOLLO, LBFGS)
