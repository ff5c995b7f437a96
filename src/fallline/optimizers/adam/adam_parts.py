"""What the sheets of Adam's kin share."""

from __future__ import annotations

from fallline.optimizers.shared.parameters import epsilon, share
from fallline.spaces import Range

FAMILY = "adam"
KEPT_MEAN = "share of the average gradient that is kept"
KEPT_SQUARE = "share of the average of squares that is kept"
BETAS = (
    share("beta_1", 0.9, "β₁", KEPT_MEAN, 0.5),
    share("beta_2", 0.999, "β₂", KEPT_SQUARE, 0.9),
)
BESIDE = epsilon(1e-8, span=Range(1e-8, 1.0), per_learning_rate=True)
"""ε beside a root: where it outweighs the root, only its ratio to the learning rate matters."""
AVERAGES = "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
