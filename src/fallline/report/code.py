"""Code to paste for the recommended setting, framework by framework."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from fallline import snippets
from fallline.analysis.reading import Reading
from fallline.analysis.recommendation import Setting
from fallline.snippets import OURS, Snippet

TITLES = {"torch": "PyTorch", "keras": "Keras", "optax": "Optax", OURS: "fallline"}


@dataclass(frozen=True)
class Code:
    """What a framework's user pastes."""

    framework: str
    title: str
    text: str
    """Whole: comments, imports, the call."""
    call: str
    """The call in one line; empty where there is none."""
    same: bool
    """Whether it computes what was measured, to rounding."""

    @property
    def there(self) -> bool:
        """False where the framework lacks the optimizer, and the text says so."""
        return bool(self.call)


def codes(reading: Reading, setting: Setting) -> tuple[Code, ...]:
    """The code of ``setting`` for every framework of `TITLES`.

    fallline's own transformation is always there. A study that was written before such code was
    kept has no other; for the rest its text is the command that gives it.
    """
    described = reading.document.optimizers[setting.optimizer]
    values = {**described.defaults, **setting.hyperparameters}
    kept = dict(described.code)
    old = not kept
    kept.setdefault(OURS, snippets.of_ours(setting.optimizer, list(setting.hyperparameters)))
    notes = _notes(reading, setting)
    found = []
    for framework, title in TITLES.items():
        if framework in kept:
            found.append(_there(framework, kept[framework], values, notes))
        elif old:
            asked = _command(setting, framework)
            found.append(Code(framework, title, f"# this prints it:\n# $ {asked}", "", False))
        else:
            text = _lacking(title, setting.optimizer)
            if framework == "optax":
                text += f"\n{snippets.fill(kept[OURS], values)}"
            found.append(Code(framework, title, text, "", False))
    return tuple(found)


def first(codes: tuple[Code, ...]) -> Code:
    """The one to show where there is room for one: one that computes what was measured."""
    there = [each for each in codes if each.there]
    return next((each for each in there if each.same), there[0])


def _there(framework: str, kept: Snippet, values: Mapping[str, float], notes: str) -> Code:
    return Code(
        framework=framework,
        title=TITLES[framework],
        text=notes + snippets.fill(kept, values),
        call=snippets.made(kept, values, width=math.inf),
        same=not kept.differences(values),
    )


def _notes(reading: Reading, setting: Setting) -> str:
    if setting.full_batch:
        return "# every step takes all training examples as one batch\n"
    return ""


def _lacking(title: str, name: str) -> str:
    """Comments that say why there is nothing to paste, and what to take instead."""
    base, *around = name.split("+")
    lines = [f"{title} has no {name}."]
    if around:
        inside = " and ".join(around)
        lines = [
            f"{title} has nothing that is {name} in one call:",
            f"{inside} would have to be put around its {base} by hand.",
        ]
    lines.append("What was measured is fallline's own Optax transformation, for JAX.")
    return "\n".join(f"# {line}" for line in lines)


def _command(setting: Setting, framework: str) -> str:
    words = ["fallline", "optimizers", setting.optimizer, "--code", framework]
    for name, value in setting.hyperparameters.items():
        words += ["--set", f"{name}={value!r}"]
    return shlex.join(words)
