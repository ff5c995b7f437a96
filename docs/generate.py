"""Writes the pages of docs/ that are made from the program itself: commands, optimizers, tasks.

``python docs/generate.py`` writes what changed; with ``--check`` it writes nothing and ends with
exit code 1 where a page is not up to date. The tasks' pages need their data sets, which are looked
for, and downloaded, as ``fallline`` does.
"""

from __future__ import annotations

import math
import re
import shlex
import sys
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer

from fallline import optimizers as catalogue
from fallline import tasks
from fallline.cli.app import app
from fallline.data import builtin
from fallline.optimizers import HyperParameter, Optimizer, Option
from fallline.task import Task

DOCS = Path(__file__).resolve().parent
MADE_BY = "<!-- Made by docs/generate.py: edit the program, then run 'make docs'. -->"

_IN_WORDS = {str: "text", int: "whole number", float: "number"}
_DEFAULT_IN_HELP = re.compile(r"\s*\[default: (.+)\]$")
_SCALES = {"log": "log", "linear": "linear", "log_one_minus": "log of 1 - value"}


def pages() -> dict[str, str]:
    """The text of every generated page, by its path in docs/."""
    made = {"cli.md": commands_page(), "tasks.md": tasks_page()}
    made["optimizers/index.md"] = optimizers_page()
    for name in catalogue.names():
        made[f"optimizers/{name}.md"] = optimizer_page(catalogue.get(name))
    return made


