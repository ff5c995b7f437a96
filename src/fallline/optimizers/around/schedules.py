"""Schedules: the learning rate as a share of its peak, over the steps of the training.

Lengths are shares of the training, so that one setting fits trainings of any length. A constant
learning rate is the absence of a schedule: ``adam``. Of several schedules around an optimizer the
shares are multiplied, and each sees the whole training.
"""

from __future__ import annotations

from fallline.optimizers.around import citations_wrappers as works
from fallline.optimizers.around import rule_schedules as rules
from fallline.optimizers.around.schedule_parts import (
    IN_STEPS,
    KERAS,
    TORCH,
    final,
    part,
    peer,
    schedule,
)
from fallline.optimizers.around.schedule_phases import PHASES
from fallline.optimizers.around.wrapper_parts import paper
from fallline.optimizers.shared import citations
from fallline.optimizers.spec import HyperParameter, Option
from fallline.spaces import Range

STEP = schedule(
    "step",
    "step decay",
    rules.step,
    "αₜ = α φ^⌊t / (s T)⌋",
    works.HE,
    (
        part(
            "every",
            1 / 3,
            "s",
            "part of the training between drops",
            Range(0.1, 0.5, "linear"),
            above=0.0,
        ),
        HyperParameter("factor", 0.1, "φ", "factor at each drop", Range(0.03, 0.7), above=0.0),
    ),
    "The drops are evenly spaced, as torch's StepLR has them.",
    (
        paper("by 10 after a half and three quarters of the training (CIFAR)", "Uneven drops."),
        peer("torch", f"{TORCH}StepLR", "lr · gamma^⌊t / step_size⌋, gamma 0.1"),
        peer(
            "keras",
            f"{KERAS}ExponentialDecay",
            "with staircase=True: lr · decay_rate^⌊t / decay_steps⌋",
        ),
        peer(
            "optax",
            "optax.exponential_decay",
            "with staircase=True: init_value · decay_rate^⌊t / transition_steps⌋",
        ),
    ),
)
EXPONENTIAL = schedule(
    "exponential",
    "exponential decay",
    rules.exponential,
    "αₜ = α f^(t/T)",
    works.SENIOR,
    (
        HyperParameter(
            "final", 0.01, "f", "share of the peak at the end", Range(1e-4, 0.5), above=0.0
        ),
    ),
    "The same factor at every step: f^(1/T).",
    (
        paper("α · 10^(-t/r)", "r, the steps for a tenth, is given instead of f = 10^(-T/r)."),
        peer("torch", f"{TORCH}ExponentialLR", "lr · gammaᵗ: gamma = f^(1/T)"),
        peer("keras", f"{KERAS}ExponentialDecay", "lr · decay_rate^(t / decay_steps)"),
        peer("optax", "optax.exponential_decay", "init_value · decay_rate^(t / transition_steps)"),
    ),
)
POLYNOMIAL = schedule(
    "polynomial",
    "polynomial decay",
    rules.polynomial,
    "αₜ = α (f + (1-f) (1 - t/T)ᵖ)",
    works.CHEN,
    (
        HyperParameter(
            "power",
            1.0,
            "p",
            "1: a straight line; above: fast, then slow",
            Range(0.5, 4.0, "linear"),
            above=0.0,
        ),
        final(),
    ),
    "With p = 1 it is the linear decay of most language models.",
    (
        paper("α (1 - t/T)ᵖ with p = 0.9", defaults={"power": 0.9}),
        peer("torch", f"{TORCH}PolynomialLR", "the same with f = 0, p = 1"),
        peer("keras", f"{KERAS}PolynomialDecay", "the same; the end is a learning rate, 1e-4"),
        peer("optax", "optax.polynomial_schedule", "the same; the end is a learning rate"),
    ),
)
INVERSE_TIME = schedule(
    "inverse_time",
    "inverse time decay",
    rules.inverse_time,
    "αₜ = α (1 + r t/T)⁻ᵖ",
    citations.ROBBINS,
    (
        HyperParameter(
            "rate",
            10.0,
            "r",
            "1 + r is what the learning rate is divided by at the end, if p = 1",
            Range(1.0, 1e3),
            at_least=0.0,
        ),
        HyperParameter(
            "power",
            1.0,
            "p",
            "1 inverse time, 0.5 inverse square root",
            Range(0.3, 1.0, "linear"),
            above=0.0,
        ),
    ),
    "With 0.5 < p ≤ 1 the steps of Robbins and Monro: their sum diverges, that of their squares "
    "does not.",
    (
        paper("1/t as the example of steps that converge", "No constant beside t."),
        peer("keras", f"{KERAS}InverseTimeDecay", "lr / (1 + decay_rate t / decay_steps), p = 1"),
    ),
)
COSINE = schedule(
    "cosine",
    "cosine decay",
    rules.cosine,
    "αₜ = α (f + (1-f) (1 + cos(π t/T)) / 2)",
    citations.SGDR,
    (final(),),
    "A single cycle: the last step comes just before the cosine reaches its end.",
    (
        paper("ηₘᵢₙ + (ηₘₐₓ - ηₘᵢₙ) (1 + cos(π t/T)) / 2, with restarts"),
        peer("torch", f"{TORCH}CosineAnnealingLR", "the same; T_max in steps, the end eta_min"),
        peer("keras", f"{KERAS}CosineDecay", "the same; alpha is f", arguments={"alpha": "final"}),
        peer(
            "optax",
            "optax.cosine_decay_schedule",
            "the same; alpha is f",
            arguments={"alpha": "final"},
        ),
    ),
)
COSINE_RESTARTS = schedule(
    "cosine_restarts",
    "cosine decay with warm restarts",
    rules.cosine_restarts,
    "αₜ = α (f + (1-f) dⁱ (1 + cos(π p)) / 2),   p the part of cycle i that is over\n"
    "cycle i (from 0) takes mⁱ / (1 + m + ... + mⁿ⁻¹) of the training",
    citations.SGDR,
    (
        final("share of the first peak at the end of each cycle"),
        HyperParameter(
            "multiplier",
            2.0,
            "m",
            "each cycle is so many times as long as the one before",
            Range(1.0, 3.0, "linear"),
            above=0.0,
        ),
        HyperParameter(
            "peak",
            1.0,
            "d",
            "each peak is so many times as high as the one before",
            Range(0.3, 1.0, "linear"),
            above=0.0,
        ),
    ),
    "The last of the n cycles ends with the training, so that no restart is cut off.",
    (
        paper("the length T₀ of the first cycle in epochs, m 1 or 2, d = 1", IN_STEPS),
        peer(
            "torch", f"{TORCH}CosineAnnealingWarmRestarts", "T_0 steps; T_mult an integer, 1; d = 1"
        ),
        peer("keras", f"{KERAS}CosineDecayRestarts", "first_decay_steps; t_mul 2, m_mul 1, alpha"),
        peer("optax", "optax.sgdr_schedule", "a list of cycles, each with a warm-up of its own"),
    ),
    options=(Option("cycles", 3, (), "number of cycles n"),),
)
ENTRIES = (STEP, EXPONENTIAL, POLYNOMIAL, INVERSE_TIME, COSINE, COSINE_RESTARTS, *PHASES)
