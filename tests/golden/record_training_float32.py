"""Record what torch's own float32 makes of the trainings that were recorded in float64.

Where a training is ill-conditioned, float32 leaves the float64 trajectory by rounding alone,
whoever computes it. This script measures by how much torch does, so that a float32 training of
ours can be held to torch's float32 instead. It needs torch and NumPy, not fallline:

    python tests/golden/record_training_float32.py GOLDEN_DIR DATA_DIR

and writes ``training_float32.json`` beside itself: per case the losses, and the largest relative
distance of torch's float32 from its float64.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

SHAPES = {
    "mlp": [(784, 128), (128, 10)],
    "lenet5": [(5, 5, 1, 6), (5, 5, 6, 16), (256, 120), (120, 84), (84, 10)],
}
OPTIMIZERS = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adam": torch.optim.Adam}


def formula_weights(shape: tuple[int, ...], layer: int) -> np.ndarray:
    """The records' initial weights, in Keras's layout."""
    fans = int(np.prod(shape[:-2])) * (shape[-2] + shape[-1])
    index = np.arange(np.prod(shape), dtype=np.float64)
    return (np.sqrt(6 / fans) * np.sin(0.37 * index + 1.3 * layer + 0.5)).reshape(shape)


def parameters(network: str) -> list[torch.Tensor]:
    """Weights and biases, layer by layer, in torch's layout."""
    made = []
    for layer, shape in enumerate(SHAPES[network]):
        values = formula_weights(shape, layer)
        values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values
        made.append(torch.tensor(values.copy(), dtype=torch.float32, requires_grad=True))
        made.append(torch.zeros(shape[-1], dtype=torch.float32, requires_grad=True))
    return made


def outputs(x: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
    """Logits of images ``(batch, 28, 28)``; activations are flattened height first."""
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    if pairs[0][0].ndim == 4:
        x = x[:, None]
    while pairs[0][0].ndim == 4:
        kernel, bias = pairs.pop(0)
        x = torch.max_pool2d(torch.relu(torch.conv2d(x, kernel, bias)), 2)
    if x.ndim == 4:
        x = x.permute(0, 2, 3, 1)
    x = x.reshape(len(x), -1)
    for kernel, bias in pairs[:-1]:
        x = torch.relu(x @ kernel + bias)
    return x @ pairs[-1][0] + pairs[-1][1]


def read(path: Path, header: int) -> np.ndarray:
    """The bytes of a gzipped IDX file behind its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def losses(case: dict, data_dir: Path) -> list[float]:
    """The loss of every step of one case."""
    folder = data_dir / case["data"]
    x = read(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    y = read(folder / "train-labels-idx1-ubyte.gz", 8).astype(np.int64)
    weights = parameters(case["network"])
    optimizer = OPTIMIZERS[case["optimizer"]](weights, **case["hyperparameters"])
    found = []
    for step in range(len(case["loss"])):
        batch = slice(step * case["batch_size"], (step + 1) * case["batch_size"])
        images = torch.tensor(x[batch].copy(), dtype=torch.float32) / 255
        loss = functional.cross_entropy(outputs(images, weights), torch.tensor(y[batch]))
        loss = loss + case["l2"] * sum(w.square().sum() for w in weights if w.ndim > 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def main() -> None:
    """Record every case."""
    golden_dir, data_dir = map(Path, sys.argv[1:3])
    torch.set_num_threads(1)
    records = []
    for case in json.loads((golden_dir / "training.json").read_text())["cases"]:
        own = losses(case, data_dir)
        distance = np.abs(np.asarray(own) / np.asarray(case["loss"]) - 1).max()
        about = {name: case[name] for name in ("data", "network", "optimizer")}
        records.append({**about, "from_float64": float(distance), "loss": own})
    document = {"peer": f"torch {torch.__version__}", "cases": records}
    path = Path(__file__).with_name("training_float32.json")
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
