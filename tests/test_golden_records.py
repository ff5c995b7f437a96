"""The recorded trajectories of other packages: complete, finite, and from the point they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECORD = json.loads((Path(__file__).parent / "golden" / "optimizers.json").read_text())
CASES: dict[str, dict[str, Any]] = RECORD["cases"]
STEPS = [1, 2, 3, 5, 10, 20, 40, 60]
VALUES = {name: np.array(values) for name, values in RECORD["problem"].items()}


def gradient(x: np.ndarray) -> np.ndarray:
    return VALUES["a"] * x + VALUES["c"] * VALUES["w"] * np.cos(VALUES["w"] * x + VALUES["p"])


def value(x: np.ndarray) -> float:
    return float(
        np.sum(VALUES["a"] * x**2 / 2 + VALUES["c"] * np.sin(VALUES["w"] * x + VALUES["p"]))
    )


def after(case: str, step: int) -> np.ndarray:
    return np.array(dict(CASES[case]["trajectory"])[step])


def test_the_problem_has_seventeen_of_everything() -> None:
    assert {name: len(values) for name, values in VALUES.items()} == dict.fromkeys("acwp", 17) | {
        "x0": 17
    }


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 90


@pytest.mark.parametrize("case", CASES)
def test_a_case_names_its_peer_and_its_settings(case: str) -> None:
    module, _ = CASES[case]["peer"].split()
    assert module in ("torch.optim", "pytorch_optimizer") or any(
        module.startswith(package.split("-")[0]) for package in RECORD["versions"]
    )
    assert isinstance(CASES[case]["hyperparameters"], dict)


@pytest.mark.parametrize("case", CASES)
def test_a_case_holds_every_step_in_finite_numbers(case: str) -> None:
    assert [step for step, _ in CASES[case]["trajectory"]] == STEPS
    held = np.array([x for _, x in CASES[case]["trajectory"]])
    assert held.shape == (len(STEPS), 17)
    assert np.isfinite(held).all()


@pytest.mark.parametrize("case", CASES)
def test_a_case_goes_down_from_the_starting_point(case: str) -> None:
    assert value(after(case, 60)) < value(VALUES["x0"]) - 1


def test_sign_sgd_goes_one_learning_rate_against_each_sign() -> None:
    rate = CASES["signsgd"]["hyperparameters"]["lr"]
    x = VALUES["x0"]
    for step in (1, 2, 3):
        x = x - rate * np.sign(gradient(x))
        np.testing.assert_allclose(after("signsgd", step), x, rtol=0, atol=1e-15)


def test_clipped_sgd_goes_along_the_gradient_by_no_more_than_the_clipped_norm() -> None:
    case = CASES["clip_norm"]
    rate, most = case["hyperparameters"]["lr"], case["before"]["clip_norm"]["max_norm"]
    x = VALUES["x0"]
    for step in (1, 2, 3):
        g = gradient(x)
        x = x - rate * g * min(1.0, most / (np.linalg.norm(g) + 1e-6))
        np.testing.assert_allclose(after("clip_norm", step), x, rtol=0, atol=1e-14)


def test_lookahead_returns_part_of_the_way_each_third_step() -> None:
    given = CASES["lookahead"]["hyperparameters"]
    x = VALUES["x0"]
    for step in (1, 2, 3):
        x = x - given["lr"] * gradient(x)
        if step == 3:
            x = VALUES["x0"] + given["alpha"] * (x - VALUES["x0"])
        np.testing.assert_allclose(after("lookahead", step), x, rtol=0, atol=1e-14)


def test_sharpness_aware_sgd_takes_the_gradient_uphill_of_where_it_stands() -> None:
    given = CASES["sam"]["hyperparameters"]
    x = VALUES["x0"]
    for step in (1, 2, 3):
        g = gradient(x)
        x = x - given["lr"] * gradient(x + given["rho"] * g / np.linalg.norm(g))
        np.testing.assert_allclose(after("sam", step), x, rtol=0, atol=1e-13)


def test_the_vector_stays_where_a_peer_has_a_rule_for_matrices_only() -> None:
    alone = [name for name, case in CASES.items() if case.get("only_matrix")]
    assert alone
    for name in alone:
        assert (after(name, 60)[12:] == VALUES["x0"][12:]).all()
