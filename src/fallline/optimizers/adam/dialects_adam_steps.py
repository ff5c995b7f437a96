"""How papers and frameworks have Adam's kin that take a step of another length, by entry."""

from __future__ import annotations

from collections.abc import Mapping

from fallline.optimizers.dialects import Argument, Dialect, Fixed, Static

_LR: Mapping[str, Argument] = {"lr": "learning_rate", "betas": ("beta_1", "beta_2")}
_EPS: Mapping[str, Argument] = {"eps": "epsilon"}
_OPTAX: Mapping[str, Argument] = {
    "learning_rate": "learning_rate",
    "b1": "beta_1",
    "b2": "beta_2",
    "eps": "epsilon",
}
_UNDER_ROOT = "it adds 1e-15 to v under the root too, which shows where v is as small as that"


def _paper(
    form: str,
    *,
    defaults: Mapping[str, float] | None = None,
    options: Mapping[str, Static] | None = None,
    differs: str = "",
) -> Dialect:
    return Dialect(
        framework="paper",
        form=form,
        defaults=defaults or {},
        options=options or {},
        differs=differs,
    )


RADAM = (
    _paper(
        "no ε, where 0/0 is open; rectified from ρ > 4 on; before that m̂ alone",
        defaults={"threshold": 4.0},
    ),
    Dialect(
        framework="torch",
        call="torch.optim.RAdam",
        arguments={**_LR, **_EPS},
        form="ε beside the root of the uncorrected v; rectified from ρ > 5 on",
    ),
    Dialect(
        framework="torch",
        call="torch.optim.RAdam",
        arguments={**_LR, **_EPS, "weight_decay": "weight_decay"},
        options={"decay": "coupled"},
        form="λθ added to the gradient",
    ),
    Dialect(
        framework="torch",
        call="torch.optim.RAdam",
        arguments={
            **_LR,
            **_EPS,
            "weight_decay": "weight_decay",
            "decoupled_weight_decay": Fixed(True),
        },
        options={"decay": "decoupled"},
        form="λθ added to the step, as AdamW has it",
    ),
    Dialect(
        framework="optax",
        call="optax.radam",
        arguments={**_OPTAX, "threshold": "threshold"},
        options={"epsilon_place": "outside"},
        form="ε beside the root of v̂; rectified from ρ >= 5 on, where ρ is never exactly 5",
    ),
)

AMSBOUND = (
    _paper(
        "no ε and no correction of m and v; bounds as here; α falls as 1/√t in its theory",
        differs="m and v are not corrected",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdaBound",
        arguments={
            "lr": "learning_rate",
            "final_lr": "final_lr",
            "betas": ("beta_1", "beta_2"),
            "gamma": "gamma",
            "ams_bound": Fixed(True),
            **_EPS,
        },
        form="ε beside the uncorrected root, as here",
        differs=_UNDER_ROOT,
    ),
)

PADAM = (
    _paper(
        "m / n^p, neither corrected; no ε; p = 1/8 recommended",
        defaults={"partial": 0.125},
        differs="m and n are not corrected",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.PAdam",
        arguments={**_LR, "partial": "partial", **_EPS},
        options={"amsgrad": False},
        form="v itself in the place of its largest value; ε beside the uncorrected root",
    ),
)

SWATS = (
    _paper(
        "one estimate for all parameters; ε = 1e-9 beside the uncorrected root and as the "
        "tolerance; SGD with momentum of 1-β₁ shares of the gradient",
        differs="a settled estimate of no positive value switches too",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.SWATS",
        arguments={**_LR, **_EPS},
        defaults={"epsilon": 1e-6},
        form="an estimate for each array; the whole group switches when one of them has settled, "
        "to 1e-8 and ε of its size",
        differs="the moment of the switch and the learning rate then: one array's estimate decides "
        "for its whole group, and its ε is the tolerance as well; " + _UNDER_ROOT,
    ),
)

ADAMOD = (
    _paper(
        "lengths α / (√v̂ + ε), averaged without the correction of m, times m̂; β₃ = 0.9999",
        defaults={"beta_3": 0.9999},
        differs="m is corrected outside of the averaged lengths, and ε is beside the root of v̂",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdaMod",
        arguments={"lr": "learning_rate", "betas": ("beta_1", "beta_2", "beta_3"), **_EPS},
        defaults={"beta_2": 0.99, "beta_3": 0.9999},
        form="the correction of m within the averaged lengths, ε beside the uncorrected root",
    ),
)

DIFFGRAD = (
    _paper(
        "α ξ m̂ / (√v̂ + ε), ξ = 1/(1 + exp(-|gₜ₋₁ - gₜ|)), g₀ = 0",
        differs="ε is beside the root of v̂",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.DiffGrad",
        arguments={**_LR, **_EPS},
        form="as the authors' second code from version 4.1 on",
        differs=f"version 3.9 leaves ξ and the correction of v out; {_UNDER_ROOT}",
    ),
)

