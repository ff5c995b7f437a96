"""What every side of a step benchmark is given alike: examples, their order, initial weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from networks import IMAGE, NETWORKS, is_flat, kernels


def write(path: Path, data: str = "mnist") -> int:
    """A data set's training images with one shuffled order, and the networks' weights for them.

    ``x``: ``(n, height, width)`` uint8, to be divided by ``unit``; ``y`` and ``order``: ``(n,)``
    int32; ``NETWORK:NUMBER``: a layer's initial weights. MNIST gives all of its 60,000 training
    images. Gives ``n``.
    """
    from fallline.data import builtin

    loaded = builtin.load(data, **({"validation": 0} if data == "mnist" else {}))
    x, y = loaded.train.x, loaded.train.y.astype(np.int32)
    image = (*x.shape[1:], 1)
    order = np.random.default_rng(0).permutation(len(x)).astype(np.int32)
    weights = {
        f"{name}:{at:02d}": kernel
        for name, layers in NETWORKS.items()
        if image == IMAGE or is_flat(layers)
        for at, kernel in enumerate(kernels(layers, image=image))
    }
    np.savez(path, x=x, y=y, order=order, unit=1 / np.max(loaded.input_scale), **weights)
    return len(x)
