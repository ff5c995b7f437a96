"""Optimizers as branches of one step: a program that can train with any of them.

Their states are laid over each other: as many arrays of each shape as the hungriest optimizer
needs. A run's branch index is a traced scalar; where runs are mapped only its own branch executes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers import Optimizer

Slots = tuple[jax.Array, ...]


@dataclass(frozen=True)
class Branch:
    """An optimizer with its static options: what a compiled step is specific to."""

    optimizer: Optimizer
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The float hyper-parameters, in the order of their column in a run's row."""
        return tuple(parameter.name for parameter in self.optimizer.hyperparameters)

    def row(self, hyperparameters: Mapping[str, float], width: int) -> list[float]:
        """The run's row of hyper-parameters, filled with zeros to ``width``."""
        complete = self.optimizer.complete(hyperparameters)
        values = [complete[name] for name in self.names]
        return values + [0.0] * (width - len(values))

    def transformation(self, row: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The optimizer for a traced row of hyper-parameters, shape ``(width,)``."""
        values = {name: row[column] for column, name in enumerate(self.names)}
        return self.optimizer.transformation(values, **dict(self.options))


class Union:
    """The branches' states as one tuple of arrays that fits each of them."""

    def __init__(self, branches: Sequence[Branch], params: Any, width: int, dtype: str) -> None:
        self.branches = tuple(branches)
        row = jax.ShapeDtypeStruct((width,), dtype)
        states = [
            jax.eval_shape(lambda r, p, b=branch: b.transformation(r).init(p), row, params)
            for branch in branches
        ]
        kinds = [[_kind(leaf) for leaf in jax.tree.leaves(state)] for state in states]
        most: Counter[Any] = Counter()
        for counts in map(Counter, kinds):
            most |= counts
        self._slots = [kind for kind, count in most.items() for _ in range(count)]
        first = {kind: self._slots.index(kind) for kind in most}
        self._trees = [jax.tree.structure(state) for state in states]
        self._places = []
        for own in kinds:
            taken: Counter[Any] = Counter()
            places = []
            for kind in own:
                places.append(first[kind] + taken[kind])
                taken[kind] += 1
            self._places.append(places)

    def init(self, index: jax.Array, row: jax.Array, params: Any) -> Slots:
        """The initial slots of the optimizer at ``index``."""

        def of(branch: int) -> Callable[[], Slots]:
            def init() -> Slots:
                empty = tuple(jnp.zeros(shape, dtype) for shape, dtype in self._slots)
                state = self.branches[branch].transformation(row).init(params)
                return self.put(branch, state, empty)

            return init

        return self._switch(index, of)

    def update(
        self, index: jax.Array, row: jax.Array, params: Any, slots: Slots, grads: Any, extra: Any
    ) -> tuple[Any, Slots]:
        """New parameters and slots after one step of the optimizer at ``index``.

        ``extra`` holds what an optimizer may need besides the gradient: all that
        :data:`fallline.optimizers.spec.EXTRAS` names.
        """

        def of(branch: int) -> Callable[[], tuple[Any, Slots]]:
            def update() -> tuple[Any, Slots]:
                chosen = self.branches[branch]
                needed = {name: extra[name] for name in sorted(chosen.optimizer.needs)}
                updates, state = chosen.transformation(row).update(
                    grads, self.state(branch, slots), params, **needed
                )
                return optax.apply_updates(params, updates), self.put(branch, state, slots)

            return update

        return self._switch(index, of)

    @property
    def judges_others(self) -> bool:
        """Whether a branch is judged by other parameters than those that it trains."""
        return any(branch.optimizer.evaluated is not None for branch in self.branches)

    def evaluated(self, index: jax.Array, row: jax.Array, params: Any, slots: Slots) -> Any:
        """The parameters by which the run is judged, and which it leaves behind."""
        if not self.judges_others:
            return params

        def of(branch: int) -> Callable[[], Any]:
            chosen = self.branches[branch]

            def judged() -> Any:
                own = {name: row[column] for column, name in enumerate(chosen.names)}
                options = dict(chosen.options)
                state = self.state(branch, slots)
                return chosen.optimizer.evaluation_params(own, params, state, **options)

            return judged

        return self._switch(index, of)

    def state(self, branch: int, slots: Slots) -> Any:
        """The slots as the state that the optimizer at ``branch`` made."""
        return jax.tree.unflatten(self._trees[branch], [slots[at] for at in self._places[branch]])

    def put(self, branch: int, state: Any, slots: Slots) -> Slots:
        """``slots`` with the state of the optimizer at ``branch`` in its places."""
        filled = list(slots)
        for place, leaf in zip(self._places[branch], jax.tree.leaves(state), strict=True):
            filled[place] = leaf
        return tuple(filled)

    def _switch(self, index: jax.Array, of: Callable[[int], Callable[[], Any]]) -> Any:
        if len(self.branches) == 1:
            return of(0)()
        return jax.lax.switch(index, [of(branch) for branch in range(len(self.branches))])


def _kind(leaf: Any) -> tuple[tuple[int, ...], Any]:
    return tuple(leaf.shape), leaf.dtype
