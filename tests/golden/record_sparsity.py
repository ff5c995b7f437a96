"""Records what torch prunes and how it rounds: writes sparsity.json beside this file.

Run it with a Python that has torch: ``python tests/golden/record_sparsity.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

SHARES = (0.1, 0.5, 0.82)
BITS = (2, 3, 4, 8)


def arrays() -> list[np.ndarray]:
    """Two matrices of different scale, float64."""
    draw = np.random.default_rng(12)
    return [draw.normal(0, 1.0, (5, 4)), draw.normal(0, 0.3, (4, 3))]


def layers() -> list[nn.Linear]:
    """Layers that hold them, transposed as torch has them."""
    made = []
    for array in arrays():
        layer = nn.Linear(*array.shape, dtype=torch.float64)
        layer.weight.data = torch.tensor(array.T.copy())
        made.append(layer)
    return made


def masks(held: list[nn.Linear]) -> list[list[list[int]]]:
    """Which weights are left, in the arrays' orientation."""
    return [layer.weight_mask.T.int().tolist() for layer in held]


def pruned(share: float) -> dict[str, object]:
    """The masks of one share, over all arrays and for each."""
    together, each = layers(), layers()
    prune.global_unstructured(
        [(layer, "weight") for layer in together], prune.L1Unstructured, amount=share
    )
    for layer in each:
        prune.l1_unstructured(layer, "weight", amount=share)
    return {"share": share, "global": masks(together), "array": masks(each)}


def rounded(bits: int) -> dict[str, object]:
    """The first array in so many bits, in float32, which is what torch rounds."""
    array = torch.tensor(arrays()[0], dtype=torch.float32)
    most = 2 ** (bits - 1) - 1
    step = float(array.abs().max() / most)
    found = torch.fake_quantize_per_tensor_affine(array, step, 0, -most, most)
    return {"bits": bits, "values": found.double().tolist()}


def main() -> None:
    """Write the file."""
    record = {
        "torch": torch.__version__.split("+")[0],
        "arrays": [array.tolist() for array in arrays()],
        "pruned": [pruned(share) for share in SHARES],
        "rounded": [rounded(bits) for bits in BITS],
    }
    path = Path(__file__).with_name("sparsity.json")
    path.write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
