"""Parts of a training step alone, on all cores at once: how long each takes.

A process of the kind that ``stepping.py`` describes; it answers ``ready`` and ``time``. A part is
repeated in one compiled loop on every device, as populations are trained: what it reads changes a
little from one time to the next, and all that it gives is kept, so that nothing is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

import networks
import stepping
from fallline import __version__, optimizers
from fallline.engine.branches import Branch, Union
from fallline.engine.devices import Devices, prepare, usable_cores
from fallline.kernels import rewriting
from networks import NETWORKS, Conv, Dense, Layer, Shaped
from ours import Plain

EXAMPLES = 60_000
FLOATING = "float32"

State = tuple[Any, ...]


@dataclass(frozen=True)
class Loop:
    """What is repeated: ``step`` takes its number and the state, and gives the new state and what
    was computed. ``varied``: the entries of the state that change a little every time."""

    step: Callable[[jax.Array, State], tuple[State, Any]]
    state: State
    varied: tuple[bool, ...]


@dataclass(frozen=True)
class Asked:
    """A part: what is computed (``form``, ``wanted``), of which layers of a network."""

    network: str
    batch_size: int
    form: str
    layers: tuple[int, ...]
    wanted: str

    @property
    def shaped(self) -> list[Shaped]:
        whole = networks.shaped(NETWORKS[self.network])
        return [whole[at] for at in self.layers]


def drawn(*shape: int) -> np.ndarray:
    """Normal numbers, small enough for weights."""
    return np.random.default_rng(len(shape)).normal(0, 0.1, shape).astype(np.float32)


def block(asked: Asked) -> Loop:
    """Layers as a user writes them, through fallline's rewriting.

    ``wanted``: ``forward``; ``weights``: with the gradient of the weights; ``all``: with the
    input's too.
    """
    layers: tuple[Layer, ...] = tuple(each.layer for each in asked.shaped)
    before = asked.shaped[0].before
    x = drawn(asked.batch_size, *(1,) * (3 - len(before)), *before)
    model = Plain(layers)
    variables = dict(model.init(jax.random.key(0), x))
    params = variables.pop("params", {})

    def apply(params: Any, key: jax.Array, x: jax.Array) -> tuple[jax.Array, Any]:
        given = {"params": params, **variables}
        return model.apply(given, x, True, mutable=list(variables), rngs={"dropout": key})

    fast = rewriting.fast(apply, platform=jax.default_backend())
    shape = jax.eval_shape(fast, params, jax.random.key(0), x)[0].shape

    def step(number: jax.Array, state: State) -> tuple[State, Any]:
        params, x, slope = state
        key = jax.random.fold_in(jax.random.key(0), number)
        if asked.wanted == "forward":
            return state, fast(params, key, x)
        if asked.wanted == "weights":
            found = jax.vjp(lambda params: fast(params, key, x), params, has_aux=True)
        else:
            found = jax.vjp(lambda *given: fast(given[0], key, given[1]), params, x, has_aux=True)
        y, back, running = found
        return state, (y, running, back(slope))

    # A convolution takes its images in an inner loop, out of which nothing can be moved.
    inner = any(isinstance(layer, Conv) for layer in layers)
    return Loop(step, (params, x, drawn(*shape)), (True, not inner, not inner))


def dense(asked: Asked) -> Loop:
    """One of a dense layer's three products: ``forward``, ``weights`` or ``input``."""
    (layer,) = asked.shaped
    assert isinstance(layer.layer, Dense)
    assert layer.kernel is not None
    state = (
        drawn(asked.batch_size, *layer.before),
        drawn(*layer.kernel),
        drawn(asked.batch_size, *layer.after),
    )

    def step(number: jax.Array, state: State) -> tuple[State, Any]:
        x, kernel, slope = state
        if asked.wanted == "forward":
            return state, x @ kernel
        if asked.wanted == "weights":
            return state, jax.vjp(lambda kernel: x @ kernel, kernel)[1](slope)
        return state, jax.vjp(lambda x: x @ kernel, x)[1](slope)

    return Loop(step, state, (True, True, True))


def update(asked: Asked) -> Loop:
    """Adam on all weights of the network, through fallline's own branches."""
    params = []
    for each in networks.shaped(NETWORKS[asked.network]):
        bias = (each.after[-1],)
        if each.kernel is not None:
            params += [drawn(*each.kernel), drawn(*bias)]
        elif each.parameters:
            params += [drawn(*bias), drawn(*bias)]
    adam = optimizers.get("adam")
    branch = Branch(adam)
    width = len(branch.names)
    union = Union((branch,), params, width, FLOATING)
    row, index = np.asarray(branch.row(adam.defaults, width), FLOATING), np.int32(0)
    slots = jax.jit(union.init)(index, row, params)

    def step(number: jax.Array, state: State) -> tuple[State, Any]:
        params, slots, grads, row = state
        params, slots = union.update(jnp.int32(0), row, params, slots, grads, {})
        return (params, slots, grads, row), ()

    grads = [np.array(leaf) for leaf in params]
    return Loop(step, (params, slots, grads, row), (False, False, True, False))


