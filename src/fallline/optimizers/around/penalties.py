"""Penalties on the size of the weights, as part of the loss: L1 and L2."""

from __future__ import annotations

from fallline.optimizers.around import citations_wrappers as works
from fallline.optimizers.around import rule_gradients as rules
from fallline.optimizers.around.wrapper_parts import paper, peer
from fallline.optimizers.spec import HyperParameter, Option
from fallline.optimizers.wrapping import Wrapper
from fallline.spaces import Range

FAMILY = "gradient"

_BIASES = Option(
    "biases",
    True,
    (False, True),
    "whether parameters with fewer than two axes (biases, gains) are penalised too",
)
_PENALTY_NOTES = (
    "The penalty is part of the loss: an optimizer inside that asks for the loss or its function "
    "gets them with it, and adaptive ones scale its gradient like the rest. Biases are penalised "
    "as by torch's weight_decay; Keras's kernel_regularizer leaves them out."
)

L1 = Wrapper(
    name="l1",
    title="L1 penalty",
    family=FAMILY,
    equation="g ← g + λ sign(θ),   the loss has λ Σ|θ| more",
    citation=works.TIBSHIRANI,
    hyperparameters=(
        HyperParameter(
            "strength",
            1e-5,
            "λ",
            "pull of the weights towards zero",
            Range(1e-7, 1e-2),
            at_least=0.0,
        ),
    ),
    options=(_BIASES,),
    wrap=rules.l1,
    notes=f"sign(0) = 0; no weight is set to zero exactly, as it would be by shrinkage. "
    f"{_PENALTY_NOTES}",
    dialects=(
        paper("a bound on Σ|θ|, which is the same as some λ"),
        peer(
            "keras",
            "keras.regularizers.L1",
            "the same, for the variables it is given to",
            "",
            arguments={"l1": "strength"},
        ),
    ),
)
L2 = Wrapper(
    name="l2",
    title="L2 penalty (coupled weight decay)",
    family=FAMILY,
    equation="g ← g + λ θ,   the loss has λ/2 Σθ² more",
    citation=works.KROGH,
    hyperparameters=(
        HyperParameter(
            "strength",
            1e-4,
            "λ",
            "pull of the weights towards zero",
            Range(1e-6, 1e-1),
            at_least=0.0,
        ),
    ),
    options=(_BIASES,),
    wrap=rules.l2,
    notes=f"Half of λ multiplies the squares: Keras's L2 and a penalty λ Σθ² are 2 λ here. "
    f"{_PENALTY_NOTES}",
    dialects=(
        paper("λ/2 Σθ²"),
        peer(
            "torch",
            "torch.optim.SGD",
            "weight_decay of the optimizers that couple it",
            "",
            arguments={"weight_decay": "strength"},
        ),
        peer(
            "keras",
            "keras.regularizers.L2",
            "l2 Σθ², without the half: l2 = λ/2",
            "The factor 2.",
        ),
        peer(
            "optax",
            "optax.add_decayed_weights",
            "before the rule in the chain",
            "",
            arguments={"weight_decay": "strength"},
        ),
    ),
)
