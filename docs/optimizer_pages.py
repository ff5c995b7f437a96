"""The pages of the optimizers: one for each entry, the list, the comparison, the wrappers."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fallline import optimizers as catalogue
from fallline.optimizers import Dialect, HyperParameter, Optimizer, Option, Wrapper, pasting
from writing import code, page, plain, table

PROOFS = Path(__file__).resolve().parent / "optimizers" / "proofs.json"
_SCALES = {"log": "log", "linear": "linear", "log_one_minus": "log of 1 - value"}
_FRAMEWORKS = {"paper": "the paper", "torch": "torch", "keras": "Keras", "optax": "Optax"}


class Proof(NamedTuple):
    """What an entry was compared with, how far apart they were, and how far they may be."""

    against: str
    error: float
    allowed: float


def pages() -> dict[str, str]:
    """The text of every page about optimizers, by its path in docs/."""
    proofs = proven()
    made = {
        "optimizers/index.md": index_page(proofs),
        "optimizers/frameworks.md": frameworks_page(),
        "optimizers/wrappers.md": wrappers_page(proofs),
    }
    for name in catalogue.names():
        made[f"optimizers/{name}.md"] = optimizer_page(catalogue.get(name), proofs)
    return made


def proven() -> dict[str, list[Proof]]:
    """What docs/proofs.py found when it ran the tests, by entry."""
    held = json.loads(PROOFS.read_text("utf-8"))["proofs"]
    return {name: [Proof(*each) for each in found] for name, found in held.items()}


# --- the list


def index_page(proofs: dict[str, list[Proof]]) -> str:
    rows = []
    for each in map(catalogue.get, catalogue.names()):
        rate = each.learning_rate
        rows.append(
            (
                f"[{each.name}]({each.name}.md)",
                plain(each.title),
                each.family,
                "—" if rate is None else f"{rate.default:g}",
                memory_in_short(each),
                in_short(proofs.get(each.name, ())),
                ", ".join(sorted(each.groups)),
            )
        )
    columns = ("name", "optimizer", "family", "learning rate:", "memory:", "proof", "groups")
    about = (
        f"{len(rows)} optimizers. `fallline optimizers` lists them in a terminal, "
        "`fallline optimizers NAME` shows one's sheet, and `fallline optimizers NAME --code torch` "
        "(or `keras`, `optax`, `fallline`) gives the lines to paste. The learning rate is the "
        "default; the memory is what the optimizer keeps, in values per parameter (+: and more); "
        "the proof is what its tests compare it with: its paper's equations worked out by hand, "
        "and other frameworks' trajectories, in float64, with the largest difference at any step. "
        f"`--optimizers` takes names and groups: {listed_groups()}. "
        "[How frameworks differ](frameworks.md) sets their forms side by side, and "
        "[wrappers](wrappers.md) (schedules, clipping, averages) go around any of them: "
        "`adam+cosine`."
    )
    return page("The optimizers", about, table(columns, rows), OWN_LOOP)


def memory_in_short(optimizer: Optimizer) -> str:
    return f"{optimizer.slots}{'+' if optimizer.more_state else ''}"


def in_short(proofs: Sequence[Proof]) -> str:
    """By hand, and against which peers, each with its largest difference."""
    hand = [each for each in proofs if each.against.endswith("by hand")]
    peers = [each for each in proofs if each not in hand]
    told = [f"by hand to {largest(hand)}"] if hand else []
    names = sorted({peer_of(each) for each in peers})
    told += [
        f"{name} to {largest([each for each in peers if peer_of(each) == name])}" for name in names
    ]
    return "; ".join(told) or "none"


def peer_of(proof: Proof) -> str:
    return proof.against.split(",")[0].removeprefix("dialect ")


def largest(proofs: Sequence[Proof]) -> str:
    return difference(max(each.error for each in proofs))


def difference(error: float) -> str:
    return "0" if error == 0 else f"{error:.0e}".replace("e-0", "e-")


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
the loss at the parameters, `value_fn` the loss as a function of them, `grad` the gradient again,
`key` a random key of the step, `total_steps` the steps of the whole training. Where it says that
the optimizer is judged by other parameters than it trains, `evaluation_params` gives those.

## An optimizer of your own

A function that builds an Optax transformation becomes an entry by a decorator. Floats are its
hyper-parameters, booleans, texts and whole numbers its options. It can be compared, wrapped and
checked like any other:

```python
import optax

from fallline import optimizers, testing


@optimizers.define(equation="m ← β m + (1-β) g,   θ ← θ - α sign(m)")
def steady(learning_rate: float = 0.003, beta: float = 0.9):
    \"\"\"Descent by the sign of an average.\"\"\"
    return optax.chain(
        optax.ema(beta), optax.scale_by_sign(), optax.scale_by_learning_rate(learning_rate)
    )


testing.no_gradient_no_step(steady)
testing.its_memory_is_as_the_sheet_says(steady)
```

`testing.check_optimizer(steady)` runs the whole contract that every entry here keeps. A package
offers its optimizers to everyone who installs it by entry points of the group
`fallline.optimizers`."""