_REDUCING: Mapping[str, Mapping[str, Argument]] = {
    "max": {},
    "none": {"reduce_func": Fixed(None)},
}
ADASHIFT = (
    _paper(
        "no ε, where 0/0 is open; m of the last n gradients, v of the largest square of each array "
        "n steps ago",
    ),
    *(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.AdaShift",
            arguments={**_LR, "keep_num": "history", **reducing, **_EPS},
            options={"reduction": reduction},
            form="as here from version 4.1 on",
            differs="the parameters of version 3.9 become NaN at step n - 1",
        )
        for reduction, reducing in _REDUCING.items()
    ),
)

ADANORM = (
    _paper("m of the corrected, v of the plain gradient, both corrected; ε beside the root of v̂"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdaNorm",
        arguments={**_LR, "r": "gamma", "weight_decay": "weight_decay", **_EPS},
        defaults={"beta_2": 0.99},
        options={"epsilon_place": "uncorrected"},
        form="ε beside the root of v before its correction; as here from version 4.1 on",
        differs="version 3.9 never stores the average norm, so that it is Adam, here γ = 0; "
        + _UNDER_ROOT,
    ),
)

STABLEADAMW = (
    _paper(
        "averages with β that change from step to step, which is the correction here; the decay "
        "shrinks with the step",
        defaults={"learning_rate": 0.002, "weight_decay": 0.2},
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.StableAdamW",
        arguments={**_LR, "weight_decay": "weight_decay", **_EPS},
        form="as the paper; sums are compensated in half precision only",
    ),
)

ADAMAXW = (
    _paper(
        "Adamax, which has no ε, with the decay of AdamW, which the schedule alone scales: the "
        "paper's λ is α λ here",
    ),
    Dialect(
        framework="optax",
        call="optax.adamaxw",
        arguments={**_OPTAX, "weight_decay": "weight_decay"},
        form="ε added to |g| before the maximum",
    ),
    Dialect(
        framework="keras",
        call="keras.optimizers.Adamax",
        arguments={
            "learning_rate": "learning_rate",
            "beta_1": "beta_1",
            "beta_2": "beta_2",
            "epsilon": "epsilon",
            "weight_decay": "weight_decay",
        },
        defaults={"learning_rate": 0.001, "epsilon": 1e-7},
        options={"epsilon_place": "outside"},
        form="ε added to u; Adamax with a weight decay, which is none unless given",
        differs="on TensorFlow it rounds β₁ of the correction to float32",
    ),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdaMax",
        arguments={
            **_LR,
            "weight_decay": "weight_decay",
            "weight_decouple": Fixed(True),
            **_EPS,
        },
        defaults={"learning_rate": 0.001},
        form="ε added to |g| before the maximum; torch.optim.Adamax has the coupled decay only",
    ),
)

CAUTIOUS_ADAMW = (
    _paper(
        "entries of the step that agree with the gradient, times d / (their number + 1); later "
        "versions and the authors' code have the mean here",
        options={"scaling": "count"},
    ),
    Dialect(
        framework="torch",
        call="timm.optim.AdamWLegacy",
        arguments={
            **_LR,
            **_EPS,
            "weight_decay": "weight_decay",
            "caution": Fixed(True),
        },
        form="entries that agree, divided by their share, which counts as 0.001 at least",
    ),
)

_RANGER: Mapping[str, Argument] = {
    **_LR,
    "alpha": "slow_step",
    "k": "period",
    "degenerated_to_sgd": Fixed(True),
}
_CENTRING: Mapping[str, Mapping[str, Argument]] = {
    "all": {},
    "convolutions": {"gc_conv_only": Fixed(True)},
    "none": {"use_gc": Fixed(False)},
}
RANGER = (
    _paper(
        "the author's code: centred gradients of all kernels; rectified from ρ > 5 on, momentum "
        "before; ε = 1e-5 beside the uncorrected root; the weights return to the slow ones",
        options={"centred": "all"},
    ),
    *(
        Dialect(
            framework="torch",
            call="pytorch_optimizer.Ranger",
            arguments={**_RANGER, **centring, **_EPS},
            options={"centred": centred},
            form="as the author's code with degenerated_to_sgd=True; without it, its default, "
            "it climbs along the gradient in the first steps; the mean is over all but a kernel's "
            "outputs, which torch has first",
        )
        for centred, centring in _CENTRING.items()
    ),
)

ADAMG = (
    _paper("as here: α = 1, p = 0.2, q = 0.24"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.AdamG",
        arguments={
            "lr": "learning_rate",
            "betas": ("beta_1", "beta_2", "beta_3"),
            "p": "scale",
            "q": "exponent",
            **_EPS,
        },
        form="as the paper",
    ),
)

GRAMS = (
    _paper("the size of Adam's step, ε beside the root of v̂, with the sign of the gradient"),
    Dialect(
        framework="torch",
        call="pytorch_optimizer.Grams",
        arguments={**_LR, "weight_decay": "weight_decay", **_EPS},
        form="as the paper from version 4.1 on",
        differs="version 3.9 gives the new gradient the share β₁, not 1-β₁, and divides v by the "
        "root of its correction",
    ),
)
