"""Records where torch, its further packages and Keras go when called as the dialects say.

    python tests/golden/record_dialects.py --list > JOBS.json         # in fallline's environment
    KERAS_BACKEND=tensorflow python tests/golden/record_dialects.py JOBS.json LATER # in the peers'

The peers' environment has torch, keras, tensorflow, pytorch_optimizer 3.9.0, adamp, dadaptation,
parameterfree and timm, whose front (it needs torchvision) is passed by; LATER is a folder with a
later release of pytorch_optimizer, as record_optimizers.py has it. Written: dialects.json beside
this file, one job per line: the entry, the call and its arguments, our settings and options that
they stand for, and the 17 parameters after steps 1, 2, 5 and 20 on the problem of optimizers.json,
rounded to 12 decimals; ``fails`` in their place where the call gives none, and ``until`` where they
do not stay finite. ``later`` is where the later release goes, if not the same way.

Settings are the dialect's own defaults, except that what shows little is moved: a learning rate is
0.05 at least and ε 0.1, AT_LEAST and INSTEAD have more, a weight decay of 0 is 0.01, and other
zeros are in the middle of their range. An option that an argument passes on is recorded at
each of its choices. Keras on TensorFlow turns numbers into float32, so that its settings are such
as float32 holds; betas are as they are where their rounding is an option of ours. W is handed to
torch as torch has kernels, outputs first: transposed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import itertools
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
KEPT = FOLDER / "dialects.json"
STEPS = (1, 2, 5, 20)
DECIMALS = 12
AT_LEAST = {
    "learning_rate": 0.05,
    "vector_learning_rate": 0.05,
    "epsilon": 0.1,
    "adam_epsilon": 0.1,
    "first_distance": 0.01,
}
"""By hyper-parameter: below it shows little within 20 steps."""
INSTEAD = {"delta": 3.0, "norm_bound": 0.9, "step_min": 0.005, "step_max": 0.05}
"""Bounds that would never be reached."""
DECAY = 0.01
LATER = "pytorch_optimizer"
"""The package of which there is a later release."""
APART = 1e-10
"""The releases go the same way if no parameter is farther apart."""
ONLY_MATRICES = {"torch.optim.Muon"}
"""Calls that refuse vectors: they get W alone."""
NOT_RUN = {
    "pytorch_optimizer.Kron": "its directions come from a random generator of its own",
    "pytorch_optimizer.AdaHessian": "it draws its signs from a random generator of its own",
    "pytorch_optimizer.SophiaH": "it draws its probes from a random generator of its own",
}


def listed() -> list[dict[str, Any]]:
    """The jobs of all dialects of torch and Keras, in the catalogue's order."""
    from fallline import optimizers

    return [
        job
        for entry in map(optimizers.get, optimizers.names())
        for dialect in entry.dialects
        if dialect.framework in ("torch", "keras")
        for job in jobs_of(entry, dialect)
    ]


def jobs_of(entry: Any, dialect: Any) -> Iterator[dict[str, Any]]:
    """A job for each choice of the options that the dialect's arguments pass on."""
    from fallline.optimizers.dialects import Fixed, names

    passed = {name for argument in dialect.arguments.values() for name in names(argument)}
    free = [each for each in entry.options if each.choices and each.name in passed]
    for chosen in itertools.product(*(each.choices for each in free)):
        choices = {each.name: value for each, value in zip(free, chosen, strict=True)}
        options = entry.complete_options({**dialect.options, **choices})
        settings = dict(dialect.defaults)
        for each in entry.hyperparameters:
            asks = each.only_with
            if asks is not None and options[asks[0]] not in asks[1]:
                settings.pop(each.name, None)
            elif each.name in passed:
                settings[each.name] = telling(each, dialect)
        known = {**entry.complete(settings), **options}
        arguments = {
            theirs: ours.value
            if isinstance(ours, Fixed)
            else known[ours]
            if isinstance(ours, str)
            else [known[name] for name in ours]
            for theirs, ours in dialect.arguments.items()
        }
        yield {
            "entry": entry.name,
            "framework": dialect.framework,
            "call": dialect.call,
            "arguments": {name: plain(value) for name, value in arguments.items()},
            "settings": settings,
            "options": options,
        }


