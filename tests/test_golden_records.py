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


def test_a_case_of_another_release_says_so() -> None:
    later = {name: case["release"] for name, case in CASES.items() if "release" in case}
    assert sorted({name.partition("_")[0] for name in later}) == ["adanorm", "adashift", "grams"]
    releases = RECORD["versions"]["later"]
    for name, release in later.items():
        package = CASES[name]["peer"].split()[0]
        assert release == releases[package] != RECORD["versions"][package]


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


def test_adashift_stays_until_it_has_its_gradients_and_goes_by_the_largest_of_an_array() -> None:
    given = CASES["adashift"]["hyperparameters"]
    x = VALUES["x0"]
    assert given["keep_num"] == 4
    for step in (1, 2, 3):
        np.testing.assert_array_equal(after("adashift", step), x)
    g = gradient(x)
    largest = np.concatenate([np.full(part.size, np.abs(part).max()) for part in (g[:12], g[12:])])
    x = x - given["lr"] * g / (largest + given["eps"])
    np.testing.assert_allclose(after("adashift", 5), x, rtol=0, atol=1e-14)


def test_grams_goes_against_the_gradient_by_what_adam_would() -> None:
    given = CASES["grams"]["hyperparameters"]
    (beta_1, beta_2), x, m, v = given["betas"], VALUES["x0"], 0.0, 0.0
    for step in (1, 2, 3):
        g = gradient(x)
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g**2
        adam = m / (1 - beta_1**step) / (np.sqrt(v / (1 - beta_2**step)) + 1e-6)
        x = x - given["lr"] * (np.sign(g) * np.abs(adam) + given["weight_decay"] * x)
        np.testing.assert_allclose(after("grams", step), x, rtol=0, atol=1e-14)


def test_adanorm_lengthens_gradients_that_are_shorter_than_usual() -> None:
    given = CASES["adanorm"]["hyperparameters"]
    r, rate, decay = given["r"], given["lr"], given["weight_decay"]
    parts, short = (slice(12), slice(12, 17)), 0
    x, e, m, v = VALUES["x0"], [0.0, 0.0], np.zeros(17), np.zeros(17)
    for step in range(1, 61):
        g = gradient(x)
        s = g.copy()
        for each, part in enumerate(parts):
            size = np.linalg.norm(g[part])
            e[each] = r * e[each] + (1 - r) * size
            if e[each] > size:
                short += 1
                s[part] *= e[each] / size
        m, v = 0.9 * m + 0.1 * s, 0.99 * v + 0.01 * g**2
        unit = m / (1 - 0.9**step) * np.sqrt(1 - 0.99**step) / (np.sqrt(v) + 1e-8)
        x = x - rate * (unit + decay * x)
        if step in STEPS:
            np.testing.assert_allclose(after("adanorm", step), x, rtol=0, atol=1e-10)
    assert short > 20


def test_the_vector_stays_where_a_peer_has_a_rule_for_matrices_only() -> None:
    alone = [name for name, case in CASES.items() if case.get("only_matrix")]
    assert alone
    for name in alone:
        assert (after(name, 60)[12:] == VALUES["x0"][12:]).all()