# --- one optimizer


def optimizer_page(optimizer: Optimizer, proofs: dict[str, list[Proof]]) -> str:
    citation = optimizer.citation
    notes = ["## Which form this is", plain(optimizer.notes)]
    return page(
        plain(optimizer.title),
        f"Name: {code(optimizer.name)}. Family: {optimizer.family}. Groups: "
        + ", ".join(code(group) for group in sorted({"all", *optimizer.groups}))
        + ".",
        "```text\n" + optimizer.equation.strip("\n") + "\n```",
        "θ are the parameters, g is the gradient"
        + (", t the number of the step, from 1." if "ᵗ" in optimizer.equation else "."),
        *hyperparameters_part(optimizer.hyperparameters),
        *options_part(optimizer.options),
        "## What it needs",
        needs_list(optimizer),
        *(notes if optimizer.notes else []),
        *dialects_part(optimizer),
        "## Proof",
        proof_part(proofs.get(optimizer.name, [])),
        "## Try it",
        "```console\n$ " + example(optimizer) + "\n```",
        "## Citation",
        plain(citation.text),
        f"```bibtex\n{citation.bibtex}\n```",
        "[All optimizers](index.md)",
    )


def hyperparameters_part(hyperparameters: Sequence[HyperParameter]) -> list[str]:
    if not hyperparameters:
        return ["It has no hyper-parameters."]
    rows, sources = [], {}
    for each in hyperparameters:
        searched = each.range
        mark = ""
        if each.source is not None:
            number = sources.setdefault(each.source.key, (len(sources) + 1, each.source))[0]
            mark = f" [{number}]"
        rows.append(
            (
                code(each.name),
                each.symbol,
                f"{each.default:g}",
                allowed(each),
                "" if searched is None else f"{searched.low:g} to {searched.high:g}{mark}",
                "" if searched is None else _SCALES[searched.scale] + ratio(each),
                meaning(each),
            )
        )
    columns = ("name", "symbol", "default:", "allowed", "sensible range", "scale", "meaning")
    cited = [f"[{number}] {plain(source.text)}" for number, source in sources.values()]
    return ["## Hyper-parameters", table(columns, rows), *cited]


def ratio(each: HyperParameter) -> str:
    return ", as a ratio to the learning rate" if each.per_learning_rate else ""


def allowed(each: HyperParameter) -> str:
    """The values that a hyper-parameter takes, in words."""
    bounds = (
        ("above", each.above),
        ("at least", each.at_least),
        ("below", each.below),
        ("at most", each.at_most),
    )
    told = [f"{word} {bound:g}" for word, bound in bounds if math.isfinite(bound)]
    return ", ".join(told) or "any"


def meaning(each: HyperParameter) -> str:
    words = plain(each.meaning)
    if each.only_with is None:
        return words
    option, values = each.only_with
    return f"{words}; only with {code(option)} {' or '.join(code(repr(value)) for value in values)}"


def options_part(options: Sequence[Option]) -> list[str]:
    if not options:
        return []
    columns = ("name", "default", "choices", "meaning")
    about = "Choices that shape the compiled program: `options` of `fallline.train`."
    return ["## Options", about, table(columns, map(option_cells, options))]


def option_cells(option: Option) -> tuple[str, str, str, str]:
    choices = ", ".join(code(repr(each)) for each in option.choices) or "a positive whole number"
    return code(option.name), code(repr(option.default)), choices, plain(option.meaning)


