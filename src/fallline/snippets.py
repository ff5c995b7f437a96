"""Code to paste with its numbers left open: made where optimizers are known, filled by readers."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS = "fallline"
"""The target that every optimizer has: an Optax transformation made by fallline."""
WIDTH = 88
"""Characters of a line of code, above which its arguments get lines of their own."""

_OPEN = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Snippet:
    """Lines that make an optimizer in one framework.

    ``{name}`` in ``arguments`` and ``settings`` stands for the value of that hyper-parameter.
    """

    imports: str
    """``import torch``."""
    call: str
    """What is called, and what it is bound to: ``optimizer = torch.optim.Adam``."""
    arguments: tuple[str, ...] = ()
    """``lr={learning_rate}``, each in turn."""
    settings: tuple[str, ...] = ()
    """Entries of a dictionary that stands before the arguments; none where there are none."""
    mapped: bool = False
    """Whether there is such a dictionary."""
    comments: tuple[str, ...] = ()
    """What the framework does otherwise; empty where it is the same to rounding."""
    above: tuple[str, ...] = ()
    """Comments that say what it is or needs."""
    held: dict[str, float] = field(default_factory=dict, hash=False)
    """Hyper-parameters that the call does not take, with the value that they have there."""
    below: tuple[str, ...] = ()
    """Comments that stand behind the call."""

    def differences(self, values: Mapping[str, float]) -> tuple[str, ...]:
        """What the framework does otherwise at these values, in words."""
        called = self.call.rpartition(" ")[2]
        asked = (
            f"{called} has {name}={there:g}; asked was {values[name]:g}"
            for name, there in self.held.items()
            if values[name] != there
        )
        return (*self.comments, *asked)


def fill(snippet: Snippet, values: Mapping[str, float]) -> str:
    """The code at ``values``, which hold every hyper-parameter of the optimizer."""
    comments = (*snippet.differences(values), *snippet.above)
    lines = [*_commented(comments), snippet.imports, "", made(snippet, values)]
    return "\n".join([*lines, *(f"# {each}" for each in snippet.below)])


def _commented(comments: Iterable[str]) -> Iterator[str]:
    """Comments in lines that are not too long, what goes on indented."""
    for each in comments:
        yield from textwrap.wrap(
            each,
            WIDTH,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def made(snippet: Snippet, values: Mapping[str, float], *, width: float = WIDTH) -> str:
    """The call alone, with a line for each argument where it is longer than ``width``."""

    def written(templates: Sequence[str]) -> list[str]:
        return [_OPEN.sub(lambda found: literal(values[found[1]]), each) for each in templates]

    given = written(snippet.arguments)
    if snippet.mapped:
        given.insert(0, called("", written(snippet.settings), "{}", width=width))
    return called(snippet.call, given, width=width)


def of_ours(
    name: str,
    hyperparameters: Sequence[str],
    options: Sequence[str] = (),
    *,
    below: Sequence[str] = (),
) -> Snippet:
    """fallline's own transformation: the one that a study trained, in anyone's JAX loop."""
    return Snippet(
        imports="from fallline import optimizers",
        call=f"tx = optimizers.get({literal(name)}).transformation",
        arguments=tuple(options),
        settings=tuple(f"{literal(each)}: {{{each}}}" for each in hyperparameters),
        mapped=True,
        above=("an Optax transformation",),
        below=tuple(below),
    )


def called(
    before: str, arguments: Sequence[str], marks: str = "()", *, width: float = WIDTH
) -> str:
    """A call in one line, or with a line for each argument where that is too long."""
    line = f"{before}{marks[0]}{', '.join(arguments)}{marks[1]}"
    if len(line) <= width or not arguments:
        return line
    indented = ("    " + each.replace("\n", "\n    ") + "," for each in arguments)
    return "\n".join([f"{before}{marks[0]}", *indented, marks[1]])


def literal(value: Any) -> str:
    """As Python has it, texts between double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
