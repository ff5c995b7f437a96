"""``fallline trace``: a training step number by number, and why first weights are random."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli.printing import plain_table
from fallline.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from fallline.tracing import Network, Trace
    from fallline.tracing.symmetry import Symmetry

WIDTH = 96
USUAL_ACTIVATION = "sigmoid"
ONLY_FOR_ONE_EXAMPLE = "x", "y", "output", "loss", "weights", "bias", "l1", "l2"


def trace(
    layers: Annotated[
        str | None,
        typer.Option(help="Inputs and each layer's neurons, like 2,3,1; the example's 1,1,1."),
    ] = None,
    x: Annotated[str | None, typer.Option(help="The inputs, separated by commas.")] = None,
    y: Annotated[
        str | None, typer.Option(help="The targets, one per output, or the class, from 0.")
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(help="Of the hidden layers: sigmoid, sigmoid(2), tanh, arctan, relu, ..."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(help="The output's activation; what the loss needs, or the hidden layers'."),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="squared, half_squared, mae, huber(1), binary_cross_entropy, cross_entropy."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="1 if not given; 0.5 with --symmetry.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps to take: 1 if not given; 2000 with --symmetry.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="A JSON file, or JSON: per layer a list of rows, one row per neuron."),
    ] = None,
    bias: Annotated[bool, typer.Option("--bias", help="Neurons have a bias, 0 at first.")] = False,
    l1: Annotated[float | None, typer.Option(help="Adds this times sum |w| to the loss.")] = None,
    l2: Annotated[float | None, typer.Option(help="Adds this times sum w^2 to the loss.")] = None,
    seed: Annotated[int, typer.Option(help="For random first weights.")] = 0,
    symmetry: Annotated[
        bool,
        typer.Option("--symmetry", help="Equal first weights against random ones, on XOR."),
    ] = False,
    picture: Annotated[
        str | None, typer.Option(help="Draw it into this file: .svg, .png or .pdf.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything as JSON on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Follow a small network through a training step, number by number.

    Without options it is an example worked by hand: x = 2, y = 0.25, weights 0.75 and 0.5,
    sigmoid, squared error, learning rate 1. With --layers or --weights it is a network of your
    own. With --symmetry it trains one network twice on exclusive or, from equal first weights and
    from random ones, and shows what becomes of its neurons.
    """
    given = {
        name: value for name, value in locals().items() if value is not None and value is not False
    }
    path = _checked_path(picture)
    if symmetry:
        _symmetry(given, path, as_json)
    else:
        _trace(given, path, as_json)


def _trace(given: dict[str, Any], path: Path | None, as_json: bool) -> None:
    from fallline import tracing

    network = _network(given)
    if path is not None:
        from fallline.report.trace_network import check_size

        check_size(network.sizes)
    own = "layers" in given or "weights" in given
    for name in ("x", "y"):
        if own and name not in given:
            raise InputError(
                f"a network of your own needs --{name}",
                hint="for example --layers 2,3,1 --x 0.5,1 --y 1",
            )
    traced = tracing.trace(
        network,
        _numbers(given["x"], "--x") if "x" in given else None,
        _numbers(given["y"], "--y") if "y" in given else None,
        learning_rate=given.get("learning_rate", 1.0),
        steps=given.get("steps", 1),
    )
    if path is not None:
        from fallline.report.trace_network import network_picture
        from fallline.report.trace_saving import save

        save(network_picture(traced), path)
    if as_json:
        sys.stdout.write(json.dumps(traced.document(), indent=2, allow_nan=False) + "\n")
        return
    print(trace_text(traced))
    if path is not None:
        print(f"picture: {path}")


def trace_text(traced: Trace) -> str:
    """The first step's table, one line for every further step, and how far gradients are right."""
    network = traced.network
    sizes = "-".join(map(str, network.sizes))
    names = ", ".join(layer.activation for layer in network.layers)
    parts = [
        f"network {sizes} ({names}), loss {network.loss} = {network.function.equation}, "
        f"learning rate {traced.learning_rate:g}",
        "",
        rows_text(traced.table(step=1)),
    ]
    if len(traced.steps) > 1:
        parts += ["", steps_text(traced)]
    away = traced.gradient_check()
    words = "not compared with differences: a number lies on a kink, where the slope is a choice"
    if away is not None:
        words = f"compared with central differences: at most {away:.1g} apart"
    return "\n".join([*parts, "", f"gradients {words}"])


def rows_text(table: pd.DataFrame) -> str:
    """A step's rows for a terminal, each part named once."""
    from fallline.tracing.numbers import fixed

    rows, part = [], None
    for row in table.to_dict("records"):
        first = row["pass"] != part
        if first and part is not None:
            rows.append([""] * 6)
        part = row["pass"]
        quantity = row["quantity"]
        if row["from"] not in ("", "bias"):
            quantity = quantity.replace("dw", f"dw{row['from']}").replace(
                "new w", f"new w{row['from']}"
            )
        # A missing layer is neither a number nor equal to itself.
        places = ["" if each is None or each != each else str(each) for each in _places(row)]
        words = [part if first else "", *places, quantity]
        rows.append([*words, row["formula"].split(" = ")[0], fixed(row["value"])])
    columns = [("pass", False), ("layer", True), ("neuron", True), ("quantity", False)]
    return plain_table([*columns, ("formula", False), ("value", True)], rows)


def _places(row: Mapping[Any, Any]) -> list[int | None]:
    import pandas as pd

    return [None if pd.isna(row[name]) else int(row[name]) for name in ("layer", "neuron")]


