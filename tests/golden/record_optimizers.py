"""Record float64 trajectories of the optimizers of torch and of further torch packages.

It installs the peers on its own, in pinned versions, and writes ``optimizers.json`` beside itself:

    python tests/golden/record_optimizers.py            # a virtual environment that is thrown away
    python tests/golden/record_optimizers.py FOLDER     # one that is kept there, and used again
    python tests/golden/record_optimizers.py --record FOLDER
                                # this interpreter has the peers already, FOLDER the later releases

Any Python >= 3.11 runs it; torch's build for the CPU suffices, wherever pip is set to find it.
AdaShift becomes NaN in pytorch_optimizer 3.9.0, AdaNorm never stores its average norm and Grams
mistakes its betas: these cases are recorded last, with a later release that stands in a folder of
its own. ``release`` is in their records, and ``later`` among the versions.

Per case the file holds the peer, what it was given (all else is its default) and the 17 parameters
after steps 1, 2, 3, 5, 10, 20, 40 and 60, from ``x0``, on ``f(x) = sum(a x^2/2 + c sin(w x + p))``
over W (4 x 3, by rows) and b (5). The gradient is NumPy's, ``a x + c w cos(w x + p)``; second-order
peers are handed the exact diagonal of the Hessian in place of a random estimate of it. Where a peer
turns its numbers into float32 or bfloat16, it computes in float64 here; ``rounding`` then tells by
how much at most it strays from the record if it is left to. A case that a peer cannot run, or that
does not stay finite, is left out and printed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optimizer_cases import CASES, Case

PINS = {
    "numpy": "2.4.6",
    "torch": "2.13.0",
    "pytorch_optimizer": "3.9.0",
    "torch-optimizer": "0.3.0",
    "adamp": "0.3.0",
    "schedulefree": "1.4.1",
    "dadaptation": "3.2",
    "prodigyopt": "1.1.2",
    "dog-optimizer": "1.0.3",
    "dowg": "0.3.1",
    "parameterfree": "0.0.1",
    "momo-opt": "0.1.0",
    "mechanic-pytorch": "0.0.1",
}
LATER = {"pytorch_optimizer": "4.1.0"}
"""For the cases that the pinned release has wrong."""
STEPS = (1, 2, 3, 5, 10, 20, 40, 60)


def drawn_problem() -> dict[str, Any]:
    """A problem of its own, of six decimals."""
    import numpy as np

    draw = np.random.default_rng(1711)
    ranges = {"a": (0.3, 2.0), "c": (0.2, 0.8), "w": (0.5, 1.8), "p": (0.0, 6.0)}
    problem = {name: draw.uniform(*ends, 17) for name, ends in ranges.items()}
    problem["x0"] = draw.normal(0.0, 1.5, 17)
    return {name: np.round(values, 6) for name, values in problem.items()}


def found(name: str) -> Any:
    """What ``module name`` stands for."""
    module, attribute = name.split()
    return getattr(importlib.import_module(module), attribute)


def built(case: Case, params: list[Any]) -> Any:
    """The case's optimizer over its parameters."""
    import torch

    settings = dict(case.settings)
    for name, value in settings.items():
        if name in ("optimizer", "base_optimizer", "reduce_func") and value:
            settings[name] = found(value)
        elif name.endswith("_dtype"):
            settings[name] = getattr(torch, value)
        elif isinstance(value, list):
            settings[name] = tuple(value)
    held: Any = params[:1] if case.only_matrix else params
    if "group" in settings:
        held = [{"params": held, **settings.pop("group")}]
    kind = found(case.peer)
    if case.peer.endswith("mechanize"):
        outer = {name: settings.pop(name) for name in ("s_init", "s_decay") if name in settings}
        return kind(settings.pop("base_optimizer"), **outer)(held, **settings)
    if "optimizer" in settings:
        return kind(params=held, **settings)
    return kind(held, **settings)


def centralise(params: list[Any], memory: dict[str, Any]) -> None:
    for parameter in params:
        found("pytorch_optimizer.optimizer.gradient_centralization centralize_gradient")(
            parameter.grad
        )


def agc(params: list[Any], memory: dict[str, Any], **settings: float) -> None:
    for parameter in params:
        clipped = found("pytorch_optimizer.optimizer.agc agc")
        parameter.grad = clipped(parameter.detach(), parameter.grad, **settings)


