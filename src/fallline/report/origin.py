"""Where a study's figures come from: its configuration, and the command that asks it again."""

from __future__ import annotations

import shlex

from fallline.analysis.reading import Reading
from fallline.report import formats
from fallline.spaces import log_grid


def configuration(reading: Reading) -> list[tuple[str, str]]:
    """The study's settings by their names, in reading order."""
    task, protocol = reading.document.task, reading.document.protocol
    rule = protocol.rule or ("grid of learning rates" if protocol.searched else "defaults")
    found = [
        ("protocol", rule),
        ("epochs", formats.count(protocol.epochs)),
        ("batch size", formats.count(protocol.batch_size)),
        ("precision", protocol.precision),
        ("seeds of the search", _seeds(protocol.search_seeds)),
        ("seeds of the best tenth", _seeds(protocol.confirm_seeds)),
        ("fresh seeds", _seeds(protocol.final_seeds)),
        ("study's seed", str(protocol.study_seed)),
    ]
    if protocol.stopping is not None:
        told = ", ".join(f"{name} {value}" for name, value in protocol.stopping.items())
        found.append(("early stopping", told))
    licence = f" ({task.licence})" if task.licence else ""
    found += [
        ("data", f"{task.source}{licence}" if task.source else ""),
        ("fingerprint of data, splits, network and loss", task.fingerprint),
    ]
    return [(name, value) for name, value in found if value]


def _seeds(seeds: tuple[int, ...]) -> str:
    """``0 to 2``, or the seeds one by one where they do not follow each other."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(str(seed) for seed in seeds)


def command(reading: Reading) -> str:
    """``fallline compare ...`` for the same study; empty where no command asks for it.

    Only of the built-in data sets is enough known, and options that a command lacks (the study's
    seed, early stopping, seeds that do not follow each other) have none.
    """
    from fallline.data.sources import SOURCES

    task, protocol = reading.document.task, reading.document.protocol
    usual = list(range(len(protocol.search_seeds))) == list(protocol.search_seeds)
    if (
        task.source not in {source.origin for source in SOURCES.values()}
        or protocol.study_seed
        or protocol.stopping
        or not usual
    ):
        return ""
    words = ["fallline", "compare", task.name, "--optimizers", ",".join(protocol.optimizers)]
    if protocol.rule:
        words += ["--protocol", protocol.rule]
    elif not protocol.searched:
        words.append("--defaults")
    else:
        words += ["--learning-rates", _rates(reading)]
    if protocol.search_seeds:
        words += ["--seeds", str(len(protocol.search_seeds))]
    words += ["--final-seeds", str(len(protocol.final_seeds)), "--epochs", str(protocol.epochs)]
    words += ["--batch-size", str(protocol.batch_size)]
    if protocol.precision != "float32":
        words += ["--precision", protocol.precision]
    return shlex.join(words)


def _rates(reading: Reading) -> str:
    """The number of points around each default, or the values where they were named."""
    document = reading.document
    grids = {name: grid for name, grid in document.protocol.learning_rates.items() if len(grid)}
    around = (
        tuple(grid) == log_grid(document.optimizers[name].defaults["learning_rate"], len(grid))
        for name, grid in grids.items()
        if "learning_rate" in document.optimizers[name].defaults
    )
    if all(around):
        return str(max((len(grid) for grid in grids.values()), default=1))
    rates = ",".join(f"{rate:g}" for rate in next(iter(grids.values())))
    return f"{rates}.0" if rates.isdigit() else rates
