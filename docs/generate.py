"""Writes the pages of docs/ that are made from the program itself: commands, optimizers, tasks.

``python docs/generate.py`` writes what changed; with ``--check`` it writes nothing and ends with
exit code 1 where a page is not up to date. The tasks' pages need their data sets, which are looked
for, and downloaded, as ``fallline`` does.
"""

from __future__ import annotations

import re
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

import formula_tables
import optimizer_pages
from fallline import tasks
from fallline.cli.app import app
from fallline.data import builtin
from fallline.task import Task
from writing import code, page, plain, table

DOCS = Path(__file__).resolve().parent

UNITS = ", in the target's units"
AS_MNIST = "those of MNIST; the files are never downloaded, put them into `kmnist`"
_IN_WORDS = {str: "text", int: "whole number", float: "number"}
_DEFAULT_IN_HELP = re.compile(r"\s*\[default: (.+)\]$")


def pages() -> dict[str, str]:
    """The text of every generated page, by its path in docs/."""
    made = {"cli.md": commands_page(), "tasks.md": tasks_page()}
    return made | optimizer_pages.pages()


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
    ends += "standard error. `compare` ends with 3 where an optimizer could not be trained and the "
    ends += "others were. Ctrl-C ends with 130; what was finished is kept."
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
        f"{each.name.upper()}{'...' if each.nargs < 0 else ''}"
        if each.required
        else f"[{each.name.upper()}]"
        for each in arguments
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
    flag = bool(option.is_flag or option.count)
    if said:
        default = code(said[1])
    elif flag:
        default = code(option.opts[0]) if option.secondary_opts else ""
    else:
        default = "" if option.default is None or option.count else code(option.default)
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    meaning = plain(_DEFAULT_IN_HELP.sub("", option.help))
    return names, "" if flag else kind_of_value(annotation), default, meaning


def kind_of_value(annotation: Any) -> str:
    """The type of an option's value in words."""
    for known, words in _IN_WORDS.items():
        if annotation == known or known in typing.get_args(annotation):
            return words
    return "text, any number of times"


# --- the tasks


def tasks_page() -> str:
    about = (
        f"{len(tasks.names())} built-in tasks. Their data are looked for in `--data-dir`, the "
        "folder that `FALLLINE_DATA` names, the cache and the system's folders, and are "
        "downloaded, with a checksum, only where none of them has them; `fallline doctor` says "
        "what is where. Any other data and networks: [your own](your-own.md)."
    )
    return page(
        "The tasks",
        about,
        *map(task_section, tasks.names()),
        formula_tables.changes_part(),
        formula_tables.activations_part(),
        formula_tables.losses_part(),
        formula_tables.huber_part(),
    )


def task_section(name: str) -> str:
    each = tasks.definition(name)
    source = builtin.source(each.data)
    made = each.make() if source.downloadable else None
    word, unit = ("accuracy", "") if source.kind == "classification" else ("RMSE", UNITS)
    rows = (
        ("network", f"{each.network}"),
        ("parameters", f"{each.parameters:,}"),
        ("data", f"{source.name}, a {source.kind}" + (shape(made) if made else "")),
        ("splits", made.splits_in_words if made else AS_MNIST),
        ("loss", each.loss.replace("_", " ")),
        ("budget", f"{each.epochs} epochs, batch size {each.batch_size}"),
        ("target", f"validation {word} {each.target:g}{unit}"),
        ("licence of the data", source.licence),
        ("origin of the data", plain(source.origin)),
    )
    return f"## {code(name)}\n\n{plain(each.title)}.\n\n{table(('', ''), rows)}"


def shape(task: Task) -> str:
    return "; one example has the shape " + " x ".join(map(str, task.dataset.input_shape))


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
