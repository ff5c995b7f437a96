"""Around any optimizer, what is done to its gradients: clipping, noise, penalties, SAM."""

from __future__ import annotations

from fallline.optimizers.around import citations_wrappers as works
from fallline.optimizers.around import rule_gradients as rules
from fallline.optimizers.around.penalties import L1, L2
from fallline.optimizers.around.wrapper_parts import paper, peer
from fallline.optimizers.spec import HyperParameter, Option
from fallline.optimizers.wrapping import Wrapper
from fallline.spaces import Range

FAMILY = "gradient"

_OUTPUTS = Option(
    "outputs",
    "last",
    ("last", "first"),
    "the axis that counts a layer's outputs: the last in Flax and Keras, the first in torch",
)
CLIP_VALUE = Wrapper(
    name="clip_value",
    title="gradients clipped by value",
    family=FAMILY,
    equation="g ← min(max(g, -c), c)   in every element",
    citation=works.MIKOLOV,
    hyperparameters=(
        HyperParameter("limit", 1.0, "c", "largest absolute value", Range(1e-3, 1e2), above=0.0),
    ),
    wrap=rules.changing(rules.clip_value),
    notes="It changes the direction of the gradient; clip_norm keeps it.",
    dialects=(
        paper("c = 15, in every element"),
        peer(
            "torch",
            "torch.nn.utils.clip_grad_value_",
            "the same",
            "",
            arguments={"clip_value": "limit"},
        ),
        peer(
            "keras", "keras.optimizers.Optimizer", "the same", "", arguments={"clipvalue": "limit"}
        ),
        peer("optax", "optax.clip", "the same", "", arguments={"max_delta": "limit"}),
    ),
)
CLIP_NORM = Wrapper(
    name="clip_norm",
    title="gradients clipped by their norm",
    family=FAMILY,
    equation="g ← g min(1, c / (‖g‖ + ε)),   ‖g‖ over all parameters together",
    citation=works.PASCANU,
    hyperparameters=(
        HyperParameter("limit", 1.0, "c", "largest norm", Range(1e-2, 1e2), above=0.0),
        HyperParameter(
            "epsilon", 0.0, "ε", "keeps the denominator from zero", Range(1e-8, 1e-3), at_least=0.0
        ),
    ),
    wrap=rules.changing(rules.clip_norm),
    notes=(
        "The paper's form, without ε; torch has ε = 1e-6, which makes clipped gradients a little "
        "shorter than c. The norm is that of all gradients as one vector."
    ),
    dialects=(
        paper("the same without ε"),
        peer(
            "torch",
            "torch.nn.utils.clip_grad_norm_",
            "ε = 1e-6 beside the norm",
            "",
            arguments={"max_norm": "limit"},
            defaults={"epsilon": 1e-6},
        ),
        peer(
            "keras",
            "keras.optimizers.Optimizer",
            "the same without ε; clipnorm is for each variable by itself",
            "",
            arguments={"global_clipnorm": "limit"},
        ),
        peer(
            "optax",
            "optax.clip_by_global_norm",
            "the same without ε",
            "",
            arguments={"max_norm": "limit"},
        ),
    ),
)
AGC = Wrapper(
    name="agc",
    title="adaptive gradient clipping",
    family=FAMILY,
    equation=(
        "g ← g λ max(‖θ‖, ε) / ‖g‖   where ‖g‖ > λ max(‖θ‖, ε)\n"
        "‖·‖ over the weights of one output; over the whole of a vector"
    ),
    citation=works.BROCK,
    hyperparameters=(
        HyperParameter(
            "limit",
            0.01,
            "λ",
            "largest ratio of gradient to weights",
            Range(0.01, 0.16),
            works.BROCK,
            above=0.0,
        ),
        HyperParameter(
            "epsilon",
            1e-3,
            "ε",
            "the norm that small weights count as",
            Range(1e-4, 1e-1),
            above=0.0,
        ),
    ),
    options=(_OUTPUTS,),
    wrap=rules.changing(rules.agc),
    notes=(
        "Weights of zero hardly move under plain gradient descent: their gradient is at most λ ε "
        "long. The paper leaves the last layer unclipped; here every parameter is clipped."
    ),
    dialects=(
        paper("the same, for all layers but the last", "The last layer is not clipped."),
        peer(
            "torch",
            "pytorch_optimizer.optimizer.agc.agc",
            "the same with outputs='first'",
            "",
            arguments={"agc_eps": "epsilon", "agc_clip_val": "limit"},
            options={"outputs": "first"},
        ),
        peer(
            "optax",
            "optax.adaptive_grad_clip",
            "the same; of three axes only the first is summed",
            "Arrays with three axes: a norm for each of the last two.",
            arguments={"clipping": "limit", "eps": "epsilon"},
        ),
    ),
)
CENTRALIZE = Wrapper(
    name="centralize",
    title="gradient centralization",
    family=FAMILY,
    equation="g ← g - mean(g),   the mean over the weights of one output",
    citation=works.YONG,
    options=(
        _OUTPUTS,
        Option(
            "arrays",
            "matrices",
            ("matrices", "kernels"),
            "what is centralized: arrays of two axes and more, or kernels of convolutions alone",
        ),
    ),
    wrap=rules.changing(rules.centralize),
    notes=(
        "Gradient descent then keeps the mean of each output's weights for ever. Biases and gains "
        "are left as they are. Optax takes the first axis for the outputs, which in Flax is that "
        "of the inputs: outputs='first' is its form."
    ),
    dialects=(
        paper("the same"),
        peer(
            "torch",
            "pytorch_optimizer.optimizer.gradient_centralization.centralize_gradient",
            "the same with outputs='first'; gc_conv_only is arrays='kernels'",
            "",
            options={"outputs": "first"},
        ),
        peer(
            "optax",
            "optax.centralize",
            "over all axes but the first, whatever they are",
            "",
            options={"outputs": "first"},
        ),
    ),
)
NOISE = Wrapper(
    name="noise",
    title="gradient noise",
    family=FAMILY,
    equation="g ← g + N(0, σ²),   σ² = η / (1+t)^γ,   t counts the steps before this one",
    citation=works.NEELAKANTAN,
    hyperparameters=(
        HyperParameter(
            "variance",
            0.01,
            "η",
            "variance at the first step",
            Range(0.01, 1.0),
            works.NEELAKANTAN,
            at_least=0.0,
        ),
        HyperParameter(
            "decay",
            0.55,
            "γ",
            "power of the step by which the variance falls",
            Range(0.1, 1.0, "linear"),
            at_least=0.0,
        ),
    ),
    wrap=rules.noise,
    needs=frozenset({"key"}),
    notes="η is absolute: it does not follow the size of the gradient. The paper tries 0.01 to 1.",
    dialects=(
        paper("the same, η one of 0.01, 0.3, 1.0"),
        peer(
            "optax",
            "optax.add_noise",
            "the same, with a key of its own in the state",
            "",
            arguments={"eta": "variance", "gamma": "decay"},
        ),
    ),
)
GROKFAST = Wrapper(
    name="grokfast",
    title="slow gradients amplified (Grokfast)",
    family=FAMILY,
    equation="a ← β a + (1-β) g,   a starts as the first g\ng ← g + λ a",
    citation=works.LEE,
    hyperparameters=(
        HyperParameter(
            "decay",
            0.98,
            "β",
            "share of the average gradient that is kept",
            Range(0.8, 0.99, "log_one_minus"),
            works.LEE,
            at_least=0.0,
            below=1.0,
        ),
        HyperParameter(
            "factor",
            2.0,
            "λ",
            "how much the average is amplified",
            Range(0.1, 5.0),
            works.LEE,
            at_least=0.0,
        ),
    ),
    slots=1,
    wrap=rules.grokfast,
    notes=(
        "The form with an exponential average. In the long run the gradient is 1 + λ times as "
        "large, and so is the step where nothing divides by the gradient's size."
    ),
    dialects=(
        paper("the same; a second form has the mean of a window"),
        peer(
            "torch",
            "pytorch_optimizer.optimizer.grokfast.gradfilter_ema",
            "the same",
            "Given no average it begins with the gradients' own memory, hence amplified ones.",
            arguments={"alpha": "decay", "lamb": "factor"},
        ),
    ),
)
SAM = Wrapper(
    name="sam",
    title="sharpness-aware minimization",
    family=FAMILY,
    equation=(
        "ε = ρ g / ‖g‖,   adaptive: ε = ρ |θ|² g / ‖|θ| g‖\n"
        "g ← gradient at θ + ε, on the same batch;   the step is taken from θ"
    ),
    citation=works.FORET,
    hyperparameters=(
        HyperParameter(
            "radius",
            0.05,
            "ρ",
            "how far away the highest point is sought",
            Range(0.01, 0.5),
            works.FORET,
            at_least=0.0,
        ),
    ),
    options=(
        Option(
            "adaptive",
            False,
            (False, True),
            "ASAM (Kwon et al. 2021): distances in units of the weights; ρ about ten times larger",
        ),
    ),
    wrap=rules.sam,
    needs=frozenset({"value_fn"}),
    gradients_per_step=2,
    notes=(
        "Where ‖g‖ = 0 the gradient is taken in place. ASAM's additional η, added to |θ|, is left "
        "out. Around accumulate every batch has its own ε, inside of it the mean gradient's."
    ),
    dialects=(
        paper("the same, ρ = 0.05"),
        peer(
            "torch",
            "pytorch_optimizer.SAM",
            "the same; 1e-12 is added to ‖g‖",
            "",
            arguments={"rho": "radius", "adaptive": "adaptive"},
        ),
        peer(
            "optax",
            "optax.contrib.sam",
            "ε by an optimizer of its own: normalize() and sgd(ρ)",
            "Unless opaque_mode=True, every second update moves to θ + ε and back.",
        ),
    ),
)
ACCUMULATE = Wrapper(
    name="accumulate",
    title="gradient accumulation",
    family=FAMILY,
    equation="g = mean of the gradients of k batches;   a step after every k-th, none between",
    citation=works.GOYAL,
    options=(Option("batches", 4, (), "number of batches k for one step"),),
    slots=1,
    wrap=rules.accumulate,
    notes=(
        "With k batches of equal size it is a batch k times as large. Schedules inside count the "
        "steps taken, schedules around it the batches. What changes steps (weight_decay) belongs "
        "inside: around it, it would act after every batch. Batches left over are not used."
    ),
    dialects=(
        paper("a batch of kn examples computed by k workers", "Workers at once, not in turn."),
        peer(
            "keras",
            "keras.optimizers.Optimizer",
            "the same: the mean of the gradients",
            "",
            arguments={"gradient_accumulation_steps": "batches"},
        ),
        peer(
            "optax",
            "optax.MultiSteps",
            "the same with use_grad_mean=True, its default",
            "Schedules inside are given the number of steps by whoever makes them.",
            arguments={"every_k_schedule": "batches"},
        ),
    ),
)

ENTRIES = (
    CLIP_VALUE,
    CLIP_NORM,
    AGC,
    CENTRALIZE,
    NOISE,
    GROKFAST,
    L1,
    L2,
    SAM,
    ACCUMULATE,
)