def telling(parameter: Any, dialect: Any) -> float:
    """The value at which a hyper-parameter is recorded."""
    value = dialect.defaults.get(parameter.name, parameter.default)
    span = parameter.range
    if parameter.name in INSTEAD:
        value = INSTEAD[parameter.name]
    elif parameter.name in AT_LEAST:
        value = max(value, AT_LEAST[parameter.name])
    elif parameter.name == "weight_decay" and value == 0:
        value = DECAY
    elif value == 0 and span is not None:
        match span.scale:
            case "log":
                value = math.sqrt(span.low * span.high)
            case "log_one_minus":
                value = 1 - math.sqrt((1 - span.low) * (1 - span.high))
            case _:
                value = (span.low + span.high) / 2
    kept = parameter.name.startswith("beta") and "betas" in dialect.options
    return float(np.float32(value)) if dialect.framework == "keras" and not kept else value


def plain(value: Any) -> Any:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def found(call: str) -> Any:
    """The class of that name."""
    module, _, name = call.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, RuntimeError, AttributeError) as error:
        print(f"{module} is passed by: {error}", file=sys.stderr)
        return behind(module, name)


def behind(module: str, name: str) -> Any:
    """The class from the file that defines it, where the packages around cannot be imported."""
    package, *within = module.split(".")
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    for each in [each for each in sys.modules if each.partition(".")[0] == package]:
        del sys.modules[each]
    for step in range(len(within) + 1):
        front = ModuleType(".".join([package, *within[:step]]))
        front.__path__ = [str(folder.joinpath(*within[:step]))]
        front.__spec__ = importlib.util.spec_from_loader(front.__name__, None, is_package=True)
        assert front.__spec__ is not None
        front.__spec__.submodule_search_locations = front.__path__
        sys.modules[front.__name__] = front
    begins = f"class {name}("
    (path,) = (
        path for path in folder.joinpath(*within).glob("*.py") if f"\n{begins}" in path.read_text()
    )
    return getattr(importlib.import_module(f"{module}.{path.stem}"), name)


class Torch:
    """A torch optimizer at its parameters."""

    def __init__(self, job: Mapping[str, Any], x: np.ndarray, problem: Any) -> None:
        import torch

        self.params = [torch.nn.Parameter(part) for part in self.parts(x)]
        self.problem = problem
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in job["arguments"].items()
        }
        held = self.params[:1] if job["call"] in ONLY_MATRICES else self.params
        self.optimizer = found(job["call"])(held, **given)
        self.closure = job["call"] == "torch.optim.LBFGS"

    @staticmethod
    def parts(x: np.ndarray) -> list[Any]:
        import torch

        return [torch.tensor(x[:12].reshape(4, 3).T.copy()), torch.tensor(x[12:].copy())]

    @property
    def x(self) -> np.ndarray:
        matrix, vector = (each.detach().numpy() for each in self.params)
        return np.concatenate([matrix.T.ravel(), vector])

    def evaluated(self) -> Any:
        """Set the gradient; the loss."""
        for parameter, part in zip(
            self.params, self.parts(gradient(self.problem, self.x)), strict=True
        ):
            parameter.grad = part
        return value(self.problem, self.x)

    def step(self) -> None:
        self.evaluated()
        self.optimizer.step(*([self.evaluated] if self.closure else []))


class Keras:
    """A Keras optimizer at its variables."""

    def __init__(self, job: Mapping[str, Any], x: np.ndarray, problem: Any) -> None:
        import keras

        self.ops, self.problem = keras.ops, problem
        self.variables = [keras.Variable(part, dtype="float64") for part in self.parts(x)]
        self.optimizer = found(job["call"])(**job["arguments"])
        self.optimizer.build(self.variables)

    @staticmethod
    def parts(x: np.ndarray) -> list[np.ndarray]:
        return [x[:12].reshape(4, 3), x[12:]]

    @property
    def x(self) -> np.ndarray:
        return np.concatenate([np.ravel(self.ops.convert_to_numpy(v)) for v in self.variables])

    def step(self) -> None:
        grads = self.parts(gradient(self.problem, self.x))
        given = [self.ops.convert_to_tensor(part, dtype="float64") for part in grads]
        self.optimizer.apply(given, self.variables)


