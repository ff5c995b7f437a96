"""Losses against scikit-learn, SciPy and hand-worked figures."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from fallline import losses
from fallline.errors import InputError


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


LOGITS = np.random.default_rng(0).normal(size=(20, 4)) * 3
CLASSES = np.random.default_rng(1).integers(0, 4, 20)


def test_softmax_cross_entropy_is_scikit_learns() -> None:
    ours = losses.get("cross_entropy").per_example(jnp.asarray(LOGITS), jnp.asarray(CLASSES))
    theirs = sklearn.metrics.log_loss(CLASSES, scipy.special.softmax(LOGITS, axis=1))
    assert ours.shape == (20,)
    assert float(ours.mean()) == pytest.approx(theirs, rel=1e-12)


def test_sigmoid_cross_entropy_is_scikit_learns() -> None:
    targets = (CLASSES > 1).astype(int)
    ours = losses.get("sigmoid_cross_entropy").per_example(
        jnp.asarray(LOGITS[:, :1]), jnp.asarray(targets)
    )
    theirs = sklearn.metrics.log_loss(targets, scipy.special.expit(LOGITS[:, 0]))
    assert float(ours.mean()) == pytest.approx(theirs, rel=1e-12)


def test_one_vs_rest_is_scikit_learns_class_by_class() -> None:
    ours = losses.get("one_vs_rest_cross_entropy").per_example(
        jnp.asarray(LOGITS), jnp.asarray(CLASSES)
    )
    theirs = [
        sklearn.metrics.log_loss(k == CLASSES, scipy.special.expit(LOGITS[:, k])) for k in range(4)
    ]
    assert ours.shape == (20,)
    assert float(ours.mean()) == pytest.approx(np.mean(theirs), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        # By the closed forms, for z = (1, -2, 0.5) and the class 0, or the target 2.5.
        ("cross_entropy", scipy.special.softmax([1, -2, 0.5]) - [1, 0, 0]),
        ("one_vs_rest_cross_entropy", (scipy.special.expit([1, -2, 0.5]) - [1, 0, 0]) / 3),
        ("sigmoid_cross_entropy", [scipy.special.expit(1) - 0]),
        ("mse", [2 * (1 - 2.5)]),
        ("mae", [-1]),
        ("huber", [-1]),
        ("huber(1.5)", [-1.5]),
        ("huber(2.0)", [-1.5]),
    ],
)
def test_gradients_by_their_closed_forms(name: str, slope) -> None:
    outputs = jnp.asarray([[1.0, -2.0, 0.5]])[:, : len(slope)]
    kind = losses.get(name).kind
    target = jnp.asarray([0 if kind == "classification" else 2.5])
    gradient = jax.grad(lambda z: losses.get(name).per_example(z, target).sum())(outputs)
    np.testing.assert_allclose(gradient[0], slope, rtol=1e-12)


def test_delta_leads_huber_from_the_absolute_error_to_half_the_squared_one() -> None:
    r, zero = jnp.asarray([[-3.0], [0.2], [8.0]]), jnp.zeros(3)
    small, large = (losses.get(f"huber({delta})").per_example(r, zero) for delta in (1e-6, 100))
    np.testing.assert_allclose(small / 1e-6, jnp.abs(r[:, 0]), rtol=1e-5)
    np.testing.assert_allclose(large, r[:, 0] ** 2 / 2)


CROSS_ENTROPIES = ["cross_entropy", "sigmoid_cross_entropy", "one_vs_rest_cross_entropy"]


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_cross_entropies_are_finite_far_out(name: str) -> None:
    far = jnp.asarray([[1e4, -1e4], [-1e4, 1e4]])[:, : 1 if name.startswith("sig") else 2]
    loss = losses.get(name).per_example
    value = loss(far, jnp.asarray([1, 0]))
    gradient = jax.grad(lambda z: jnp.sum(loss(z, jnp.asarray([1, 0]))))(far)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("mse", sklearn.metrics.mean_squared_error),
        ("mae", sklearn.metrics.mean_absolute_error),
    ],
)
def test_regression_losses_are_scikit_learns(name: str, oracle) -> None:
    targets = LOGITS[:, 1]
    ours = losses.get(name).per_example(jnp.asarray(LOGITS[:, :1]), jnp.asarray(targets))
    assert float(ours.mean()) == pytest.approx(oracle(targets, LOGITS[:, 0]), rel=1e-12)


@pytest.mark.parametrize("delta", [0.3, 1.0, 2.5])
def test_huber_is_scipys(delta: float) -> None:
    ours = losses.get(f"huber({delta})").per_example(jnp.asarray(LOGITS[:, :1]), jnp.zeros(20))
    np.testing.assert_allclose(ours, scipy.special.huber(delta, LOGITS[:, 0]), rtol=1e-12)


def test_huber_by_hand() -> None:
    # r = 0.5: 0.125; r = 3 with delta 1: 1 * (3 - 0.5) = 2.5
    ours = losses.get("huber").per_example(jnp.asarray([[0.5], [3.0]]), jnp.zeros(2))
    np.testing.assert_allclose(ours, [0.125, 2.5])


def test_unknown_loss_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown loss 'crossentropy'") as caught:
        losses.get("crossentropy")
    assert "'cross_entropy'" in (caught.value.hint or "")


@pytest.mark.parametrize("delta", ["0", "-1", "wide"])
def test_huber_refuses_a_wrong_delta(delta: str) -> None:
    with pytest.raises(InputError, match="delta"):
        losses.get(f"huber({delta})")
