"""``fallline optimizers`` and ``fallline tasks``: what there is, and what it is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from fallline.cli.compare import plain_table

if TYPE_CHECKING:
    from fallline.optimizers import Optimizer


def optimizers(
    name: Annotated[
        str | None, typer.Argument(help="One optimizer, for its sheet; or a group, to list it.")
    ] = None,
) -> None:
    """List the optimizers, or show one's equation, hyper-parameters, ranges and citation."""
    from fallline import optimizers as catalogue

    group = name if name in catalogue.groups() else None
    if name is not None and group is None:
        print(sheet(catalogue.get(name)))
        return
    rows = []
    for each in map(catalogue.get, catalogue.names(group)):
        rate = each.learning_rate
        rows.append(
            (
                each.name,
                each.title,
                "—" if rate is None else f"{rate.default:g}",
                "full batch" if each.full_batch else "mini-batch",
                ", ".join(sorted(each.groups)),
            )
        )
    columns = [("optimizer", False), ("", False), ("learning rate", True), ("batch", False)]
    print(plain_table([*columns, ("groups", False)], rows))


def sheet(optimizer: Optimizer) -> str:
    """An optimizer's data sheet as text."""
    parts = [f"{optimizer.name}: {optimizer.title}", ""]
    parts += [textwrap.indent(optimizer.equation.strip("\n"), "  "), ""]
    rows = []
    for parameter in optimizer.hyperparameters:
        allowed = parameter.range
        span = "" if allowed is None else f"{allowed.low:g} to {allowed.high:g}, {allowed.scale}"
        rows.append(
            (parameter.name, parameter.symbol, f"{parameter.default:g}", span, parameter.meaning)
        )
    columns = [("hyper-parameter", False), ("", False), ("default", True), ("range", False)]
    if rows:
        parts += [plain_table([*columns, ("meaning", False)], rows), ""]
    if optimizer.options:
        chosen = [
            (each.name, repr(each.default), ", ".join(map(repr, each.choices)), each.meaning)
            for each in optimizer.options
        ]
        columns = [("option", False), ("default", False), ("choices", False), ("meaning", False)]
        parts += [plain_table(columns, chosen), ""]
    parts.append(
        f"memory: {optimizer.slots} values per parameter; "
        f"gradients per step: {optimizer.gradients_per_step}; "
        f"batch: {'full' if optimizer.full_batch else 'any'}"
    )
    if optimizer.needs:
        parts.append(f"needs besides the gradient: {', '.join(sorted(optimizer.needs))}")
    if optimizer.notes:
        parts += ["", textwrap.fill(optimizer.notes, 96)]
    return "\n".join([*parts, "", optimizer.citation.text])


def tasks(
    name: Annotated[str | None, typer.Argument(help="One task, for its details.")] = None,
) -> None:
    """List the tasks, or show one's model, data, sizes and licence."""
    from fallline.tasks import definition, names

    if name is None:
        rows = [
            (
                each.name,
                each.title,
                each.network,
                f"{each.parameters:,}",
                str(each.epochs),
                str(each.batch_size),
            )
            for each in map(definition, names())
        ]
        columns = [("task", False), ("", False), ("network", False), ("parameters", True)]
        print(plain_table([*columns, ("epochs", True), ("batch size", True)], rows))
        return
    from fallline.data import builtin

    each = definition(name)
    located = builtin.locate(each.data)
    source = builtin.source(each.data)
    missing = "not found; 'fallline doctor' says where it is looked for"
    facts = {
        "network": f"{each.network}, {each.parameters:,} parameters",
        "loss": each.loss,
        "budget": f"{each.epochs} epochs, batch size {each.batch_size}",
        "target": f"{each.target:g} on validation data",
        "data": f"{source.name}, a {source.kind}",
        "examples": each.make().splits_in_words if located.found else missing,
        "licence": source.licence,
        "from": source.origin,
        "here": located.where if located.found else missing,
    }
    print(f"{each.name}: {each.title}\n")
    print("\n".join(f"  {word + ':':<10} {fact}" for word, fact in facts.items()))
