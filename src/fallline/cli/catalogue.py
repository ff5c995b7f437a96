"""``fallline optimizers`` and ``fallline tasks``: what there is, and what it is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from fallline.cli.printing import plain_table
from fallline.cli.settings import choices, numbers
from fallline.errors import InputError

if TYPE_CHECKING:
    from fallline.optimizers import Dialect, Optimizer

WIDTH = 96


def optimizers(
    name: Annotated[
        str | None,
        typer.Argument(
            help="One optimizer, for its sheet; a group, to list it; with a framework's form "
            "(rmsprop:torch) or wrappers (adam+cosine), if so named."
        ),
    ] = None,
    wrappers: Annotated[
        bool, typer.Option("--wrappers", help="List what can be put around any optimizer.")
    ] = False,
    code: Annotated[
        str | None,
        typer.Option(help="Code to paste instead of the sheet: torch, keras, optax or fallline."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="In that code; the optimizer's default if not given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another hyper-parameter in it, NAME=VALUE; can be repeated."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="A form of the optimizer in it, NAME=VALUE; can be repeated."),
    ] = None,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Only the citation.")] = False,
) -> None:
    """List the optimizers, or show one's sheet, or code that makes it in your framework."""
    from fallline import optimizers as catalogue

    if wrappers:
        print(wrappers_table())
        return
    group = name if name in catalogue.groups() else None
    if name is None or group is not None:
        if code is not None or bibtex:
            raise InputError("code and citations are of one optimizer", hint="name it first")
        print(optimizers_table(group))
        return
    entry = catalogue.get(name)
    if code is None and (learning_rate is not None or set_ or option):
        raise InputError("settings are for code to paste", hint="add --code torch, for example")
    if bibtex:
        print(entry.citation.bibtex)
    elif code is None:
        print(sheet(entry))
    else:
        settings = numbers(set_ or [])
        if learning_rate is not None:
            settings["learning_rate"] = learning_rate
        from fallline.optimizers import pasting

        print(pasting.code(entry, code, settings, choices(option or [], entry)))


def optimizers_table(group: str | None) -> str:
    """The entries of a group, or all."""
    from fallline import optimizers as catalogue

    rows = []
    for each in map(catalogue.get, catalogue.names(group)):
        rate = each.learning_rate
        rows.append(
            (
                each.name,
                each.title,
                each.family,
                "—" if rate is None else f"{rate.default:g}",
                "full batch" if each.full_batch else "mini-batch",
                ", ".join(sorted(each.groups)),
            )
        )
    columns = [("optimizer", False), ("", False), ("family", False), ("learning rate", True)]
    return plain_table([*columns, ("batch", False), ("groups", False)], rows)


def wrappers_table() -> str:
    """What can be put around any entry."""
    from fallline import optimizers as catalogue

    rows = [
        (
            f"+{each.name}",
            each.title,
            each.family,
            ", ".join(
                [
                    *(f"{each.name}_{one.name}={one.default:g}" for one in each.hyperparameters),
                    *(f"{each.name}_{one.name}={one.default}" for one in each.options),
                ]
            ),
        )
        for each in catalogue.wrappers()
    ]
    columns = [("wrapper", False), ("", False), ("kind", False), ("settings", False)]
    return plain_table(columns, rows)


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
    more = f" and {optimizer.more_state}" if optimizer.more_state else ""
    parts.append(
        f"memory: {optimizer.slots} values per parameter{more}; "
        f"gradients per step: {optimizer.gradients_per_step}; "
        f"batch: {'full' if optimizer.full_batch else 'any'}"
    )
    if optimizer.needs:
        parts.append(f"needs besides the gradient: {', '.join(sorted(optimizer.needs))}")
    if optimizer.evaluated is not None:
        parts.append("judged by other parameters than those it trains")
    if optimizer.notes:
        parts += ["", textwrap.fill(optimizer.notes, WIDTH)]
    if optimizer.dialects:
        parts += ["", "elsewhere:", *(dialect_lines(each) for each in optimizer.dialects)]
    return "\n".join([*parts, "", optimizer.citation.text])


def dialect_lines(dialect: Dialect) -> str:
    """How a framework has the entry, in a few lines."""
    changed = {**dialect.defaults, **dialect.options}
    settings = ", ".join(f"{name}={value}" for name, value in changed.items())
    words = [f"{dialect.framework}: {dialect.call}" if dialect.call else dialect.framework]
    if settings:
        words.append(f"with {settings}")
    words += [each for each in (dialect.form, dialect.differs) if each]
    return textwrap.fill("; ".join(words), WIDTH, initial_indent="  ", subsequent_indent="    ")


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