def read(asked: Asked) -> Loop:
    """A batch gathered from bytes and made floating."""
    examples = np.random.default_rng(0).integers(0, 256, (EXAMPLES, *networks.IMAGE), np.uint8)

    def step(number: jax.Array, state: State) -> tuple[State, Any]:
        # Far-off multiples spread a batch over the whole, as a shuffled order does.
        rows = (number % EXAMPLES) * 7919 + jnp.arange(asked.batch_size) * 104_729
        return state, state[0][rows % EXAMPLES].astype(FLOATING) * (1 / 255)

    return Loop(step, (examples,), (False,))


FORMS: dict[str, Callable[[Asked], Loop]] = {
    "block": block,
    "dense": dense,
    "update": update,
    "read": read,
}


def nudged(state: tuple[Any, ...], found: Any, varied: tuple[bool, ...]) -> tuple[Any, ...]:
    """The state with one number of each ``varied`` array changed a little, by what was found last.

    It is done first, so that all else reads the changed arrays and none has to be copied.
    """
    firsts = [leaf.ravel()[0] for leaf in jax.tree.leaves(found) if _floating(leaf)]
    by = 1e-6 * jnp.tanh(sum(firsts, jnp.float32(1)))

    def change(leaf: jax.Array) -> jax.Array:
        return leaf.at[(0,) * leaf.ndim].add(by)

    pairs = zip(state, varied, strict=True)
    return tuple(jax.tree.map(change, each) if varies else each for each, varies in pairs)


def _floating(leaf: Any) -> bool:
    return leaf.size > 0 and jnp.issubdtype(leaf.dtype, jnp.floating)


class Repeated:
    """A part compiled as a loop of any length, on every device at once."""

    def __init__(self, asked: Asked) -> None:
        loop = FORMS[asked.form](asked)
        devices = Devices.all()
        count = devices.mesh.devices.size
        self.state = devices.split(jax.tree.map(lambda a: np.stack([a] * count), loop.state))
        self.per_time = 0.0

        def on_device(times: jax.Array, states: Any) -> Any:
            state = jax.tree.map(lambda leaf: leaf[0], states)
            shapes = jax.eval_shape(loop.step, jnp.int32(0), state)[1]
            empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

            def once(number: jax.Array, carried: Any) -> Any:
                state, found = carried
                return loop.step(number, nudged(state, found, loop.varied))

            kept = lax.fori_loop(0, times, once, (state, empty))
            return jax.tree.map(lambda leaf: leaf[None], kept)

        mapped = jax.shard_map(
            on_device,
            mesh=devices.mesh,
            in_specs=(PartitionSpec(), PartitionSpec("runs")),
            out_specs=PartitionSpec("runs"),
            check_vma=False,
        )
        shapes = (jax.ShapeDtypeStruct((), jnp.int32), self.state)
        self.compiled = jax.jit(mapped, donate_argnums=(1,)).lower(*shapes).compile()

    def seconds(self, times: int) -> float:
        """Wall time of so many repetitions, which is core time too: all devices do as many."""
        began = time.perf_counter()
        self.state, found = self.compiled(np.int32(times), self.state)
        jax.block_until_ready((self.state, found))
        return time.perf_counter() - began

    def prepare(self, seconds: float) -> None:
        """Warm up, and learn how long one repetition takes."""
        self.seconds(1)
        around = self.seconds(1)
        times, took = 3, self.seconds(3) - around
        while took < seconds / 4:
            times *= min(10, max(2, int(seconds / (3 * max(took, 1e-6)))))
            took = self.seconds(times) - around
        self.per_time = took / (times - 1)


def main() -> None:
    prepare()
    made: dict[Asked, Repeated] = {}

    def asked_for(what: dict[str, Any]) -> Asked:
        return Asked(**{**what, "layers": tuple(what["layers"])})

    def ready(seconds: float, parts: list[dict[str, Any]]) -> dict[str, Any]:
        """Compile them, and choose how often each is repeated in ``seconds``."""
        asked = [asked_for(what) for what in parts]
        with ThreadPoolExecutor(usable_cores()) as threads:
            made.update(zip(asked, threads.map(Repeated, asked), strict=True))
        for each in asked:
            made[each].prepare(seconds)
        return {}

    def timed(seconds: float, **what: Any) -> dict[str, Any]:
        """Milliseconds of a core per repetition."""
        part = made[asked_for(what)]
        times = max(2, round(seconds / part.per_time))
        # What a call takes around its loop (arrays of the state are copied) is in both.
        around = part.seconds(1)
        return {"milliseconds": 1000 * (part.seconds(1 + times) - around) / times}

    stepping.answer("fallline", __version__, {"ready": ready, "time": timed})


if __name__ == "__main__":
    main()
