"""``fallline landscape``: the paths of optimizers on a function of one or two variables."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli.printing import plain_table
from fallline.cli.settings import numbers
from fallline.errors import InputError, unknown

if TYPE_CHECKING:
    from fallline.landscapes import Walk

FOLDER = "fallline-landscapes"
PAGE = "html"


def landscape(
    name: Annotated[
        str | None,
        typer.Argument(help='A landscape, or an expression of x and y: "x^4 - 3*x^2 + x".'),
    ] = None,
    optimizers: Annotated[
        str | None,
        typer.Option(help="Names, groups and wrappers (adam+cosine), separated by commas."),
    ] = None,
    learning_rate: Annotated[
        str | None,
        typer.Option(
            help="A number for all, or NAME=NUMBER separated by commas (twice for two paths), or "
            "tuned, or default.  [default: the landscape's own, else tuned]"
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another hyper-parameter, NAME=VALUE or OPTIMIZER.NAME=VALUE; can be repeated.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps of every path; the landscape's own, mostly 200.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Where they start: X, or X,Y; the landscape's own.")
    ] = None,
    box: Annotated[
        str | None, typer.Option(help="What is drawn: XMIN,XMAX or XMIN,XMAX,YMIN,YMAX.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of optimizers that draw random numbers.")] = 0,
    out: Annotated[
        str | None,
        typer.Option(
            help="The picture, .html, .png, .svg or .pdf; by default a page in "
            "fallline-landscapes/."
        ),
    ] = None,
    csv: Annotated[str | None, typer.Option(help="A file for the table of all steps.")] = None,
    table: Annotated[
        bool, typer.Option("--table", help="The table of all steps on stdout; no picture.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="All steps as JSON on stdout; no picture.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the landscapes.")] = False,
) -> None:
    """Draw the paths of optimizers on NAME, and say where each of them ended.

    NAME is one of --list, or an expression with numbers, x and y (or x1 and x2), pi, e,
    + - * / ^, brackets and sin, cos, tan, arctan, exp, log, sqrt, abs, sinh, cosh, tanh, min, max.
    The page is animated and opens offline. With --table or --json a picture is drawn if --out
    asks for it.
    """
    from fallline.landscapes import landscape as landscape_of

    if list_:
        print(_listing())
        return
    if name is None:
        raise InputError("no landscape was given", hint="'fallline landscape --list' lists them")
    ground = landscape_of(name)
    form = _form(out)
    from fallline.engine.devices import prepare
    from fallline.landscapes.walking import walk

    prepare()
    walked = walk(
        ground,
        optimizers,
        learning_rates=_rates(learning_rate),
        settings=numbers(set_ or []),
        steps=steps,
        start=_coordinates("--start", start),
        box=_coordinates("--box", box),
        seed=seed,
    )
    quiet = table or as_json
    file = Path(out) if out else None if quiet else Path(FOLDER) / f"{file_name(ground.name)}.html"
    if file is not None:
        _write(file, _drawn(walked, form))
    if csv is not None:
        _write(Path(csv), walked.table().to_csv(index=False, lineterminator="\n").encode())
    if as_json:
        print(json.dumps(document(walked), allow_nan=False))
    elif table:
        print(steps_table(walked))
    else:
        print(f"{ground.title}: {ground.equation}\n")
        print(summary(walked))
        print(f"\npicture: {file}")
        if csv is not None:
            print(f"steps:   {csv}")


def _listing() -> str:
    from fallline.landscapes import LANDSCAPES

    columns = [("landscape", False), ("", False), ("start", False), ("function", False)]
    rows = []
    for each in LANDSCAPES.values():
        text = each.equation if len(each.equation) <= 90 else each.equation[:89] + "…"
        rows.append((each.name, each.title, ",".join(f"{x:g}" for x in each.start), text))
    return plain_table(columns, rows)


def _form(out: str | None) -> str:
    from fallline.report.formats import PICTURE_FORMATS

    if out is None:
        return PAGE
    form = Path(out).suffix.lstrip(".").lower()
    choices = [PAGE, *PICTURE_FORMATS]
    if form not in choices:
        raise unknown("format of a picture", Path(out).suffix or out, choices)
    return form


def _drawn(walked: Walk, form: str) -> bytes:
    from fallline.report import landscape_page, landscape_still

    if form == PAGE:
        return landscape_page.render(walked).encode()
    return landscape_still.render(walked, form)


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise InputError(
            f"{str(file)!r} cannot be written: {error.strerror or error}",
            hint="choose another file",
        ) from None


def file_name(name: str) -> str:
    """A landscape's name as that of a file: letters, digits and hyphens, not too long."""
    if all(each.isalnum() or each == "-" for each in name):
        return name
    from fallline.records import stable_hash

    words = "".join(each if each.isascii() and each.isalnum() else "-" for each in name)
    short = "-".join(filter(None, words.split("-")))[:40].strip("-")
    return f"{short or 'expression'}-{stable_hash(name, digits=8)}"


