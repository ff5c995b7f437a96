"""Which optimizers of other packages are recorded, with which settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """What is recorded: ``peer`` is a module and a name in it.

    Of the ``settings``, names of optimizers and types stand for themselves, and ``group`` is put
    into the group of parameters. ``closure``: the peer evaluates the loss by itself.
    ``hessian_every``: at step 1 and each so many steps later it is handed the Hessian's diagonal.
    ``before``: what happens to the gradients first (of BEFORE, with its settings). ``only_matrix``:
    the peer has no rule for vectors; b stays where it is. ``judged``: the record holds the
    parameters in evaluation mode or their average, all others those in training mode. ``later``:
    the peer is of the later release of its package, as the pinned one has it wrong.
    """

    peer: str
    settings: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    closure: bool = False
    hessian_every: int = 0
    before: tuple[str, dict[str, float]] | None = None
    only_matrix: bool = False
    judged: bool = False
    later: bool = False


def more(name: str, **settings: Any) -> Case:
    """A case of pytorch_optimizer."""
    return Case(f"pytorch_optimizer {name}", settings)


def later(name: str, **settings: Any) -> Case:
    """A case of pytorch_optimizer's later release."""
    return Case(f"pytorch_optimizer {name}", settings, later=True)


def own(name: str, **settings: Any) -> Case:
    """A case of torch itself."""
    return Case(f"torch.optim {name}", settings)


