"""What a study's folder says of itself: ``study.toml`` and ``timing.toml``, as typed records.

Readers need nothing else to understand the runs: no catalogue, no task, no JAX.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fallline.snippets import Snippet
from fallline.spaces import Dimension

FORMAT_VERSION = 1


class TaskDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The task that a study trained, as its readers need it."""

    name: str
    title: str
    kind: str
    """``"classification"`` or ``"regression"``."""
    metric: str
    """``"accuracy"`` (a share, 0 to 1) or ``"rmse"`` (in the target's units)."""
    higher_is_better: bool
    loss: str
    parameters: int
    train_examples: int
    validation_examples: int
    test_examples: int
    target: float | None = None
    """The validation figure to be reached; if not given, readers derive one from the runs."""
    licence: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    """What was inferred of the data, in sentences."""
    fingerprint: str = ""
    """Hash of data, splits, model and loss: equal fingerprints train the same thing."""


class OptimizerDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An optimizer of the study: what a reader prints beside its figures."""

    title: str
    full_batch: bool
    defaults: dict[str, float]
    """Every float hyper-parameter with its default; no ``learning_rate`` where it has none."""
    citation: str = ""
    bibtex: str = ""
    """The entries of its publication and of those of the wrappers around it; empty where there is
    none, and in studies of a version that did not keep it."""
    code: dict[str, Snippet] = {}
    """Code to paste, by framework: ``"torch"``, ``"keras"``, ``"optax"`` where they have it, and
    ``"fallline"``."""


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the study compares: enough to start the same one again."""

    optimizers: tuple[str, ...]
    epochs: int
    batch_size: int
    search_seeds: tuple[int, ...]
    final_seeds: tuple[int, ...]
    learning_rates: dict[str, tuple[float, ...]]
    """The first grid of each optimizer (before any widening); empty where it has none."""
    searched: bool
    """False with ``--defaults``: every optimizer at its own default, no choice made."""
    widen: bool
    study_seed: int = 0
    precision: str = "float32"
    stopping: dict[str, str | float] | None = None
    """``monitor``, ``min_delta`` and ``patience`` (epochs), where runs may stop early."""
    rule: str = ""
    """The protocol as it was asked for (``"budget 15"``); empty for a grid, and for defaults."""
    confirm_seeds: tuple[int, ...] = ()
    """The seeds that the best tenth of the trials have, those of the search included."""
    dimensions: dict[str, tuple[Dimension, ...]] = {}
    """What the trials of each optimizer vary, in their ranges."""
    points: tuple[str, ...] = ()
    """The points of the trials after the first, the same for all: the share of the range on each
    axis, 0 to 1, with spaces between."""
    left_out: tuple[str, ...] = ()
    """Optimizers that were asked for and that the protocol is not for."""


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What else was given to the study, so that it can be asked for again."""

    table: str = ""
    """The path of the CSV file that the task was made of; empty for any other task."""
    column: str = ""
    """The column of it that is predicted."""
    kind: str = ""
    """``"classification"`` or ``"regression"``, where it was said; empty: inferred."""
    learning_rates: int | tuple[float, ...] = 0
    """Points of the grid around each default, or the values; 0 where it was not kept."""


class Former(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study was until it was extended, or until other versions went on with it."""

    until: str
    """UTC, ISO 8601."""
    protocol: dict[str, Any] = {}
    """The fields of the protocol that were extended, as they were before."""
    versions: dict[str, str] = {}
    """The libraries whose version was another one."""


class StudyDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``study.toml``: written when the study's folder is made, and again when it is extended."""

    format_version: int
    created: str
    """UTC, ISO 8601."""
    task: TaskDescription
    protocol: Protocol
    optimizers: dict[str, OptimizerDescription]
    versions: dict[str, str]
    machine: dict[str, Any]
    given: Given | None = None
    history: tuple[Former, ...] = ()
    """What the study was before, the oldest first; empty where it was never extended."""

    @property
    def widened(self) -> bool:
        """Whether it was extended: then there may be stored runs that it does not count."""
        return any(former.protocol for former in self.history)


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``timing.toml``: where the time of a finished study went. All in seconds."""

    total: float
    compile: float
    """Tracing, lowering and compiling (a cached program costs its loading)."""
    train: float
    """Training steps and the evaluations between epochs, all devices together."""
    step: dict[str, float]
    """One optimizer step of one run, each optimizer measured alone, in turns with the others."""
    phases: dict[str, float] = msgspec.field(default_factory=dict)
    """Of ``total``, in turn: ``prepare``, ``search``, ``widening`` or ``confirming``, ``final`` and
    ``timing``."""
    searched: dict[str, float] = msgspec.field(default_factory=dict)
    """What the search of each optimizer took, compiling included, where that was limited."""
    stored_before: int = 0
    """Runs that an earlier, interrupted process had trained: their time is not in these figures."""
    peak_memory: int = 0
    """The most bytes that the devices, or the process on a CPU, held at once; 0 if not known."""
    runs: int = 0
    """Runs that were stored when the study was finished; 0 in studies of a version that did not
    count them."""
    state_bytes: dict[str, int] = msgspec.field(default_factory=dict)
    """What each optimizer keeps of one run beside its weights, in bytes."""
    not_counted: tuple[str, ...] = ()
    """The ids of runs that are stored and that the study does not count: since it was extended, or
    since runs that had failed were trained and another setting was chosen."""