def clip_norm(params: list[Any], memory: dict[str, Any], **settings: float) -> None:
    found("torch.nn.utils clip_grad_norm_")(params, **settings)


def grokfast(params: list[Any], memory: dict[str, Any], **settings: float) -> None:
    import torch

    model = torch.nn.ParameterList(params)
    if "grads" not in memory:
        # It starts its average with the gradients themselves, which it would then change as well.
        memory["grads"] = {name: p.grad.clone() for name, p in model.named_parameters()}
    filtered = found("pytorch_optimizer.optimizer.grokfast gradfilter_ema")
    memory["grads"] = filtered(model, grads=memory["grads"], **settings)


BEFORE: dict[str, Callable[..., None]] = {
    "centralise": centralise,
    "agc": agc,
    "clip_norm": clip_norm,
    "grokfast": grokfast,
}


class Point:
    """The peer's two parameters, at the problem."""

    def __init__(self, problem: dict[str, Any]) -> None:
        import torch

        self.problem = problem
        self.params = [torch.nn.Parameter(part) for part in self.parts(problem["x0"])]

    @staticmethod
    def parts(values: Any) -> list[Any]:
        """Seventeen values as W and b."""
        import torch

        return [torch.tensor(values[:12].reshape(4, 3).copy()), torch.tensor(values[12:].copy())]

    @staticmethod
    def joined(parts: list[Any]) -> Any:
        import numpy as np

        return np.concatenate([part.detach().numpy().ravel() for part in parts])

    def evaluated(self) -> Any:
        """Set the gradient; the loss."""
        import numpy as np
        import torch

        a, c, w, p = (self.problem[name] for name in "acwp")
        x = self.joined(self.params)
        gradient = self.parts(a * x + c * w * np.cos(w * x + p))
        for parameter, part in zip(self.params, gradient, strict=True):
            parameter.grad = part
        return torch.tensor(np.sum(a * x * x / 2 + c * np.sin(w * x + p)))

    def hessian(self) -> list[Any]:
        """The Hessian's diagonal."""
        import numpy as np

        a, c, w, p = (self.problem[name] for name in "acwp")
        return self.parts(a - c * w**2 * np.sin(w * self.joined(self.params) + p))


def judged(optimizer: Any, point: Point) -> Any:
    """The parameters that the optimizer is judged by."""
    if hasattr(optimizer, "eval"):
        optimizer.eval()
        return point.joined(point.params)
    return point.joined([optimizer.state[parameter]["ax"] for parameter in point.params])


def trajectory(case: Case, problem: dict[str, Any]) -> list[tuple[int, list[float]]]:
    """The parameters after each step of STEPS."""
    import numpy as np

    point = Point(problem)
    optimizer = built(case, point.params)
    memory: dict[str, Any] = {}
    held = []
    for step in range(1, STEPS[-1] + 1):
        if hasattr(optimizer, "train"):
            optimizer.train()
        point.evaluated()
        extra: dict[str, Any] = {"closure": point.evaluated} if case.closure else {}
        if case.hessian_every and (step - 1) % case.hessian_every == 0:
            # Some peers take a state that holds a Hessian for one that is complete.
            for group in optimizer.param_groups:
                optimizer.init_group(group)
            extra["hessian"] = point.hessian()
        if case.before:
            BEFORE[case.before[0]](point.params, memory, **case.before[1])
        optimizer.step(**extra)
        if step in STEPS:
            x = judged(optimizer, point) if case.judged else point.joined(point.params)
            held.append((step, x.tolist()))
    if not np.isfinite([values for _, values in held]).all():
        raise ArithmeticError("its parameters do not stay finite")
    return held


@contextmanager
def float64_throughout() -> Iterator[None]:
    """Peers that turn their numbers into a shorter type get float64; random probes are ones."""
    import torch

    short = {name: getattr(torch, name) for name in ("float32", "float", "bfloat16")}
    casts = {name: getattr(torch.Tensor, name) for name in ("float", "bfloat16")}
    random = torch.randn_like
    torch.set_default_dtype(torch.float64)
    torch.randn_like = torch.ones_like
    for name in short:
        setattr(torch, name, torch.float64)
    for name in casts:
        setattr(torch.Tensor, name, torch.Tensor.clone)
    try:
        yield
    finally:
        for name, value in short.items():
            setattr(torch, name, value)
        for name, cast in casts.items():
            setattr(torch.Tensor, name, cast)
        torch.randn_like = random
        torch.set_default_dtype(torch.float32)