def page(title: str, *parts: str) -> str:
    """A page: its title, the note of its maker, and its parts with an empty line between them."""
    return "\n\n".join([f"# {title}", MADE_BY, *(part for part in parts if part)]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; columns that end in ``:`` are aligned at their right."""
    names = [column.removesuffix(":") for column in columns]
    rules = ["---:" if column.endswith(":") else "---" for column in columns]
    lines = [names, rules, *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """``text`` for a cell of a Markdown table."""
    return text.replace("|", r"\|")


def plain(text: str) -> str:
    """Words that hold nothing that Markdown would take for a mark; addresses become links."""
    words = re.split(r"(https?://[^\s)]+)", text)
    return "".join(
        f"<{part}>" if part.startswith("http") else re.sub(r"([*<>])", r"\\\1", part)
        for part in words
    )


def code(text: Any) -> str:
    return f"`{text}`"


# --- the command line


def commands_page() -> str:
    group: Any = typer.main.get_command(app)
    functions = {each.name: each.callback for each in app.registered_commands}
    about = "Every command and option, as `--help` has them. What the commands do and mean is in "
    about += "[compare](compare.md), [train](train.md) and [the optimizers](optimizers/index.md)."
    listed = table(
        ("command", "what it does"),
        ((f"[{name}](#fallline-{name})", first_sentence(each.help)) for name, each in named(group)),
    )
    sections = [command_section(name, each, functions[name]) for name, each in named(group)]
    ends = "An input that cannot be used ends with exit code 2, what was wrong and a hint on "
    ends += "standard error. Ctrl-C ends with 130; what was finished is kept."
    return page(f"The command {code('fallline')}", about, listed, ends, *sections)


def named(group: Any) -> list[tuple[str, Any]]:
    return list(group.commands.items())


def first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def command_section(name: str, command: Any, function: Any) -> str:
    types = typing.get_type_hints(function)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join(
        each.name.upper() if each.required else f"[{each.name.upper()}]" for each in arguments
    )
    words = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    parts = [
        f"## {code(f'fallline {name}')}",
        f"```text\nfallline {name} [OPTIONS] {usage}".rstrip() + "\n```",
        words,
        table(
            ("argument", "meaning"),
            ((code(each.name.upper()), plain(each.help)) for each in arguments),
        )
        if arguments
        else "",
        table(
            ("option", "takes", "default", "meaning"),
            (option_row(each, types[each.name]) for each in options),
        )
        if options
        else "",
    ]
    return "\n\n".join(part for part in parts if part)


def option_row(option: Any, annotation: Any) -> tuple[str, str, str, str]:
    """An option's names, the kind of value that it takes, its default and its meaning."""
    said = _DEFAULT_IN_HELP.search(option.help)
    flag = bool(option.is_flag)
    if said:
        default = code(said[1])
    elif flag:
        default = code(option.opts[0]) if option.secondary_opts else ""
    else:
        default = "" if option.default is None else code(option.default)
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    meaning = plain(_DEFAULT_IN_HELP.sub("", option.help))
    return names, "" if flag else kind_of_value(annotation), default, meaning


def kind_of_value(annotation: Any) -> str:
    """The type of an option's value in words."""
    for known, words in _IN_WORDS.items():
        if annotation == known or known in typing.get_args(annotation):
            return words
    return "text, any number of times"


# --- the optimizers


def optimizers_page() -> str:
    rows = []
    for each in map(catalogue.get, catalogue.names()):
        rate = each.learning_rate
        rows.append(
            (
                f"[{each.name}]({each.name}.md)",
                plain(each.title),
                each.family,
                "—" if rate is None else f"{rate.default:g}",
                str(each.slots),
                "full batch" if each.full_batch else "mini-batch",
                ", ".join(sorted(each.groups)),
            )
        )
    columns = ("name", "optimizer", "family", "learning rate:", "memory:", "batch", "groups")
    about = (
        f"{len(rows)} optimizers. `fallline optimizers` lists them in a terminal, and "
        "`fallline optimizers NAME` shows one's sheet. The learning rate is the default; the "
        "memory is what the optimizer keeps, in values per parameter. A full-batch optimizer "
        "takes the whole training split in every step. `--optimizers` takes names and groups: "
        f"{listed_groups()}."
    )
    return page("The optimizers", about, table(columns, rows), OWN_LOOP)


def listed_groups() -> str:
    counted = [
        f"{code(group)} ({len(catalogue.names(group))} optimizers)" for group in catalogue.groups()
    ]
    return " and ".join([", ".join(counted[:-1]), counted[-1]] if len(counted) > 1 else counted)


OWN_LOOP = """\
## In a JAX loop of your own

Every entry is an Optax gradient transformation. `transformation` takes hyper-parameters as a
mapping (what is left out is at its default) and options by keyword; values may be traced.

```python
import jax
import jax.numpy as jnp
import optax

from fallline import optimizers

chosen = optimizers.get("adabelief").transformation({"learning_rate": 0.1})


def loss(w):
    return jnp.sum((w - 3.0) ** 2)


w = jnp.zeros(2)
state = chosen.init(w)
for _ in range(200):
    updates, state = chosen.update(jax.grad(loss)(w), state, w)
    w = optax.apply_updates(w, updates)
print(w)
```

Where a sheet says that more than the gradient is needed, `update` takes it by keyword: `value` is
the loss at the parameters, and `value_fn` the loss as a function of them."""


def optimizer_page(optimizer: Optimizer) -> str:
    citation = optimizer.citation
    notes = ["## Where frameworks and papers differ", plain(optimizer.notes)]
    return page(
        plain(optimizer.title),
        f"Name: {code(optimizer.name)}. Family: {optimizer.family}. Groups: "
        + ", ".join(code(group) for group in sorted({"all", *optimizer.groups}))
        + ".",
        "```text\n" + optimizer.equation.strip("\n") + "\n```",
        "θ are the parameters, g is the gradient"
        + (", t the number of the step, from 1." if "ᵗ" in optimizer.equation else "."),
        *hyperparameters_part(optimizer),
        *options_part(optimizer),
        "## What it needs",
        needs_list(optimizer),
        *(notes if optimizer.notes else []),
        "## Try it",
        "```console\n$ " + example(optimizer) + "\n```",
        "## Citation",
        plain(citation.text),
        f"```bibtex\n{citation.bibtex}\n```",
        "[All optimizers](index.md)",
    )


def hyperparameters_part(optimizer: Optimizer) -> list[str]:
    if not optimizer.hyperparameters:
        return ["It has no hyper-parameters."]
    rows = []
    for each in optimizer.hyperparameters:
        searched = each.range
        rows.append(
            (
                code(each.name),
                each.symbol,
                f"{each.default:g}",
                allowed(each),
                "" if searched is None else f"{searched.low:g} to {searched.high:g}",
                "" if searched is None else _SCALES[searched.scale],
                meaning(each),
            )
        )
    columns = ("name", "symbol", "default:", "allowed", "sensible range", "scale", "meaning")
    return ["## Hyper-parameters", table(columns, rows)]


def allowed(each: HyperParameter) -> str:
    """The values that a hyper-parameter takes, in words."""
    bounds = (
        ("above", each.above),
        ("at least", each.at_least),
        ("below", each.below),
    )
    told = [f"{word} {bound:g}" for word, bound in bounds if math.isfinite(bound)]
    return ", ".join(told) or "any"


def meaning(each: HyperParameter) -> str:
    words = plain(each.meaning)
    if each.only_with is None:
        return words
    option, values = each.only_with
    return f"{words}; only with {code(option)} {' or '.join(code(repr(value)) for value in values)}"


def options_part(optimizer: Optimizer) -> list[str]:
    if not optimizer.options:
        return []
    columns = ("name", "default", "choices", "meaning")
    about = "Choices that shape the compiled program: `options` of `fallline.train`."
    return ["## Options", about, table(columns, map(option_cells, optimizer.options))]


def option_cells(option: Option) -> tuple[str, str, str, str]:
    choices = ", ".join(code(repr(each)) for each in option.choices) or "a positive whole number"
    return code(option.name), code(repr(option.default)), choices, plain(option.meaning)


def needs_list(optimizer: Optimizer) -> str:
    slots = optimizer.slots
    values = "1 value" if slots == 1 else f"{slots or 'no'} values"
    lines = [
        f"memory: {values} per parameter, with default options",
        f"gradients per step: {optimizer.gradients_per_step}",
        "batch: the whole training split" if optimizer.full_batch else "batch: any size",
        "besides the gradient: "
        + (", ".join(code(each) for each in sorted(optimizer.needs)) or "nothing"),
    ]
    return "\n".join(f"- {line}" for line in lines)


def example(optimizer: Optimizer) -> str:
    """A command that trains with the optimizer, its first hyper-parameter written out."""
    words = ["fallline", "train", "digits-mlp", "--optimizer", optimizer.name]
    rate = optimizer.learning_rate
    if rate is not None:
        words += ["--learning-rate", f"{rate.default:g}"]
    others = [each for each in optimizer.hyperparameters if each is not rate and not each.only_with]
    if others:
        words += ["--set", f"{others[0].name}={others[0].default:g}"]
    return shlex.join(words)


# --- the tasks


def tasks_page() -> str:
    about = (
        f"{len(tasks.names())} built-in tasks. Their data are looked for in `--data-dir`, the "
        "folder that `FALLLINE_DATA` names, the cache and the system's folders, and are "
        "downloaded, with a checksum, only where none of them has them; `fallline doctor` says "
        "what is where. Any other data and networks: [your own](your-own.md)."
    )
    return page("The tasks", about, *map(task_section, tasks.names()))


def task_section(name: str) -> str:
    each = tasks.definition(name)
    source = builtin.source(each.data)
    made = each.make()
    unit = "" if made.higher_is_better else ", in the target's units"
    rows = (
        ("network", f"{each.network}"),
        ("parameters", f"{each.parameters:,}"),
        ("data", f"{source.name}, a {source.kind}; one example has the shape {shape(made)}"),
        ("splits", made.splits_in_words),
        ("loss", each.loss.replace("_", " ")),
        ("budget", f"{each.epochs} epochs, batch size {each.batch_size}"),
        ("target", f"validation {word(made)} {each.target:g}{unit}"),
        ("licence of the data", source.licence),
        ("origin of the data", plain(source.origin)),
    )
    return f"## {code(name)}\n\n{plain(each.title)}.\n\n{table(('', ''), rows)}"


def shape(task: Task) -> str:
    return " x ".join(map(str, task.dataset.input_shape))


def word(task: Task) -> str:
    return {"rmse": "RMSE"}.get(task.metric, task.metric)


# --- writing


def outdated(made: dict[str, str]) -> list[Path]:
    """The pages that differ from what is made, and the optimizers' pages that nothing makes."""
    differing = [DOCS / name for name, text in made.items() if _held(DOCS / name) != text]
    strays = set(DOCS.glob("optimizers/*.md")) - {DOCS / name for name in made}
    return [*differing, *sorted(strays)]


def _held(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: Sequence[str]) -> int:
    """Write or check the pages; returns the exit code."""
    if set(arguments) - {"--check"}:
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    made = pages()
    changed = outdated(made)
    if "--check" in arguments:
        for path in changed:
            print(f"not up to date: {path.relative_to(DOCS.parent)}; run 'make docs'")
        return 1 if changed else 0
    for path in changed:
        name = path.relative_to(DOCS).as_posix()
        if name in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[name], encoding="utf-8", newline="\n")
        else:
            path.unlink()
        print(f"{'written' if name in made else 'removed'}: docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