def gradient(problem: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a, c, w, p = (problem[name] for name in "acwp")
    return a * x + c * w * np.cos(w * x + p)


def value(problem: Mapping[str, np.ndarray], x: np.ndarray) -> float:
    a, c, w, p = (problem[name] for name in "acwp")
    return float(np.sum(a * x * x / 2 + c * np.sin(w * x + p)))


def recorded(job: Mapping[str, Any], problem: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The job with the parameters after each step of STEPS, as long as they are finite."""
    if job["call"] in NOT_RUN:
        return {**job, "fails": NOT_RUN[job["call"]]}
    kind = Keras if job["framework"] == "keras" else Torch
    held: list[tuple[int, list[float]]] = []
    try:
        peer = kind(job, problem["x0"].copy(), problem)
        for step in range(1, STEPS[-1] + 1):
            peer.step()
            if not np.isfinite(peer.x).all():
                return {**job, "until": step - 1, "trajectory": held}
            if step in STEPS:
                held.append((step, np.round(peer.x, DECIMALS).tolist()))
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"{job['entry']}: {job['call']}: {said}", file=sys.stderr)
        return {**job, "fails": said}
    return {**job, "trajectory": held}


def turn_to(later: str) -> None:
    """From here on the package in the folder ``later`` is imported."""
    for name in [name for name in sys.modules if name.partition(".")[0] == LATER]:
        del sys.modules[name]
    sys.path.insert(0, later)
    importlib.invalidate_caches()


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records of a job have the same parameters."""
    if any(each.keys() & {"fails", "until"} for each in (one, other)):
        return one.get("fails") == other.get("fails") and one.get("until") == other.get("until")
    pairs = zip(one["trajectory"], other["trajectory"], strict=True)
    return max(float(np.abs(np.subtract(x[1], y[1])).max()) for x, y in pairs) <= APART


def both(jobs: list[dict[str, Any]], later: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The records of all jobs, and the releases that they were made with."""
    import keras

    drawn = json.loads(FOLDER.joinpath("optimizers.json").read_text("utf-8"))["problem"]
    problem = {name: np.array(values) for name, values in drawn.items()}
    packages = sorted({job["call"].partition(".")[0] for job in jobs} | {keras.config.backend()})
    distributions = importlib.metadata.packages_distributions()
    names = {package: distributions[package][0] for package in packages}
    versions: dict[str, Any] = {
        package: importlib.metadata.version(name) for package, name in names.items()
    }
    records = [recorded(job, problem) for job in jobs]
    turn_to(later)
    versions["later"] = {LATER: importlib.metadata.version(names[LATER])}
    for job, record in zip(jobs, records, strict=True):
        if job["call"].startswith(f"{LATER}."):
            again = recorded(job, problem)
            if not same(again, record):
                record["later"] = again.get("trajectory") or again.get("fails")
    return records, versions


def main(arguments: list[str]) -> None:
    if arguments == ["--list"]:
        print(json.dumps(listed()))
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import torch

    torch.set_num_threads(1)
    # Constants that torch keeps in its default type are in float64 too.
    torch.set_default_dtype(torch.float64)
    keras.config.set_floatx("float64")
    jobs = json.loads(Path(arguments[0]).read_text("utf-8"))
    records, versions = both(jobs, arguments[1])
    lines = ",\n".join(
        json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in records
    )
    KEPT.write_text(f'{{"versions":{json.dumps(versions)},"jobs":[\n{lines}\n]}}\n', "utf-8")
    print(f"{len(jobs)} jobs, {KEPT.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
