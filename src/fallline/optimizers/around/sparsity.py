"""Around any optimizer, what makes networks smaller: pruning, sparse training, fewer bits."""

from __future__ import annotations

from fallline.optimizers.around import citations_wrappers as works
from fallline.optimizers.around import rule_rounding, rule_sparsity
from fallline.optimizers.around.rule_reallocation import sparse, sparse_too
from fallline.optimizers.around.wrapper_parts import paper, peer
from fallline.optimizers.spec import HyperParameter, Option
from fallline.optimizers.wrapping import Wrapper
from fallline.spaces import Range

FAMILY = "sparsity"

_WEIGHTS = (
    "Weights are arrays with two axes or more; biases and gains are left as they are. Put it last "
    "among what changes steps or averages weights: what stands behind it in the name would fill "
    "the gaps again. Averages inside are judged without the weights that are gone. The optimizer "
    "inside is given gradients and a loss of the sparse network alone. A training that stops "
    "early keeps the weights of that moment."
)


def _density(default: float) -> HyperParameter:
    return HyperParameter(
        "density",
        default,
        "d",
        "share of the weights that there are at the end",
        Range(0.02, 0.5),
        above=0.0,
        at_most=1.0,
    )


PRUNE = Wrapper(
    name="prune",
    title="pruned while training",
    family=FAMILY,
    equation=(
        "after pruning number j of n a share s of the weights is 0 for good, the smallest |θ|:\n"
        "s = (1 - d) (1 - (1 - j/n)³),   j = ⌊n (t/T - b) / (e - b)⌋, at least 0 and at most n"
    ),
    citation=works.ZHU,
    hyperparameters=(
        _density(0.1),
        HyperParameter(
            "begin",
            0.1,
            "b",
            "part of the training before the first pruning",
            Range(0.0, 0.4, "linear"),
            at_least=0.0,
            below=1.0,
        ),
        HyperParameter(
            "end",
            0.75,
            "e",
            "part of the training after which nothing more is pruned",
            Range(0.5, 1.0, "linear"),
            above=0.0,
            at_most=1.0,
        ),
    ),
    options=(
        Option(
            "scope",
            "global",
            ("global", "array"),
            "the smallest of all weights together, or the same share of every array",
        ),
        Option("times", 50, (), "prunings n between begin and end"),
    ),
    wrap=rule_sparsity.prune,
    of_judged=rule_sparsity.pruned_too,
    needs=frozenset({"total_steps"}),
    notes=(
        "Equation 1 of the paper with an initial sparsity of 0; T is the whole training and t "
        "counts the steps taken. What is zero is gone: no mask is kept beside the weights, and "
        "weights that are zero when pruning begins go first. As many weights are taken as torch's "
        f"pruning takes, rounded half to even; of equal ones the last. {_WEIGHTS}"
    ),
    dialects=(
        paper(
            "the same share of every array, at every 100 to 1000 steps",
            options={"scope": "array"},
        ),
        peer(
            "torch",
            "torch.nn.utils.prune.global_unstructured",
            "with pruning_method=L1Unstructured: the smallest of all arrays named, once",
            "The schedule is up to the training loop, and pruned weights are kept beside the mask. "
            "l1_unstructured takes the smallest of one array: scope='array'.",
        ),
        peer(
            "keras",
            "tfmot.sparsity.keras.prune_low_magnitude",
            "PolynomialDecay with power=3: the same, of every array, counted in steps",
            "Pruned weights are kept beside the mask and may come back.",
            options={"scope": "array"},
        ),
    ),
)
SPARSE = Wrapper(
    name="sparse",
    title="trained sparse, its weights reallocated",
    family=FAMILY,
    equation=(
        "a random share d of the weights is there at the start, the others are 0\n"
        "n - 1 times in e T steps, in place of a step: the share p of those with the smallest |θ| "
        "goes,\n"
        "as many others come, at 0: those with the largest |g|, or random ones\n"
        "p = a (1 + cos(π t / (e T))) / 2"
    ),
    citation=works.EVCI,
    hyperparameters=(
        _density(0.1),
        HyperParameter(
            "share",
            0.3,
            "a",
            "share of the weights that is replaced at first",
            Range(0.1, 0.5, "linear"),
            works.EVCI,
            at_least=0.0,
            below=1.0,
        ),
        HyperParameter(
            "end",
            0.75,
            "e",
            "part of the training after which no weight is replaced",
            Range(0.3, 1.0, "linear"),
            above=0.0,
            at_most=1.0,
        ),
    ),
    options=(
        Option(
            "growth",
            "gradient",
            ("gradient", "random", "none"),
            "which weights come: those with the largest gradient (RigL), random ones (SET), or "
            "none do and none go (static)",
        ),
        Option(
            "share_over_time",
            "cosine",
            ("cosine", "constant"),
            "the share that is replaced: it falls as a cosine (RigL), or p = a (SET)",
        ),
        Option(
            "densities",
            "erdos_renyi_kernel",
            ("erdos_renyi_kernel", "uniform"),
            "the share of an array that is there at the start: ε (sum of its axes) / (product of "
            "its axes), at most 1, with the ε that makes d of all weights; or d of every array",
        ),
        Option(
            "layers",
            "kept",
            ("kept", "reallocated"),
            "every array keeps its number of weights (SET, RigL), or the smallest of all go and "
            "arrays gain in proportion to what they have left (Mostafa & Wang 2019)",
        ),
        Option("times", 50, (), "parts of the time of replacements, one between every two"),
    ),
    more_state="a bool per weight",
    wrap=sparse,
    of_judged=sparse_too,
    needs=frozenset({"key", "total_steps"}),
    notes=(
        "T is the whole training, t counts the steps taken. Algorithm 1 of RigL: a weight that "
        "is dropped may come at once again, and then keeps its "
        "value. growth='random' with share_over_time='constant' is SET (Mocanu et al. 2018, "
        "Nature Communications 9, 2383), which drops the smallest of each sign and lets random "
        "values come; here the smallest of both, and zeros. layers='reallocated' with "
        "growth='random' is the reparameterization of Mostafa & Wang (2019, arXiv:1902.05967), "
        "which finds its global threshold by trial from step to step; here it is exact. For "
        "matrices erdos_renyi_kernel is SET's (inputs + outputs) / (inputs outputs). Parameters "
        "are given dense, so the first step only draws: the first batch is seen by the dense "
        f"network. Averages inside are not changed where weights come and go. {_WEIGHTS}"
    ),
    dialects=(
        paper("T in steps; a replacement at every 100 of them"),
        peer(
            "keras",
            "rigl.sparse_optimizers.SparseRigLOptimizer",
            "the authors' code: the same",
            "Momenta of weights that come are set to zero.",
        ),
    ),
)
ROUNDED = Wrapper(
    name="rounded",
    title="judged by weights of fewer bits",
    family="precision",
    equation="judged by Δ round(θ/Δ),   Δ = max|θ| / (2ᵇ⁻¹ - 1) of every array",
    citation=works.KRISHNAMOORTHI,
    hyperparameters=(
        HyperParameter(
            "bits",
            8.0,
            "b",
            "bits of a weight, rounded to a whole number",
            Range(2.0, 12.0, "linear"),
            at_least=2.0,
            below=24.5,
        ),
    ),
    options=(
        Option(
            "scales",
            "array",
            ("array", "output"),
            "one Δ for an array, or one for every output, counted by the last axis",
        ),
        Option(
            "biases",
            False,
            (False, True),
            "whether parameters with fewer than two axes (biases, gains) are rounded too",
        ),
    ),
    wrap=rule_rounding.rounded,
    evaluated=rule_rounding.rounded_weights,
    of_judged=rule_rounding.rounded_too,
    notes=(
        "Uniform symmetric rounding of the paper's section 2 in its restricted range, so that 0 "
        "stays 0 and -θ is rounded as θ is; halves go to the even number. The training goes on "
        "in full precision: validation and test figures, and the weights that are left, are the "
        "rounded ones. Jacob et al. (2018, arXiv:1712.05877) round weights to 8 bits and biases "
        "to 32, which here stay as they are; they round while training too. Around averages "
        "(adam+ema+rounded) the average is rounded."
    ),
    dialects=(
        paper("also asymmetric; 8 bits for every output"),
        peer(
            "torch",
            "torch.fake_quantize_per_tensor_affine",
            "the same with scale=Δ, zero_point=0, quant_min=1 - 2ᵇ⁻¹, quant_max=2ᵇ⁻¹ - 1",
            "",
        ),
    ),
)

ENTRIES = (PRUNE, SPARSE, ROUNDED)