def recorded(case: Case, problem: dict[str, Any]) -> dict[str, Any]:
    """The case as the file holds it."""
    import numpy as np

    with float64_throughout():
        held = trajectory(case, problem)
    record: dict[str, Any] = {"peer": case.peer, "hyperparameters": case.settings}
    if case.later:
        record["release"] = importlib.metadata.version(case.peer.split()[0])
    if case.before:
        record["before"] = {case.before[0]: case.before[1]}
    for name in ("note", "closure", "hessian_every", "only_matrix", "judged"):
        if value := getattr(case, name):
            record[name] = value
    if "random" not in case.note:
        left = trajectory(case, problem)
        pairs = zip(left, held, strict=True)
        rounding = max(float(np.abs(np.subtract(x[1], y[1])).max()) for x, y in pairs)
        if rounding > 1e-12:
            record["rounding"] = float(f"{rounding:.1e}")
    return {**record, "trajectory": held}


def records(problem: dict[str, Any], *, later: bool) -> dict[str, dict[str, Any]]:
    """All cases of the pinned releases, or of the later ones, that run."""
    kept = {}
    for name, case in sorted(CASES.items()):
        if case.later != later:
            continue
        try:
            kept[name] = recorded(case, problem)
        except Exception as error:
            print(f"{name} left out: {case.peer}: {type(error).__name__}: {error}")
            continue
        if "rounding" in kept[name]:
            print(f"{name}: {case.peer} rounds by {kept[name]['rounding']}")
    return kept


def versions_of(pins: dict[str, str]) -> dict[str, Any]:
    return {name: importlib.metadata.version(name) for name in pins}


def turn_to(later: Path) -> None:
    """From here on the packages in the folder ``later`` are imported, not those of the pins."""
    for name in [name for name in sys.modules if name.partition(".")[0] in LATER]:
        del sys.modules[name]
    sys.path.insert(0, str(later))
    importlib.invalidate_caches()


def record_all(later: Path) -> None:
    """Record every case that runs."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    problem = drawn_problem()
    versions, cases = versions_of(PINS), records(problem, later=False)
    turn_to(later)
    versions["later"] = versions_of(LATER)
    if versions["later"] != LATER:
        raise SystemExit(f"{later} must hold {LATER}; found was {versions['later']}")
    cases |= records(problem, later=True)
    about = {"problem": {name: values.tolist() for name, values in problem.items()}}
    head = json.dumps({**about, "versions": versions}, separators=(",", ":"))[:-1]
    lines = [
        f"{json.dumps(name)}:{json.dumps(case, separators=(',', ':'))}"
        for name, case in sorted(cases.items())
    ]
    path = Path(__file__).with_name("optimizers.json")
    path.write_text(f'{head},"cases":{{\n' + ",\n".join(lines) + "\n}}\n")
    print(f"{len(lines)} cases, {path.stat().st_size} bytes")


def pinned(pins: dict[str, str]) -> list[str]:
    return [f"{name}=={version}" for name, version in pins.items()]


def record_in(folder: Path) -> None:
    """Record by the interpreter of a virtual environment that gets the peers."""
    python, later = folder / "bin" / "python", folder / "later"
    if not python.exists():
        venv.create(folder, with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, *pinned(PINS)], check=True)
    # What the later releases need is there already.
    beside = ["--no-deps", "--upgrade", "--target", later]
    subprocess.run([*install, *beside, *pinned(LATER)], check=True)
    subprocess.run([python, __file__, "--record", later], check=True)


def main() -> None:
    """Install the peers and record, or only record."""
    match sys.argv[1:]:
        case ["--record", later]:
            record_all(Path(later))
        case [folder]:
            record_in(Path(folder).absolute())
        case _:
            with tempfile.TemporaryDirectory() as folder:
                record_in(Path(folder))


if __name__ == "__main__":
    main()
