"""What a study's folder says of itself, from the task, the optimizers and what is asked."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata

from fallline.engine.devices import machine
from fallline.optimizers import Optimizer, catalogue, pasting
from fallline.optimizers.own import UNPUBLISHED
from fallline.optimizers.wrapping import JOINED_BY
from fallline.planning import coordinates, plan, rounds
from fallline.planning.config import StudyConfig
from fallline.store.document import (
    FORMAT_VERSION,
    Given,
    OptimizerDescription,
    Protocol,
    StudyDocument,
    TaskDescription,
)
from fallline.task import Task

_SETTINGS = re.compile(r"\([^()]*\)")
"""In a name like ``adam(learning_rate=0.01)+cosine``."""


def describe(task: Task, chosen: Sequence[Optimizer], config: StudyConfig) -> StudyDocument:
    """What the study's folder says of itself."""
    data = task.dataset
    return StudyDocument(
        format_version=FORMAT_VERSION,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        task=TaskDescription(
            name=task.name,
            title=task.title or task.name,
            kind=data.kind,
            metric=task.metric,
            higher_is_better=task.higher_is_better,
            loss=task.loss_terms.name,
            parameters=task.pure.parameters,
            train_examples=len(data.train),
            validation_examples=len(data.validation or ()),
            test_examples=len(data.test or ()),
            target=task.target,
            licence=data.licence,
            source=data.source,
            notes=data.notes,
            fingerprint=task.fingerprint,
        ),
        protocol=_protocol(chosen, config),
        optimizers={
            each.name: OptimizerDescription(
                title=each.title,
                full_batch=each.full_batch,
                defaults=each.defaults,
                citation=each.citation.text,
                bibtex=bibtex(each),
                code=pasting.every_snippet(each),
            )
            for each in chosen
        },
        versions={
            name: metadata.version(name) for name in ("fallline", "jax", "flax", "optax", "numpy")
        },
        machine=machine(),
        given=given(task, config),
    )


def given(task: Task, config: StudyConfig) -> Given:
    """What the rest of the document does not say of how the study was asked for."""
    table = task.table
    return Given(
        table=table.path if table else "",
        column=table.column if table else "",
        kind=(table.kind if table else None) or "",
        learning_rates=config.learning_rates,
    )


def bibtex(optimizer: Optimizer) -> str:
    """The entries of ``optimizer`` and of the wrappers around it, each once, if published."""
    around = {each.name: each.citation for each in catalogue.wrappers()}
    names = _SETTINGS.sub("", optimizer.name).split(JOINED_BY)[1:]
    cited = [optimizer.citation, *(around[name] for name in names if name in around)]
    return "\n\n".join(each.bibtex for each in dict.fromkeys(cited) if each != UNPUBLISHED)


def _protocol(chosen: Sequence[Optimizer], config: StudyConfig) -> Protocol:
    protocol = config.protocol
    sampled = protocol.sampled
    return Protocol(
        optimizers=tuple(each.name for each in chosen),
        epochs=config.epochs,
        batch_size=config.batch_size,
        search_seeds=config.search_seeds,
        final_seeds=config.fresh_seeds,
        learning_rates={each.name: plan.grid(each, config) for each in chosen},
        searched=not config.defaults,
        widen=config.widen,
        study_seed=config.study_seed,
        precision=config.precision,
        stopping=None if config.stopping is None else asdict(config.stopping),
        rule="" if protocol.kind in ("grid", "defaults") else str(protocol),
        confirm_seeds=config.confirm_seeds if sampled else (),
        dimensions={e.name: coordinates.dimensions(e) for e in chosen} if sampled else {},
        points=tuple(" ".join(map(str, point)) for point in rounds.points(config)),
        left_out=config.left_out,
    )
