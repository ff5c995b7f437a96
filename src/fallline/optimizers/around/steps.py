"""Around any optimizer, what is done to its steps: Lookahead, averages, decay, Mechanic."""

from __future__ import annotations

from fallline.optimizers.around import citations_wrappers as works
from fallline.optimizers.around import rule_steps as rules
from fallline.optimizers.around.mechanic import MECHANIC
from fallline.optimizers.around.wrapper_parts import paper, peer
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import share
from fallline.optimizers.spec import HyperParameter, Option
from fallline.optimizers.wrapping import Wrapper
from fallline.spaces import Range

FAMILY = "step"

_JUDGED = (
    "The training goes on as without it: only what is judged, and left behind, is the average. "
    "It is of the parameters that are trained, also around optimizers that are judged by others."
)

LOOKAHEAD = Wrapper(
    name="lookahead",
    title="Lookahead",
    family=FAMILY,
    equation=(
        "every k steps of the optimizer inside:   φ ← φ + a (θ - φ),   θ ← φ\n"
        "judged by the slow weights φ"
    ),
    citation=works.ZHANG,
    hyperparameters=(
        HyperParameter(
            "step_size",
            0.5,
            "a",
            "part of the way from the slow weights to the fast ones",
            Range(0.2, 0.8, "linear"),
            works.ZHANG,
            above=0.0,
        ),
    ),
    options=(
        Option("steps", 5, (), "fast steps k between two meetings"),
        Option(
            "inside",
            "kept",
            ("kept", "reset"),
            "the averages of the optimizer inside at a meeting: as they are, or from the beginning",
        ),
    ),
    slots=1,
    wrap=rules.lookahead,
    evaluated=rules.slow_weights,
    notes=(
        "Judged as the paper judges it, by the slow weights: between meetings the fast ones are "
        "up to k-1 steps ahead. k = 5 and a = 0.5 are its values for ImageNet; the authors' code "
        "has a = 0.8. What changes steps belongs inside, before +lookahead."
    ),
    dialects=(
        paper(
            "the same; the averages inside are kept, interpolated or reset",
            "Interpolated averages are not offered.",
        ),
        peer(
            "torch",
            "pytorch_optimizer.Lookahead",
            "the same; pullback_momentum 'none' or 'reset'",
            "Judged by the fast weights unless backup_and_load_cache() is called; 'reset' is of "
            "the momentum alone.",
            arguments={"k": "steps", "alpha": "step_size"},
        ),
        peer(
            "optax",
            "optax.lookahead",
            "the same, on pairs of fast and slow parameters",
            "",
            arguments={"sync_period": "steps", "slow_step_size": "step_size"},
        ),
    ),
)
WEIGHT_DECAY = Wrapper(
    name="weight_decay",
    title="decoupled weight decay",
    family=FAMILY,
    equation="θ ← θ + u - s λ θ,   u the step of the optimizer inside, s its learning rate or η",
    citation=citations.LOSHCHILOV,
    hyperparameters=(
        HyperParameter(
            "strength",
            0.01,
            "λ",
            "pull of the weights towards zero",
            Range(1e-5, 1e0),
            at_least=0.0,
        ),
    ),
    options=(
        Option(
            "scaled_by",
            "learning_rate",
            ("learning_rate", "schedule"),
            "λ times the learning rate (AdamW of torch, Keras and Optax), or times the schedule's "
            "share η of it alone (the paper): then λ is the part of a weight lost at a step",
        ),
        Option(
            "biases",
            True,
            (False, True),
            "whether parameters with fewer than two axes (biases, gains) decay too",
        ),
    ),
    wrap=rules.weight_decay,
    takes="learning_rate",
    notes=(
        "adam+weight_decay is adamw. Put it before a schedule that the decay is to follow: "
        "adam+weight_decay+cosine. With scaled_by='schedule' a λ of 1e-5 to 1e-3 is usual."
    ),
    dialects=(
        paper(
            "θ ← θ - η (α m̂ / (√v̂ + ε) + λ θ), η the schedule's share",
            options={"scaled_by": "schedule"},
        ),
        peer(
            "torch",
            "torch.optim.AdamW",
            "λ times the learning rate",
            "",
            arguments={"weight_decay": "strength"},
        ),
        peer(
            "keras",
            "keras.optimizers.Optimizer",
            "λ times the learning rate, before the step",
            "",
            arguments={"weight_decay": "strength"},
        ),
        peer(
            "optax",
            "optax.add_decayed_weights",
            "behind the rule in the chain and before the learning rate",
            "",
            arguments={"weight_decay": "strength"},
        ),
    ),
)
EMA = Wrapper(
    name="ema",
    title="exponential average of the weights",
    family="average",
    equation="a ← β a + (1-β) θ,   judged by a / (1-βᵗ)",
    citation=citations.KINGMA,
    hyperparameters=(share("decay", 0.999, "β", "share of the average that is kept", 0.9),),
    slots=1,
    wrap=rules.ema,
    evaluated=rules.exponential_average,
    notes=f"Section 7.2 of Adam's paper: begun at zero and corrected for it, so that the initial "
    f"parameters have no part in it. {_JUDGED}",
    dialects=(
        paper("the same, with β₂ of Adam"),
        peer(
            "torch",
            "torch.optim.swa_utils.AveragedModel",
            "with multi_avg_fn=get_ema_multi_avg_fn(β)",
            "It begins with the first parameters that it is given, uncorrected.",
        ),
        peer(
            "keras",
            "keras.optimizers.Optimizer",
            "use_ema=True, ema_momentum 0.99",
            "It begins with the parameters after the first step, uncorrected.",
            arguments={"ema_momentum": "decay"},
            defaults={"decay": 0.99},
        ),
        peer(
            "optax",
            "optax.ema",
            "the same, of whatever it is given; debias=True",
            "",
            arguments={"decay": "decay"},
        ),
    ),
)
POLYAK_AVERAGE = Wrapper(
    name="polyak_average",
    title="uniform average of the weights",
    family="average",
    equation="judged by the mean of θ after the steps t > s T;   by θ before",
    citation=works.JUDITSKY,
    hyperparameters=(
        HyperParameter(
            "start",
            0.75,
            "s",
            "part of the training after which the average begins",
            Range(0.3, 0.95, "linear"),
            at_least=0.0,
            below=1.0,
        ),
    ),
    slots=1,
    wrap=rules.polyak_average,
    needs=frozenset({"total_steps"}),
    evaluated=rules.uniform_average,
    notes=(
        "The paper averages from the beginning, s = 0, with steps that decay slower than 1/t; "
        "stochastic weight averaging (Izmailov et al. 2018) from three quarters on, here at every "
        f"step instead of every epoch. {_JUDGED}"
    ),
    dialects=(
        paper("the mean over all steps", defaults={"start": 0.0}),
        peer(
            "torch",
            "torch.optim.swa_utils.AveragedModel",
            "the same, of the parameters at the calls of update_parameters",
            "When to average is up to the training loop.",
        ),
    ),
)
CAUTIOUS = Wrapper(
    name="cautious",
    title="cautious steps",
    family=FAMILY,
    equation="u ← u m / max(mean(m), 0.001),   m = 1 where u leads down the gradient, else 0",
    citation=works.LIANG,
    options=(
        Option(
            "rescaled",
            "mean",
            ("mean", "count"),
            "divided by the mean of m (the authors' code), or by (Σm + 1) / n (the paper)",
        ),
    ),
    wrap=rules.cautious,
    notes=(
        "The mask is of each array by itself, with the gradient of this step. It is of the whole "
        "step: put weight decay around it, adam+cautious+weight_decay, as the authors have it."
    ),
    dialects=(
        paper("u n / (Σm + 1)", options={"rescaled": "count"}),
        peer(
            "torch",
            "pytorch_optimizer.AdamP",
            "cautious=True of many optimizers: n / (Σm + 1)",
            "Not of every optimizer.",
            options={"rescaled": "count"},
        ),
    ),
)

ENTRIES = (LOOKAHEAD, WEIGHT_DECAY, EMA, POLYAK_AVERAGE, CAUTIOUS, MECHANIC)