def _number(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{option} takes numbers, got {text.strip()!r}") from None
    if not math.isfinite(value):
        raise InputError(f"{option} takes finite numbers, got {text.strip()!r}")
    return value


def _coordinates(option: str, text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(_number(option, each) for each in text.split(","))


def _rates(text: str | None) -> Any:
    """``--learning-rate`` as :func:`fallline.walk` takes it."""
    if text is None or text.strip() in ("tuned", "default"):
        return text and text.strip()
    if "=" not in text:
        try:
            return _number("--learning-rate", text)
        except InputError as error:
            error.hint = "give a number, NAME=NUMBER, tuned or default"
            raise
    rates: dict[str, list[float]] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise InputError(
                f"--learning-rate takes NAME=NUMBER, got {part.strip()!r}",
                hint="for example --learning-rate sgd=0.1,adam=5",
            )
        rates.setdefault(name.strip(), []).append(_number("--learning-rate", value))
    return rates


def summary(walked: Walk) -> str:
    """A row per path: its settings, and where it ended."""
    from fallline.report import landscape_words as words

    columns = [("path", False), ("learning rate", True), ("chosen", False), ("f", True)]
    columns += [("slope", True), ("in the end", False)]
    rows = []
    for path in walked.paths:
        line = words.line(walked, path)
        ends = [words.number(float(each)) for each in (path.values[-1], path.slopes[-1])]
        rows.append((line.label, line.learning_rate, line.chosen, *ends, line.outcome))
    return plain_table(columns, rows)


def steps_table(walked: Walk) -> str:
    """A row per path and step, the numbers to ten digits."""
    ground = walked.landscape
    columns = [("path", False), ("step", True), *((name, True) for name in ground.variables)]
    columns += [("f", True), ("gradient", True)]
    rows = [
        (
            path.label,
            str(step),
            *(f"{each:.10g}" for each in path.points[step]),
            f"{path.values[step]:.10g}",
            f"{path.slopes[step]:.10g}",
        )
        for path in walked.paths
        for step in range(path.steps + 1)
    ]
    return plain_table(columns, rows)


def document(walked: Walk) -> dict[str, Any]:
    """The walk for JSON: None for what is not finite."""
    ground = walked.landscape
    return {
        "landscape": ground.name,
        "function": ground.equation,
        "variables": list(ground.variables),
        "start": list(ground.start),
        "minima": [{"at": list(each.at), "value": each.value} for each in ground.minima],
        "paths": [
            {
                "path": path.label,
                "optimizer": path.optimizer,
                "hyperparameters": dict(path.hyperparameters),
                "learning_rate_chosen_by": path.chosen_by,
                "status": str(path.status),
                "points": [_finite(each) for each in path.points.tolist()],
                "values": _finite(path.values.tolist()),
                "gradients": _finite(path.slopes.tolist()),
            }
            for path in walked.paths
        ],
    }


def _finite(values: list[float]) -> list[float | None]:
    return [each if math.isfinite(each) else None for each in values]
