"""Users' Flax modules, linen and NNX, as pure models and through the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import fallline
from fallline.adapters import PureModel, to_pure
from fallline.data.dataset import Dataset, make_dataset
from fallline.errors import InputError
from fallline.kernels import fast
from fallline.records import Status

SHAPE = (6, 6, 2)
NAMES = (
    "linen MLP",
    "linen convolution",
    "linen batch-norm",
    "linen dropout",
    "linen noise",
    "linen shared",
    "linen sequential",
    "NNX MLP",
    "NNX convolution",
    "NNX batch-norm",
    "NNX dropout",
    "NNX scaled",
)
DRAW = {"linen dropout", "linen noise", "NNX dropout"}
STATEFUL = {"linen batch-norm", "NNX batch-norm"}


@pytest.fixture(scope="module")
def data() -> Dataset:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(80, *SHAPE)).astype(np.float32)
    y = (x.reshape(80, -1) @ draw.normal(size=(72, 3))).argmax(axis=1)
    return make_dataset(x, y, name="images", validation=20, test=20)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(5, *SHAPE)).astype(np.float32)


def _begun(model, seed: int = 0) -> tuple[PureModel, object, object]:
    pure = to_pure(model, SHAPE)
    return pure, *pure.init(jax.random.key(seed))


def test_every_network_is_tested(networks) -> None:
    assert tuple(networks.ALL) == NAMES


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        pytest.param("linen convolution", "float32", marks=pytest.mark.slow),
        pytest.param("linen batch-norm", "float32", marks=pytest.mark.slow),
        ("linen batch-norm", "float64"),
        ("linen dropout", "float32"),
        ("linen noise", "float32"),
        ("NNX convolution", "float32"),
        ("NNX batch-norm", "float32"),
        pytest.param("NNX batch-norm", "float64", marks=pytest.mark.slow),
        ("NNX dropout", "float64"),
        ("NNX scaled", "float32"),
    ],
)
def test_networks_train_through_the_engine_and_are_kept(
    networks, data, tmp_path: Path, name: str, precision: str
) -> None:
    task = fallline.Task(networks.ALL[name], data, name="images", epochs=6, batch_size=20)
    training = fallline.train(task, "adam", learning_rate=0.01, precision=precision)
    losses = training.result.curves.train_loss
    assert training.result.status is Status.DONE
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert {array.dtype.name for array in training.weights.values()} == {precision}
    figures = training.evaluate("test")
    assert np.isfinite(list(figures.values())).all()
    path = training.save(tmp_path)
    tolerance = 0 if precision == "float32" else 1e-6  # read back, they are used in float32
    assert fallline.evaluate(path, task) == pytest.approx(figures, rel=tolerance, abs=0)


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_has_weights_of_its_own(networks, name: str) -> None:
    pure, first, _ = _begun(networks.ALL[name])
    again, other = pure.init(jax.random.key(0))[0], pure.init(jax.random.key(1))[0]
    kernels = [leaf for leaf in jax.tree.leaves(first) if leaf.ndim >= 2]
    others = [leaf for leaf in jax.tree.leaves(other) if leaf.ndim >= 2]
    assert kernels
    assert all((one != two).mean() > 0.9 for one, two in zip(kernels, others, strict=True))
    jax.tree.map(np.testing.assert_array_equal, first, again)


@pytest.mark.parametrize("name", NAMES)
def test_what_draws_and_what_has_state_is_known(networks, name: str) -> None:
    pure = to_pure(networks.ALL[name], SHAPE)
    assert pure.needs_key == (name in DRAW)
    assert pure.stateful == (name in STATEFUL)


@pytest.mark.parametrize("name", sorted(DRAW))
def test_dropout_is_active_in_training_alone(networks, images, name: str) -> None:
    pure, params, state = _begun(networks.ALL[name])
    one, other = jax.random.key(7), jax.random.key(8)

    def outputs(key, train: bool) -> np.ndarray:
        return np.asarray(pure.apply(params, state, key, images, train)[0])

    assert (outputs(one, True) != outputs(other, True)).any()
    np.testing.assert_array_equal(outputs(one, True), outputs(one, True))
    np.testing.assert_array_equal(outputs(None, False), outputs(one, False))
    assert (outputs(None, False) != outputs(one, True)).any()


def test_two_dropouts_do_not_drop_alike(networks) -> None:
    class Drops(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.one = nnx.Dropout(0.5, rngs=rngs)
            self.other = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, x):
            return jnp.concatenate([self.one(x), self.other(x)], axis=1)

    pure = to_pure(Drops, (64,))
    out, _ = pure.apply(
        {}, pure.init(jax.random.key(0))[1], jax.random.key(1), jnp.ones((2, 64)), True
    )
    dropped = np.asarray(out).reshape(2, 2, 64) == 0
    assert 0.3 < dropped.mean() < 0.7
    assert (dropped[:, 0] != dropped[:, 1]).mean() > 0.2


def test_a_trainings_noise_changes_with_its_steps_and_seed(networks, data) -> None:
    task = fallline.Task(networks.NnxDropout, data, name="images", epochs=2, batch_size=40)
    # A learning rate this small leaves the weights: what changes the losses is the noise.
    still = dict(optimizer="sgd", learning_rate=1e-12)
    losses = fallline.train(task, **still).step_losses
    assert losses[0] != losses[1]
    np.testing.assert_array_equal(losses, fallline.train(task, **still).step_losses)


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("linen batch-norm", lambda state: state["batch_stats"]["BatchNorm_0"]["mean"]),
        ("NNX batch-norm", lambda state: state["norm"]["mean"]),
    ],
)
def test_running_statistics_change_in_training_and_serve_evaluation(
    networks, images, name: str, mean
) -> None:
    pure, params, state = _begun(networks.ALL[name])
    trained, after = pure.apply(params, state, None, images, True)
    np.testing.assert_array_equal(mean(state), 0)
    assert (np.asarray(mean(after)) != 0).all()
    before, untouched = pure.apply(params, state, None, images, False)
    jax.tree.map(np.testing.assert_array_equal, untouched, state)
    later, _ = pure.apply(params, after, None, images, False)
    assert not np.allclose(before, later)
    assert not np.allclose(later, trained)  # the batch's own statistics, not the running ones
    # A tenth of the batch's mean at a time: many passes end at the statistics of the batch.
    again = jax.jit(lambda state: pure.apply(params, state, None, images, True)[1])
    for _ in range(200):
        after = again(after)
    settled, _ = pure.apply(params, after, None, images, False)
    np.testing.assert_allclose(settled, trained, rtol=1e-3, atol=1e-4)


def _primitives(apply, params, state, x, train: bool) -> str:
    key = jax.random.key(0)

    def total(p) -> jax.Array:
        return apply(p, state, key, x, train)[0].sum()

    return str(jax.make_jaxpr(jax.grad(total))(params))


@pytest.mark.parametrize("name", ["linen convolution", "NNX convolution"])
def test_convolutions_take_the_fast_form_with_the_same_numbers(networks, name: str) -> None:
    model = networks.ALL[name]
    with jax.enable_x64(True):
        pure = to_pure(model, SHAPE, "float64")
        rewritten = fast(pure.apply)
        params, state = pure.init(jax.random.key(3))
        x = np.random.default_rng(2).normal(size=(4, *SHAPE))
        for train in (True, False):
            assert "conv_general_dilated" not in _primitives(rewritten, params, state, x, train)
        ours, _ = rewritten(params, state, None, x, True)
        untouched = _untouched(model, params, x)
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, untouched, rtol=1e-12)


def _untouched(model, params, x) -> jax.Array:
    """The outputs of the module itself, with the convolution that Flax gives it."""
    if not isinstance(model, type):
        return model.apply({"params": params}, x)
    live = model(nnx.Rngs(0))
    nnx.update(live, params)
    assert "conv_general_dilated" in str(jax.make_jaxpr(live)(x))
    return live(x)


def test_a_convolution_of_the_users_own_is_kept(networks, images) -> None:
    calls = []

    def own(*arguments, **settings):
        calls.append(1)
        return jax.lax.conv_general_dilated(*arguments, **settings)

    pure = to_pure(lambda rngs: networks.NnxConv(rngs, conv_general_dilated=own), SHAPE)
    params, state = pure.init(jax.random.key(0))
    calls.clear()
    pure.apply(params, state, None, images, True)
    assert calls == [1]


SUMMARIES = {
    "linen MLP": [("Dense_1", "Dense", (8,), 584), ("Dense_0", "Dense", (3,), 27)],
    "linen batch-norm": [
        ("Conv_0", "Conv", (6, 6, 4), 76),
        ("BatchNorm_0", "BatchNorm", (6, 6, 4), 8),
        ("Dense_0", "Dense", (3,), 435),
    ],
    "linen shared": [("twice", "Dense", (72,), 5256), ("last", "Dense", (3,), 219)],
    "NNX MLP": [("hidden", "Linear", (8,), 584), ("last", "Linear", (3,), 27)],
    "NNX batch-norm": [
        ("conv", "Conv", (6, 6, 4), 76),
        ("norm", "BatchNorm", (6, 6, 4), 8),
        ("last", "Linear", (3,), 435),
    ],
    "NNX scaled": [
        ("again", "Linear", (72,), 5256),
        ("rest.0", "Linear", (3,), 219),
        ("model", "NnxScaled", (3,), 1),
    ],
}


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_summary_names_every_layer(networks, name: str) -> None:
    pure = to_pure(networks.ALL[name], SHAPE)
    found = [(each.name, each.kind, each.output_shape, each.parameters) for each in pure.layers]
    assert found == SUMMARIES[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_layers_parameters_add_up(networks, name: str) -> None:
    pure, params, _ = _begun(networks.ALL[name])
    held = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert pure.parameters == sum(layer.parameters for layer in pure.layers) == held > 0


def test_an_identity_is_the_same_in_another_process(networks) -> None:
    code = (
        "import runpy, sys; from fallline.adapters import to_pure\n"
        "import importlib.util as u\n"
        "spec = u.spec_from_file_location('users_networks', sys.argv[1])\n"
        "module = u.module_from_spec(spec); sys.modules['users_networks'] = module\n"
        "spec.loader.exec_module(module)\n"
        f"print('|'.join(hash_of(to_pure(m, {SHAPE}).identity) for m in module.ALL.values()))\n"
    )
    code = "from fallline.records import stable_hash as hash_of\n" + code
    done = subprocess.run(
        [sys.executable, "-c", code, networks.__file__],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    from fallline.records import stable_hash

    here = [stable_hash(to_pure(model, SHAPE).identity) for model in networks.ALL.values()]
    assert done.stdout.strip().split("|") == here
    assert len(set(here)) == len(NAMES)


def test_an_identity_changes_with_the_settings(networks) -> None:
    models = [
        networks.LinenMLP(8),
        networks.LinenMLP(9),
        networks.NnxMLP,
        lambda rngs: networks.NnxMLP(rngs, 9),
        networks.NnxConv,
        lambda rngs: networks.NnxConv(rngs, padding="CIRCULAR"),
        lambda rngs: networks.NnxConv(rngs, padding="SAME"),
    ]
    identities = [to_pure(model, SHAPE).identity for model in models]
    assert len(set(identities)) == len(models)
    assert not any(" at 0x" in identity for identity in identities)


def test_a_pure_model_stays_what_it_is(networks) -> None:
    pure = to_pure(networks.LinenMLP(), SHAPE)
    assert to_pure(pure, SHAPE) is pure


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda n: n.NnxMLP(nnx.Rngs(0)), "whose weights are drawn already: NnxMLP", "lambda rngs"),
        (lambda n: lambda: n.NnxMLP(nnx.Rngs(0)), "could not be called with rngs alone", "lambda"),
        (lambda n: lambda rngs: 3.0, "not a Flax NNX module", "makes an NNX module"),
        (lambda n: 3, "cannot train a model of type int", "Flax linen module"),
        (lambda n: n.LinenMLP, "the model is the class LinenMLP, not a module", "model=LinenMLP("),
    ],
    ids=["instance", "no argument", "no module", "no model", "a linen class"],
)
def test_what_is_no_model_is_refused(networks, make, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        to_pure(make(networks), SHAPE)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["linen convolution", "NNX MLP", "NNX convolution"])
def test_examples_of_another_shape_are_refused(networks, name: str) -> None:
    with pytest.raises(InputError, match=r"does not take examples of shape \(5,\)") as caught:
        to_pure(networks.ALL[name], (5,))
    assert "batch" in caught.value.hint


def test_a_network_that_gives_a_pair_is_refused(networks, data) -> None:
    with pytest.raises(InputError, match="the model gives a tuple per example"):
        _ = fallline.Task(networks.LinenPair(), data).pure


def test_a_network_of_too_few_outputs_is_refused(networks, data) -> None:
    from fallline import models

    with pytest.raises(InputError, match=r"outputs of shape \(2,\).*needs \(3,\)") as caught:
        _ = fallline.Task(models.MLP(2, (4,)), data).pure
    assert "one raw output per class" in caught.value.hint
