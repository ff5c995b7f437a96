"""Adam with several averages or corrected gradients: adan, ademamix, adapnm, mars and kin."""

from __future__ import annotations

from fallline.optimizers.adam import build_adam_moments as build
from fallline.optimizers.adam import citations_adam_moments as cited
from fallline.optimizers.adam import dialects_adam_mixtures as dialects
from fallline.optimizers.shared.parameters import DECAY, WEIGHT_DECAY, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "adam"
KEPT_MEAN = "share of the average gradient that is kept"
KEPT_SQUARE = "share of the average of squares that is kept"
UNCORRECTED = Option(
    "epsilon_place",
    "outside",
    ("outside", "uncorrected"),
    "√v̂ + ε (paper), or (√(v + 10⁻¹⁵) + ε) over the root of v's correction (pytorch_optimizer)",
)
_DECAY_PER_RATE = HyperParameter(
    "weight_decay",
    0.0,
    "λ",
    "pull of the weights towards zero, per unit of the learning rate",
    Range(1e-5, 1e0),
    at_least=0.0,
)


def betas(beta_1: float = 0.9, beta_2: float = 0.999) -> tuple[HyperParameter, HyperParameter]:
    """β₁ and β₂ with these defaults."""
    return (
        share("beta_1", beta_1, "β₁", KEPT_MEAN, 0.5),
        share("beta_2", beta_2, "β₂", KEPT_SQUARE, 0.9),
    )