def steps_text(traced: Trace) -> str:
    """Loss and outputs before every step and after the last."""
    from fallline.tracing.numbers import fixed

    outputs = [(f"output {at + 1}", True) for at in range(traced.outputs.shape[1])]
    rows = [
        [str(number), fixed(loss), *map(fixed, row)]
        for number, (loss, row) in enumerate(
            zip(traced.losses.tolist(), traced.outputs.tolist(), strict=True)
        )
    ]
    return plain_table([("after step", True), ("loss", True), *outputs], rows)


def _symmetry(given: dict[str, Any], path: Path | None, as_json: bool) -> None:
    from fallline.tracing import symmetry as shown

    for name in ONLY_FOR_ONE_EXAMPLE:
        if name in given:
            raise InputError(
                f"--{name} has no meaning with --symmetry, which trains on exclusive or",
                hint="--layers, --activation, --learning-rate, --steps and --seed have one",
            )
    settings = {
        name: given[name] for name in ("activation", "learning_rate", "steps") if name in given
    }
    sizes = _sizes(given["layers"]) if "layers" in given else shown.SIZES
    seen = shown.symmetry(sizes, seed=_seed(given), **settings)
    if path is not None:
        from fallline.report.trace_saving import save
        from fallline.report.trace_symmetry import symmetry_picture

        save(symmetry_picture(seen, float(shown.ONE_NEURON_FLOOR)), path)
    if as_json:
        sys.stdout.write(json.dumps(_symmetry_document(seen), indent=2, allow_nan=False) + "\n")
        return
    print(symmetry_text(seen))
    if path is not None:
        print(f"picture: {path}")


def symmetry_text(seen: Symmetry) -> str:
    """Every neuron's weights after training, and what is seen in them."""
    import pandas as pd

    from fallline.tracing.numbers import fixed

    table = seen.table()
    weights = [name for name in table.columns if name[0] == "w" or name == "bias"]
    rows = [
        [
            row["start"],
            str(row["layer"]),
            str(row["neuron"]),
            *("" if pd.isna(row[name]) else fixed(row[name]) for name in weights),
            f"= neuron {row['same_as']}" if row["same_as"] else "",
        ]
        for row in table.to_dict("records")
    ]
    columns = [("start", False), ("layer", True), ("neuron", True)]
    columns += [(name, True) for name in weights]
    words = [textwrap.fill(each, WIDTH) for each in seen.in_words().splitlines()]
    return "\n".join([plain_table([*columns, ("", False)], rows), "", *words])


def _symmetry_document(seen: Symmetry) -> dict[str, Any]:
    trainings = {
        training.start: {
            "before": training.networks[0].document(),
            "after": training.networks[1].document(),
            "losses": training.losses.tolist(),
            "outputs": training.outputs.tolist(),
            "points_right": training.right,
            "different_neurons_in_layer_1": training.distinct(0),
        }
        for training in (seen.equal, seen.random)
    }
    settings = {"learning_rate": seen.learning_rate, "steps": seen.steps}
    return {**settings, **trainings, "in_words": seen.in_words()}


# --- what was given


def _checked_path(picture: str | None) -> Path | None:
    if picture is None:
        return None
    from fallline.report.trace_saving import check_path

    return check_path(picture)


def _network(given: dict[str, Any]) -> Network:
    """The network that the options describe: weights given, drawn, or the example's."""
    from fallline import tracing
    from fallline.tracing import losses
    from fallline.tracing.network import with_biases

    of_network = {name: given[name] for name in ("loss", "l1", "l2") if name in given}
    hidden = given.get("activation", USUAL_ACTIVATION)
    needed = losses.get(given["loss"]).output if "loss" in given else None
    output = given.get("output", needed or hidden)
    sizes = _sizes(given["layers"]) if "layers" in given else None
    if sizes is not None and "weights" not in given:
        seed = _seed(given)
        made = tracing.drawn(sizes, hidden=hidden, output=output, seed=seed, **of_network)
    else:
        document = tracing.example().document()["layers"]
        held = _document(given["weights"]) if "weights" in given else document
        if "weights" not in given:
            held = [{"weights": each["weights"]} for each in document]
        for name in of_network:
            if isinstance(held, Mapping) and name in held:
                raise InputError(
                    f"--{name} is given, and the weights' document has {name!r} too",
                    hint="leave one of them away",
                )
        made = tracing.from_document(held, hidden=hidden, output=output, **of_network)
        if sizes is not None and tuple(sizes) != made.sizes:
            raise InputError(
                f"--layers says {given['layers']}, the weights are those of a network "
                f"{','.join(map(str, made.sizes))}",
                hint="leave --layers away: the weights say it",
            )
    return with_biases(made) if given.get("bias") else made


def _document(text: str) -> Any:
    """Weights as JSON: written in the option, or in the file that it names."""
    inline = text.lstrip().startswith(("[", "{"))
    if not inline:
        path = Path(text)
        if not os.path.isfile(path):
            raise InputError(
                f"there is no file of weights {text!r}",
                hint="or write the weights themselves: --weights '[[[0.75]], [[0.5]]]'",
            )
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"the weights in {str(path)!r} cannot be read: {error}") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"the weights are not JSON: {error}",
            hint="for example [[[0.75]], [[0.5]]]: layers, their neurons' rows, numbers",
        ) from None


def _seed(given: dict[str, Any]) -> int:
    seed = int(given.get("seed", 0))
    if seed < 0:
        raise InputError(f"a seed is a whole number of 0 or more, got {seed}")
    return seed


def _sizes(text: str) -> Sequence[int]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise InputError(
            f"--layers takes whole numbers separated by commas, got {text!r}",
            hint="for example 2,3,1: two inputs, three hidden neurons, one output",
        ) from None


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise InputError(
            f"{option} takes numbers separated by commas, got {text!r}",
            hint=f"for example {option} 0.5,1",
        ) from None
