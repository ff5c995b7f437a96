"""How a study compared, in words: what a reader needs to trust it, or not to."""

from __future__ import annotations

import itertools
import json

from fallline.analysis.reading import Reading
from fallline.report import search_words
from fallline.report.formats import count, learning_rate, listed, metric_format


def sentences(reading: Reading) -> list[tuple[str, str]]:
    """Paragraphs with their headings, in reading order."""
    return [
        ("Data", _data(reading)),
        ("Budget", _budget(reading)),
        ("Search", _search(reading)),
        ("Measurement", _measurement(reading)),
        ("Intervals and differences", _statistics(reading)),
        ("Divergence", _divergence()),
    ]


def _data(reading: Reading) -> str:
    task = reading.document.task
    return (
        f"{count(task.train_examples)} examples train, {count(task.validation_examples)} choose "
        f"(validation), {count(task.test_examples)} measure (test). The network has "
        f"{count(task.parameters)} parameters; the loss is {task.loss.replace('_', ' ')}."
        + "".join(f" {note[0].upper()}{note[1:]}." for note in map(_unstopped, task.notes))
    )


def _unstopped(note: str) -> str:
    return note.rstrip(".")


def _budget(reading: Reading) -> str:
    protocol, described = reading.document.protocol, reading.document.optimizers
    full = [name for name in protocol.optimizers if described[name].full_batch]
    text = f"Every run trains for {count(protocol.epochs)} epochs"
    text += f" in batches of {count(protocol.batch_size)}, in {protocol.precision}."
    if full:
        verb = "takes" if len(full) == 1 else "take"
        text += (
            f" {listed(full, most=len(full))} {verb} all training examples as one batch: the same "
            "number of epochs, and therefore one step an epoch."
        )
    return text


def _search(reading: Reading) -> str:
    protocol = reading.document.protocol
    if protocol.rule:
        return search_words.search(reading)
    if not protocol.searched:
        return (
            "There was none: every optimizer ran at its own default setting. Such a ranking is "
            "one of default learning rates as much as of optimizers."
        )
    sizes = sorted({len(grid) for grid in protocol.learning_rates.values() if len(grid)})
    points = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}" if sizes else "no"
    seeds = len(protocol.search_seeds)
    text = f"Each optimizer tried {points} learning rates on {seeds} "
    text += "seed" if seeds == 1 else "seeds"
    text += ", a factor of about 3.2 apart around its default" if _regular(reading) else ""
    text += ". The rate with the best mean validation figure after the last epoch was chosen."
    widened = _widened(reading)
    if widened:
        text += f" The grid was widened where its border was best: {listed(widened, most=6)}."
    return text


def _regular(reading: Reading) -> bool:
    """Whether the grids are the half decades around a default, not values that a user named."""
    grids = [grid for grid in reading.document.protocol.learning_rates.values() if len(grid) > 1]
    ratios = [high / low for grid in grids for low, high in itertools.pairwise(grid)]
    return bool(ratios) and all(2.8 < ratio < 3.6 for ratio in ratios)


def _widened(reading: Reading) -> list[str]:
    planned = reading.document.protocol.learning_rates
    found = []
    for name, own in reading.sensitivity.groupby("optimizer", sort=False):
        grid, tried = planned.get(str(name), ()), own["learning_rate"]
        ends = [tried.min()] if len(grid) and tried.min() < min(grid) else []
        ends += [tried.max()] if len(grid) and tried.max() > max(grid) else []
        if ends:
            found.append(f"{name} to {listed([learning_rate(end) for end in ends])}")
    return found


def _measurement(reading: Reading) -> str:
    seeds = len(reading.document.protocol.final_seeds)
    some = "one fresh seed" if seeds == 1 else f"{seeds} fresh seeds"
    return (
        f"The chosen setting was then trained on {some} that no search had seen, and measured on "
        "test data once, after the last epoch. On each seed all optimizers start from the same "
        "weights and see the same batches, so they are compared in pairs. The ranking is by the "
        "validation figure of these runs; test data chose nothing."
    )


def _statistics(reading: Reading) -> str:
    title = metric_format(reading.document.task).title
    return (
        f"± is half of Student's 95 % interval of the mean {title} over the fresh seeds: it tells "
        "how much another seed would change the figure, not how much other data would. An "
        "optimizer is called distinguishable from the best where a paired t-test on test figures "
        "rejects at 5 %, after Holm's correction for the number of optimizers. Not "
        "distinguishable means that these seeds cannot tell, not that the two are equal. "
        "Probably worse: the difference's own interval leaves out zero, yet the corrected test "
        "does not reject."
    )


def _divergence() -> str:
    return (
        "A run whose loss became NaN, infinite or exploded counts as diverged, and as worse than "
        "any figure: a setting with a diverged seed is chosen only if all have one."
    )


def setting_text(hyperparameters: dict[str, float]) -> str:
    """Hyper-parameters as text: ``b1 0.9, b2 0.999``."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, (int, float)) else f"{name} {json.dumps(value)}"
        for name, value in hyperparameters.items()
        if name != "learning_rate"
    )
