"""Schedules in phases: warm-up, one cycle, warm-up with stable and decay, plateau."""

from __future__ import annotations

from fallline.optimizers.around import citations_wrappers as works
from fallline.optimizers.around import rule_schedules as rules
from fallline.optimizers.around.schedule_parts import (
    FAMILY,
    IN_STEPS,
    KERAS,
    TORCH,
    final,
    part,
    peer,
    schedule,
)
from fallline.optimizers.around.wrapper_parts import paper
from fallline.optimizers.spec import HyperParameter, Option
from fallline.optimizers.wrapping import Wrapper
from fallline.spaces import Range

WARMUP = schedule(
    "warmup",
    "linear warm-up",
    rules.warmup,
    "αₜ = α min(1, (t+1) / (w T))",
    works.GOYAL,
    (
        part(
            "share",
            0.05,
            "w",
            "part of the training until the whole learning rate is reached",
            Range(0.01, 0.3),
            at_least=0.0,
        ),
    ),
    "It multiplies the learning rate of what is inside: adam+cosine+warmup is a cosine over the "
    "whole training times the ramp, so the cosine has begun when the ramp ends. The first step is "
    "α / (w T), not 0.",
    (
        paper("from α/k to α over 5 epochs of 90, k the number of workers", "It begins at α/k."),
        peer("torch", f"{TORCH}LinearLR", "from start_factor 1/3 to 1 over total_iters steps"),
        peer("keras", f"{KERAS}CosineDecay", "warmup_steps; the cosine begins when the ramp ends"),
        peer("optax", "optax.warmup_constant_schedule", "t / (w T): the first step has none"),
    ),
)
ONE_CYCLE = schedule(
    "one_cycle",
    "one cycle",
    rules.one_cycle,
    "from i α up to α over the first r of the training, then down to i f α, each as a line or as "
    "half a cosine",
    works.SMITH,
    (
        part(
            "rise",
            0.3,
            "r",
            "part of the training on the way up",
            Range(0.1, 0.5, "linear"),
            above=0.0,
            below=1.0,
        ),
        HyperParameter(
            "initial", 0.04, "i", "share of the peak at the start", Range(0.01, 0.3), above=0.0
        ),
        HyperParameter(
            "final", 1e-4, "f", "share of the start at the end", Range(1e-5, 1e-1), at_least=0.0
        ),
    ),
    "The form of torch, which fast.ai's became: the way down ends far below the start. Momentum "
    "stays as it is; the paper and torch lower it while the learning rate rises.",
    (
        paper(
            "lines up and down of equal length, then a short way further down",
            "Three phases; momentum is cycled against the learning rate.",
            options={"anneal": "linear"},
        ),
        peer(
            "torch",
            f"{TORCH}OneCycleLR",
            "pct_start is r, div_factor 1/i, final_div_factor 1/f; anneal_strategy 'cos'",
            "cycle_momentum=True moves the momentum between 0.85 and 0.95.",
        ),
        peer(
            "optax",
            "optax.cosine_onecycle_schedule",
            "the same; the peak is at step r T, the end at step T",
            IN_STEPS,
        ),
    ),
    options=(Option("anneal", "cosine", ("cosine", "linear"), "the curve of both ways"),),
)
WSD = schedule(
    "wsd",
    "warm-up, stable, decay",
    rules.wsd,
    "αₜ = α min(1, (t+1) / (w T)) c(x),   x = max(0, (t/T - (1-d)) / d)\n"
    "c(x) = 1 - (1-f) √x  (sqrt),   1 - (1-f) x  (linear),   fˣ  (exponential),\n"
    "f + (1-f) (1 + cos π x) / 2  (cosine)",
    works.HU,
    (
        part(
            "warmup",
            0.02,
            "w",
            "part of the training for the way up",
            Range(0.005, 0.1),
            at_least=0.0,
        ),
        part(
            "decay",
            0.2,
            "d",
            "part of the training for the way down",
            Range(0.05, 0.5, "linear"),
            above=0.0,
        ),
        final(),
    ),
    "In between the learning rate is constant, so that a training can be prolonged from there.",
    (
        paper(
            "w and d about 0.01 and 0.1; the way down by halves, every 5,000 steps",
            "The decay is a number of steps for a half: f = 2^(-d T / 5000).",
            defaults={"warmup": 0.01, "decay": 0.1, "final": 0.1},
            options={"shape": "exponential"},
        ),
        peer(
            "torch",
            "pytorch_optimizer.get_wsd_schedule",
            "cooldown_type '1-sqrt', 'linear' or 'cosine'",
            f"The first step has a learning rate of 0. {IN_STEPS}",
        ),
    ),
    options=(
        Option(
            "shape",
            "sqrt",
            ("sqrt", "linear", "cosine", "exponential"),
            "the way down; exponential needs f > 0",
        ),
    ),
)
PLATEAU = Wrapper(
    name="plateau",
    title="reduction on a plateau",
    family=FAMILY,
    equation=(
        "after each window of w T steps, with l the mean training loss of it:\n"
        "l < (1-θ) l*:  l* ← l,  n ← 0;   otherwise n ← n + 1  (0 while it cools down)\n"
        "n > P:  αₜ ← max(φ αₜ, f α),  n ← 0,  and it cools down for C windows"
    ),
    citation=works.HE,
    hyperparameters=(
        HyperParameter(
            "factor", 0.1, "φ", "factor at each reduction", Range(0.03, 0.7), above=0.0, below=1.0
        ),
        HyperParameter(
            "patience",
            10.0,
            "P",
            "windows without a lower loss that are borne",
            Range(1.0, 30.0),
            at_least=0.0,
        ),
        HyperParameter(
            "cooldown",
            0.0,
            "C",
            "windows after a reduction that are not counted",
            Range(1.0, 10.0),
            at_least=0.0,
        ),
        HyperParameter(
            "threshold",
            1e-4,
            "θ",
            "share by which a loss must be lower to count as lower",
            Range(1e-5, 1e-1),
            at_least=0.0,
            below=1.0,
        ),
        part(
            "window",
            0.01,
            "w",
            "part of the training over which the loss is averaged",
            Range(0.002, 0.1),
            at_least=0.0,
        ),
        final("share of the peak that it never falls below"),
    ),
    wrap=rules.plateau,
    needs=frozenset({"value", "total_steps"}),
    takes="learning_rate",
    notes=(
        "torch's rule, on means of the training loss instead of a validation loss. A reduction "
        "holds from the step after its window on. A negative loss counts as lower while it is "
        "not higher by more than θ, as in torch and Optax."
    ),
    dialects=(
        paper("divided by 10 when the error stays", "By hand, on the validation error."),
        peer(
            "torch",
            f"{TORCH}ReduceLROnPlateau",
            "mode 'min', threshold_mode 'rel', once an epoch",
            "The lower bound min_lr is a learning rate; changes below eps = 1e-8 are not made.",
        ),
        peer(
            "keras",
            "keras.callbacks.ReduceLROnPlateau",
            "patience counts the window of the reduction too (n ≥ P)",
            "The threshold is absolute: min_delta 1e-4.",
        ),
        peer(
            "optax",
            "optax.contrib.reduce_on_plateau",
            "accumulation_size steps a window; n = P suffices",
            "A reduction holds for the window's last step already.",
        ),
    ),
)

PHASES = (WARMUP, ONE_CYCLE, WSD, PLATEAU)