def needs_list(optimizer: Optimizer) -> str:
    slots = optimizer.slots
    values = "1 value" if slots == 1 else f"{slots or 'no'} values"
    more = f", and {optimizer.more_state}" if optimizer.more_state else ""
    lines = [
        f"memory: {values} per parameter{more}, with default options",
        f"gradients per step: {optimizer.gradients_per_step}",
        "batch: the whole training split" if optimizer.full_batch else "batch: any size",
        "besides the gradient: "
        + (", ".join(code(each) for each in sorted(optimizer.needs)) or "nothing"),
    ]
    if optimizer.evaluated is not None:
        lines.append("it is judged by other parameters than those it trains")
    return "\n".join(f"- {line}" for line in lines)


def dialects_part(optimizer: Optimizer) -> list[str]:
    if not optimizer.dialects:
        return []
    rows = [
        (
            _FRAMEWORKS[each.framework],
            code(each.call) if each.call else "",
            settings_of(each),
            plain(each.form),
            plain(each.differs),
        )
        for each in optimizer.dialects
    ]
    lacking = [_FRAMEWORKS[name] for name in pasting.missing(optimizer)]
    columns = ("of", "there", "its settings beside these", "its form", "not reproduced here")
    parts = ["## Elsewhere", table(columns, rows)]
    if lacking:
        parts.append(f"Not in {' or '.join(lacking)}.")
    for each in optimizer.dialects:
        if each.call:
            parts.append(f"```python\n{pasting.code(optimizer, each.framework, {}, {})}\n```")
            break
    return parts


def settings_of(dialect: Dialect) -> str:
    changed = {**dialect.defaults, **dialect.options}
    return ", ".join(
        code(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}")
        for name, value in changed.items()
    )


def proof_part(proofs: Sequence[Proof]) -> str:
    rows = [(each.against, difference(each.error), f"{each.allowed:g}") for each in proofs]
    about = "What the tests compare it with, in float64: the largest difference of any parameter."
    return about + "\n\n" + table(("compared with", "difference:", "allowed:"), rows)


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


# --- all of them beside each other


def frameworks_page() -> str:
    about = (
        "Where the forms and defaults of the frameworks part, for every optimizer that more than "
        "the paper has. Settings are those of fallline's entry: what is not named is at its "
        "default. `fallline compare ... --optimizers rmsprop:torch,rmsprop:keras` sets two forms "
        "beside each other, and `fallline.optimizers.get('rmsprop', dialect='torch')` gives one."
    )
    rows = [
        (
            f"[{entry.name}]({entry.name}.md)",
            _FRAMEWORKS[each.framework],
            code(each.call) if each.call else "",
            settings_of(each),
            plain("; ".join(filter(None, (each.form, each.differs)))),
        )
        for entry in map(catalogue.get, catalogue.names())
        if any(each.call for each in entry.dialects)
        for each in entry.dialects
    ]
    columns = ("optimizer", "of", "there", "settings", "form")
    return page("How frameworks differ", about, table(columns, rows))


def wrappers_page(proofs: dict[str, list[Proof]]) -> str:
    about = (
        "A wrapper goes around any optimizer, or around another wrapper: `adam+cosine`, "
        "`sgd+clip_norm+warmup`. Its hyper-parameters carry its name (`cosine_final`), are traced "
        "like all others, and can be searched. The learning rate is the peak of a schedule. "
        "`fallline optimizers --wrappers` lists them."
    )
    return page(
        "Wrappers and schedules", about, *(wrapper_section(e, proofs) for e in catalogue.wrappers())
    )


def wrapper_section(wrapper: Wrapper, proofs: dict[str, list[Proof]]) -> str:
    found = [
        each
        for name, held in proofs.items()
        if name.split("+")[-1] == wrapper.name and "+" in name
        for each in held
    ]
    more = f" and {wrapper.more_state}" if wrapper.more_state else ""
    needs = ", ".join(code(each) for each in sorted(wrapper.needs)) or "nothing more"
    facts = (
        f"Memory: {wrapper.slots} values per parameter{more}. Gradients per step: "
        f"{wrapper.gradients_per_step} for each one inside. Needs {needs}. "
        f"Proof: {in_short(found)}."
    )
    parts = [
        f"## {code('+' + wrapper.name)}",
        f"{plain(wrapper.title[0].upper() + wrapper.title[1:])}.",
        f"```text\n{wrapper.equation}\n```",
        *(part for part in hyperparameters_part(wrapper.hyperparameters) if part[0] == "|"),
        *(part for part in options_part(wrapper.options) if part[0] == "|"),
        facts,
        plain(wrapper.notes),
        plain(wrapper.citation.text),
    ]
    return "\n\n".join(part for part in parts if part)