ADAN = Optimizer(
    name="adan",
    title="Adan",
    family=FAMILY,
    equation=(
        "d = g - g′,   first d = 0,   g′ ← g\n"
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nw ← β₂ w + (1-β₂) d,   ŵ = w / (1-β₂ᵗ)\n"
        "n ← β₃ n + (1-β₃) (g + β₂ d)²,   n̂ = n / (1-β₃ᵗ)\n"
        "θ ← (θ - α (m̂ + β₂ ŵ) / (√n̂ + ε)) / (1 + α λ)"
    ),
    citation=cited.XIE_ADAN,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        share("beta_1", 0.98, "β₁", KEPT_MEAN, 0.5),
        share(
            "beta_2", 0.92, "β₂", "share of the average change of the gradient that is kept", 0.5
        ),
        share("beta_3", 0.99, "β₃", KEPT_SQUARE, 0.5),
        epsilon(1e-8),
        _DECAY_PER_RATE,
    ),
    options=(
        Option(
            "decay",
            "proximal",
            ("proximal", "decoupled"),
            "weight decay: θ is divided by 1 + αλ after the step (paper), or loses αλθ in it "
            "(AdamW)",
        ),
    ),
    build=build.adan,
    slots=4,
    notes=(
        "The form of the authors' code, whose β are one minus the paper's. The paper starts its "
        "averages at their first values, the code at zero with a correction of the bias. Optax "
        "0.2.8 weighs the change by 1-β₂ = 0.08 where the paper has 0.92, so that hardly anything "
        "of Nesterov's momentum is left."
    ),
    dialects=dialects.ADAN,
)
ADEMAMIX = Optimizer(
    name="ademamix",
    title="AdEMAMix",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        "s ← β₃ s + (1-β₃) g\nθ ← θ - α (m̂ + a s) / (√v̂ + ε)\n"
        "schedules: p = min(t/T, 1), a p for a,\n"
        "exp(ln β₁ ln β₃ / ((1-p) ln β₃ + p ln β₁)) for β₃"
    ),
    citation=cited.PAGLIARDINI,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        *betas(),
        share("beta_3", 0.9999, "β₃", "share of the slow average that is kept", 0.99, 0.99999),
        HyperParameter(
            "alpha", 5.0, "a", "weight of the slow average", Range(1e0, 2e1), at_least=0.0
        ),
        epsilon(1e-8),
        HyperParameter(
            "warm_up_steps",
            10000.0,
            "T",
            "steps over which a and β₃ grow to their values; the paper takes the whole training",
            Range(1e2, 1e6),
            above=0.0,
            only_with=("schedules", (True,)),
        ),
        WEIGHT_DECAY,
    ),
    options=(
        Option(
            "schedules",
            False,
            (False, True),
            "a grows from zero, and β₃ from β₁ so that its half-life grows evenly",
        ),
        Option(
            "corrected",
            "fast",
            ("fast", "both"),
            "only m is divided by 1-β₁ᵗ (paper, Optax), or m and s both (pytorch_optimizer 3.9.0)",
        ),
        DECAY,
    ),
    build=build.ademamix,
    slots=3,
    notes=(
        "Without schedules, as pytorch_optimizer and Optax have it unless asked for them; with "
        "them it is the paper's, which says that large models need them. a: pytorch_optimizer and "
        "Optax 5, the authors' code 2. The paper's decay is decoupled."
    ),
    dialects=dialects.ADEMAMIX,
)
SIMPLIFIED_ADEMAMIX = Optimizer(
    name="simplified_ademamix",
    title="Simplified AdEMAMix",
    family=FAMILY,
    equation=(
        "m ← β₁ m + g\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\nθ ← θ - α (m + a g) / (√v̂ + ε)"
    ),
    citation=cited.MORWANI,
    hyperparameters=(
        learning_rate(1e-4, 1e-7, 1e-1),
        share("beta_1", 0.99, "β₁", "share of the sum of gradients that is kept", 0.9),
        share("beta_2", 0.95, "β₂", KEPT_SQUARE, 0.5),
        HyperParameter(
            "alpha",
            0.0,
            "a",
            "weight of the newest gradient besides the one that it has in the sum",
            Range(1e0, 1e3),
            at_least=0.0,
        ),
        epsilon(1e-8),
        WEIGHT_DECAY,
    ),
    options=(
        Option(
            "momentum",
            "sum",
            ("sum", "average"),
            "m is a sum (paper, Optax), or an average, and the step is divided by 1-β₂ᵗ once more "
            "(pytorch_optimizer)",
        ),
        DECAY,
    ),
    build=build.simplified_ademamix,
    slots=2,
    notes=(
        "The form of Optax. m is a sum, not an average: a lasting gradient counts 1/(1-β₁) times, "
        "so the learning rate has to be smaller than Adam's by that. With a = 0 it is Adam without "
        "correction of m."
    ),
    dialects=dialects.SIMPLIFIED_ADEMAMIX,
)
ADAPNM = Optimizer(
    name="adapnm",
    title="AdaPNM",
    family=FAMILY,
    equation=(
        "mₜ = β₁² mₜ₋₂ + (1-β₁²) g\nv ← β₂ v + (1-β₂) g²,   n ← max(n, v),   n̂ = n / (1-β₂ᵗ)\n"
        "p = ((1+β₀) mₜ - β₀ mₜ₋₁) / √((1+β₀)² + β₀²)\nθ ← θ - α p / (1-β₁ᵗ) / (√n̂ + ε)"
    ),
    citation=cited.XIE_PNM,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        *betas(),
        HyperParameter(
            "beta_0",
            1.0,
            "β₀",
            "weight of the momentum that is subtracted: more adds noise to the step",
            Range(1e-1, 1e1),
            at_least=0.0,
        ),
        epsilon(1e-8),
        WEIGHT_DECAY,
    ),
    options=(
        Option("amsgrad", True, (True, False), "the largest v so far in place of v"),
        UNCORRECTED,
        DECAY,
    ),
    build=build.adapnm,
    slots=4,
    notes=(
        "The form of the authors' code: β₁² in two averages that take turns, and a correction by "
        "1-β₁ᵗ. β₀ is β₃ in that code. Without amsgrad it holds one array less."
    ),
    dialects=dialects.ADAPNM,
)
MARS = Optimizer(
    name="mars",
    title="MARS-AdamW",
    family=FAMILY,
    equation=(
        "c = g + γ β₁ / (1-β₁) (g - g′),   c ← c / max(‖c‖, 1),   g′ ← g\n"
        "m ← β₁ m + (1-β₁) c,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) c²,   v̂ = v / (1-β₂ᵗ)\n"
        "θ ← θ - α (m̂ / (√v̂ + ε) + λ θ)\n"
        "vectors: g for c, and β₁, β₂ and α of their own (AdamW)"
    ),
    citation=cited.YUAN_MARS,
    hyperparameters=(
        learning_rate(0.003, 1e-6, 1e0),
        *betas(0.95, 0.99),
        HyperParameter(
            "gamma",
            0.025,
            "γ",
            "how much of the gradient's change is added to it",
            Range(1e-3, 1e0),
            at_least=0.0,
        ),
        epsilon(1e-8),
        HyperParameter(
            "vector_learning_rate",
            0.003,
            "α of vectors",
            "length of the step of vectors and scalars",
            Range(1e-6, 1e0),
            above=0.0,
            only_with=("mars_vectors", (False,)),
        ),
        share(
            "vector_beta_1",
            0.9,
            "β₁ of vectors",
            KEPT_MEAN,
            0.5,
            only_with=("mars_vectors", (False,)),
        ),
        share(
            "vector_beta_2",
            0.95,
            "β₂ of vectors",
            KEPT_SQUARE,
            0.5,
            only_with=("mars_vectors", (False,)),
        ),
        _DECAY_PER_RATE,
    ),
    options=(
        Option(
            "mars_vectors",
            False,
            (False, True),
            "MARS for vectors and scalars too, which are AdamW's otherwise",
        ),
        Option(
            "step",
            "adamw",
            ("adamw", "lion", "shampoo"),
            "m̂ / (√v̂ + ε), the sign of m (MARS-Lion), or m made √max(1, out/in) U Vᵀ as in Muon "
            "(MARS-Shampoo); vectors that are AdamW's stay so",
        ),
        Option(
            "cautious",
            False,
            (False, True),
            "m only where it agrees with g in sign, the rest of the array the larger for it",
        ),
        UNCORRECTED,
    ),
    build=build.mars,
    slots=3,
    notes=(
        "MARS-approx of the authors' code: g′ is the last step's gradient, not the new batch's at "
        "the last parameters, and is zero before the first step. The norm is each array's own. "
        "Here convolutions are matrices, as in pytorch_optimizer; the authors' code takes arrays "
        "of two dimensions alone, and has decay 0.1 for all others. Schedules move both learning "
        "rates alike; a search over α leaves that of vectors as it is, as in the authors' code."
    ),
    dialects=dialects.MARS,
)