DECAY = {"weight_decay": 0.01}
TORCH = {
    "nadamw": own("NAdam", lr=0.05, weight_decay=0.1, decoupled_weight_decay=True),
    "radamw": own("RAdam", lr=0.05, weight_decay=0.1, decoupled_weight_decay=True),
    "asgd": own("ASGD", lr=0.05, lambd=0.1, alpha=0.6, t0=5),
    "asgd_judged": Case(
        "torch.optim ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "t0": 5}, judged=True
    ),
    "adafactor_defaults": own("Adafactor"),
    "adafactor_settings": own(
        "Adafactor", lr=0.05, beta2_decay=-0.5, eps=[1e-6, 0.7], d=1.1, weight_decay=0.1
    ),
    "muon_heavy_ball": Case(
        "torch.optim Muon",
        {"lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.1},
        only_matrix=True,
    ),
    "muon_match_rms": Case(
        "torch.optim Muon",
        {"lr": 0.02, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"},
        only_matrix=True,
    ),
    "lbfgs": Case(
        "torch.optim LBFGS",
        {"lr": 0.3, "max_iter": 1, "history_size": 4, "tolerance_grad": 0.0},
        closure=True,
    ),
    "lbfgs_strong_wolfe": Case(
        "torch.optim LBFGS",
        {"max_iter": 1, "history_size": 10, "line_search_fn": "strong_wolfe"},
        closure=True,
    ),
}
ADAMS = {
    "adashift": later("AdaShift", lr=0.1, betas=[0.8, 0.99], keep_num=4, eps=1e-3),
    "adashift_mean": later("AdaShift", lr=0.05, reduce_func="torch mean"),
    "adashift_elementwise": later("AdaShift", lr=0.05, keep_num=3, reduce_func=None),
    "adanorm": later("AdaNorm", lr=0.1, r=0.9, **DECAY),
    "adapnm": more("AdaPNM", lr=0.01, **DECAY),
    "mars": more("MARS", lr=0.02, lr_1d=0.01, **DECAY),
    "mars_vectors": more("MARS", lr=0.02, optimize_1d=True, cautious=True),
    "mars_lion": more("MARS", lr=0.01, mars_type="lion"),
    "mars_shampoo": more("MARS", lr=0.01, mars_type="shampoo"),
    "stableadamw": more("StableAdamW", lr=0.02),
    "adamg": more("AdamG"),
    "exadam": more("EXAdam", lr=0.02),
    "grams": later("Grams", lr=0.02, betas=[0.8, 0.99], **DECAY),
    "laprop_decay": more("LaProp", lr=0.02, betas=[0.8, 0.99], **DECAY),
    "adan_decay": more("Adan", lr=0.02, weight_decay=0.1, betas=[0.9, 0.95, 0.98]),
    "adan_decoupled": more("Adan", lr=0.02, weight_decay=0.1, weight_decouple=True),
    "adopt_decay": more("ADOPT", lr=0.02, weight_decay=0.1, weight_decouple=True),
    "ademamix_schedules": more("AdEMAMix", lr=0.02, alpha=8.0, t_alpha_beta3=40, **DECAY),
    "cautious_adamw": Case(
        "pytorch_optimizer AdEMAMix",
        {"lr": 0.02, "alpha": 0.0, "cautious": True, "weight_decouple": True, "weight_decay": 0.1},
        note="with alpha 0 this is AdamW",
    ),
    "simplified_ademamix": more("SimplifiedAdEMAMix", lr=0.002, alpha=5.0),
    "yogi_settings": more("Yogi", lr=0.05, betas=[0.8, 0.99], initial_accumulator=0.1, eps=1e-2),
    "amsbound": more("AdaBound", lr=0.01, final_lr=0.05, gamma=0.01, ams_bound=True),
    "ranger": Case(
        "pytorch_optimizer Ranger",
        {"lr": 0.05, "k": 3, "degenerated_to_sgd": True},
        note="without degenerated_to_sgd the peer goes uphill until it rectifies",
    ),
    "grokfast_adamw": more("GrokFastAdamW", lr=0.02, **DECAY),
    "lamb_clipless": more("Lamb", lr=0.02, max_grad_norm=0.0, grad_averaging=False),
    "novograd_averaging": more("NovoGrad", lr=0.02, grad_averaging=True, **DECAY),
    "adafactor_first_moment": Case(
        "pytorch_optimizer AdaFactor",
        {"lr": 0.02, "relative_step": False, "momentum_dtype": "float64", **DECAY},
        note="the peer's scale_parameter is the wrong way round: true, it does not scale",
    ),
    "came": more("CAME", lr=0.01, **DECAY),
    "tiger": more("Tiger", lr=0.01),
}
OTHERS = {
    "qhm": more("QHM", lr=0.05, momentum=0.9, nu=0.7, **DECAY),
    "accsgd": more("AccSGD", lr=0.02, kappa=100.0, xi=5.0),
    "apollo": more("ApolloDQN", lr=0.01, init_lr=0.001, warmup_steps=10),
    "apollo_belief": more("ApolloDQN", lr=0.05, init_lr=0.01, warmup_steps=10, rebound="belief"),
    "pnm": more("PNM", lr=0.02, betas=[0.9, 1.0], **DECAY),
    "pid": more("PID", lr=0.005, momentum=0.9),
    "signsgd": more("SignSGD", lr=0.02, momentum=0.0),
    "signum": Case(
        "pytorch_optimizer Lion",
        {"lr": 0.05, "betas": [0.9, 0.9], "weight_decay": 0.1},
        note="with equal betas Lion is Signum; the peer's SignSGD forgets its momentum each step",
    ),
    "cautious_lion": more("Lion", lr=0.01, cautious=True, **DECAY),
    "sm3": more("SM3", lr=0.1),
    "sm3_momentum": more("SM3", lr=0.1, momentum=0.9, beta=0.9),
    "fromage": more("Fromage", lr=0.02),
    "fromage_bound": more("Fromage", lr=0.02, p_bound=0.8),
    "ftrl": more("FTRL", lr=0.1, beta=0.5, lambda_1=0.01, lambda_2=0.01),
    "aggmo_settings": more("AggMo", lr=0.01, betas=[0.5, 0.95], **DECAY),
    "lars_settings": more("LARS", lr=0.05, trust_coefficient=0.3, nesterov=True, **DECAY),
    "madgrad_decoupled": more("MADGRAD", lr=0.02, momentum=0.8, weight_decouple=True, **DECAY),
    "galore": more(
        "GaLore",
        lr=0.02,
        group={"rank": 2, "update_proj_gap": 10, "scale": 0.5, "projection_type": "std"},
    ),
    "soap_frequent": more("SOAP", lr=0.02, precondition_frequency=3, weight_decay=0.1),
    "shampoo_periodic": more(
        "Shampoo", lr=0.1, preconditioning_compute_steps=3, matrix_eps=0.5, **DECAY
    ),
    "kron": Case(
        "pytorch_optimizer Kron",
        {
            "lr": 0.05,
            "pre_conditioner_update_probability": 1.0,
            "balance_prob": 0.0,
            "precondition_dtype": "float64",
        },
        note="the random probe of the preconditioner is all ones",
    ),
    "adahessian": Case("pytorch_optimizer AdaHessian", {"lr": 0.1}, hessian_every=1),
    "adahessian_power": Case(
        "pytorch_optimizer AdaHessian", {"lr": 0.1, "hessian_power": 0.5, **DECAY}, hessian_every=1
    ),
    "sophia": Case(
        "pytorch_optimizer SophiaH",
        {"lr": 0.5, "p": 0.1, "update_period": 1000, **DECAY},
        note="update_period 1000 leaves the Hessian's moment to the steps that are handed one",
        hessian_every=10,
    ),
}
FREE = {
    "dadapt_adam": Case("dadaptation DAdaptAdam", {"lr": 0.3, "d0": 0.01}),
    "dadapt_adamw": Case(
        "dadaptation DAdaptAdam",
        {"d0": 0.01, "decouple": True, "use_bias_correction": True, "growth_rate": 1.5, **DECAY},
    ),
    "dadapt_sgd": Case("dadaptation DAdaptSGD", {"d0": 0.01, "momentum": 0.9, **DECAY}),
    "dadapt_lion": Case("dadaptation DAdaptLion", {"d0": 0.005, **DECAY}),
    "dadapt_adagrad": Case("dadaptation DAdaptAdaGrad", {"d0": 0.01}),
    "prodigy_settings": Case(
        "prodigyopt Prodigy",
        {
            "d0": 0.01,
            "d_coef": 0.7,
            "use_bias_correction": True,
            "safeguard_warmup": True,
            "beta3": 0.98,
            "growth_rate": 1.05,
            **DECAY,
        },
    ),
    "dog": Case("dog DoG", {"reps_rel": 0.01}),
    "dog_layerwise": Case("dog LDoG", {"reps_rel": 0.01, **DECAY}),
    "dowg": Case(
        "dowg ScalarDoWG",
        {"eps": 0.9999, "clip": 1e6},
        note="it takes 1 - eps for the first squared distance and to add to the denominator",
        closure=True,
    ),
    "cocob": Case("parameterfree COCOB", {"alpha": 20.0}),
    "kt": Case("parameterfree KT", {"w": 0.1}, before=("clip_norm", {"max_norm": 1.0})),
    "momo": Case("momo Momo", {"lr": 0.5, "lb": -9.0, **DECAY}, closure=True),
    "momo_bias_corrected": Case(
        "momo Momo",
        {"lr": 0.3, "lb": -4.0, "bias_correction": True, "use_fstar": True},
        closure=True,
    ),
    "momo_adam": Case("momo MomoAdam", {"lr": 0.5, "lb": -2.0, **DECAY}, closure=True),
    "mechanic_sgd": Case(
        "mechanic_pytorch mechanize",
        {"base_optimizer": "torch.optim SGD", "lr": 1.0, "s_init": 1e-3},
    ),
    "mechanic_adamw": Case(
        "mechanic_pytorch mechanize",
        {"base_optimizer": "torch.optim AdamW", "lr": 1.0, "s_init": 1e-3, "s_decay": 0.1},
    ),
    "schedulefree_radam": Case("schedulefree RAdamScheduleFree", {"lr": 0.05, **DECAY}),
    "schedulefree_sgd_warmup": Case(
        "schedulefree SGDScheduleFree", {"lr": 0.2, "warmup_steps": 10, "r": 0.5, **DECAY}
    ),
    "schedulefree_adamw_warmup": Case(
        "schedulefree AdamWScheduleFree", {"lr": 0.05, "warmup_steps": 10, **DECAY}
    ),
    "schedulefree_adamw_judged": Case(
        "schedulefree AdamWScheduleFree", {"lr": 0.05, "warmup_steps": 10, **DECAY}, judged=True
    ),
}
AUTHORS = {
    "adamp": Case("adamp AdamP", {"lr": 0.02, **DECAY}),
    "adamp_nesterov": Case(
        "adamp AdamP", {"lr": 0.02, "delta": 1.72, "wd_ratio": 0.3, "nesterov": True, **DECAY}
    ),
    "adamp_projected": Case("adamp AdamP", {"lr": 0.02, "delta": 1.72, "wd_ratio": 0.3, **DECAY}),
    "sgdp": Case("adamp SGDP", {"lr": 0.02, "momentum": 0.9, **DECAY}),
    "sgdp_projected": Case(
        "adamp SGDP",
        {"lr": 0.02, "momentum": 0.9, "delta": 1.72, "wd_ratio": 0.3, "nesterov": True, **DECAY},
    ),
    "apollo_second": Case(
        "torch_optimizer Apollo", {"lr": 0.05, "init_lr": 0.01, "warmup": 10, **DECAY}
    ),
    "lamb_uncorrected": Case("torch_optimizer Lamb", {"lr": 0.02, "clamp_value": 2.5, **DECAY}),
    "lamb_corrected": Case("torch_optimizer Lamb", {"lr": 0.02, "debias": True, **DECAY}),
    "shampoo_second": Case(
        "torch_optimizer Shampoo", {"lr": 0.1, "momentum": 0.5, "epsilon": 0.1, "update_freq": 3}
    ),
    "novograd_second": Case(
        "torch_optimizer NovoGrad", {"lr": 0.02, "grad_averaging": True, **DECAY}
    ),
    "adafactor_second": Case(
        "torch_optimizer Adafactor", {"lr": 0.02, "relative_step": False, "beta1": 0.9, **DECAY}
    ),
}
SGD = "torch.optim SGD"
AROUND = {
    "lookahead": more("Lookahead", optimizer=SGD, k=3, alpha=0.4, lr=0.1),
    "sam": Case(
        "pytorch_optimizer SAM", {"base_optimizer": SGD, "lr": 0.05, "rho": 0.3}, closure=True
    ),
    "sam_adaptive": Case(
        "pytorch_optimizer SAM",
        {"base_optimizer": SGD, "lr": 0.05, "rho": 0.3, "adaptive": True},
        closure=True,
    ),
    "gradient_centralisation": Case(SGD, {"lr": 0.05}, before=("centralise", {})),
    "adaptive_clipping": Case(
        SGD, {"lr": 0.05}, before=("agc", {"agc_clip_val": 0.2, "agc_eps": 0.01})
    ),
    "clip_norm": Case(SGD, {"lr": 0.05}, before=("clip_norm", {"max_norm": 1.5})),
    "grokfast_ema": Case(SGD, {"lr": 0.02}, before=("grokfast", {"alpha": 0.9, "lamb": 2.0})),
}
CASES = {**TORCH, **ADAMS, **OTHERS, **AUTHORS, **FREE, **AROUND}
