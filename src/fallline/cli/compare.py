"""``fallline compare``: train, watch, and say which optimizer to use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import ending
from fallline.cli.printing import write_table

if TYPE_CHECKING:
    from fallline.results import Study


def compare(
    task: Annotated[
        list[str],
        typer.Argument(
            metavar="TASK...",
            help="A built-in task, or the path of a CSV file; several are compared one by one.",
        ),
    ],
    optimizers: Annotated[
        str, typer.Option(help="Names and groups (studies, all), separated by commas.")
    ] = "studies",
    protocol: Annotated[
        str,
        typer.Option(
            help="How settings are chosen: grid, defaults, 'budget 15' (trials each), "
            "'budget 30 tpe', 'budget 30 halving' (weak trials stop early), 'time 60s' (each), "
            "self-tuning."
        ),
    ] = "grid",
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Paired seeds per trial in the search.  [default: 3; 1 with a budget or a time]"
        ),
    ] = None,
    final_seeds: Annotated[
        int | None,
        typer.Option(
            help="Fresh seeds for the chosen settings.  [default: 5; 10 with a budget, a time or "
            "self-tuning]"
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of every run; the task's own.")] = None,
    batch_size: Annotated[
        str | None, typer.Option(help="Examples per step: a number, or all; the task's own.")
    ] = None,
    learning_rates: Annotated[
        str,
        typer.Option(help="A number of points around each default (7), or values (0.001,0.01)."),
    ] = "7",
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Short for --protocol defaults.")
    ] = False,
    target: Annotated[
        str | None, typer.Option(help="The column of the CSV file to predict.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Of a CSV file: classification or regression; inferred.")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Where the data sets are; also FALLLINE_DATA.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="float32, or bf16 for the operands of products.")
    ] = "float32",
    out: Annotated[
        str | None,
        typer.Option(help="The study's folder; by default one in fallline-studies/."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The table as JSON on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Compare optimizers on TASK, or on several, and say which to use, and how sure that is.

    Every optimizer is searched over a grid of learning rates on validation data, or as --protocol
    says; the chosen setting is trained again on fresh seeds and measured on test data. What is
    finished is stored as it comes: the same command goes on where an earlier one was stopped.
    Exit code 3: an optimizer of your own could not be trained; the others were, and the same
    command tries it again.
    """
    from fallline.planning.config import learning_rates_from

    rates = learning_rates_from(learning_rates)
    from fallline import api
    from fallline.cli import suite
    from fallline.cli.progress import watching

    several = len(task) > 1
    asked: Any = task if several else task[0]
    with watching(quiet=quiet) as watch:
        try:
            found: Any = api.compare(
                asked,
                optimizers,
                seeds=seeds,
                final_seeds=final_seeds,
                epochs=epochs,
                batch_size=batch_size,
                learning_rates=rates,
                defaults=defaults,
                protocol=protocol,
                target=target,
                kind=kind,
                data_dir=data_dir,
                precision=precision,
                out=out,
                listener=suite.SuiteListener(watch) if several else watch.listen,
            )
        except KeyboardInterrupt:
            watch.interrupted()
            raise
    report = found.report()
    if as_json:
        sys.stdout.write(found.to_json() + "\n")
    elif several:
        suite.show(found, report)
    else:
        show(found, report)
    ending.end(found)


def show_study(
    folder: Annotated[
        str, typer.Argument(help="The folder of a study, of a suite of tasks, or of a series.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="The table as JSON on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Show the tables and verdict of what is stored in FOLDER, and write its report anew.

    A folder that can only be read is shown without a report.
    """
    from fallline.cli import series, suite
    from fallline.errors import StudyError
    from fallline.reproduction import open_series
    from fallline.results import open_study
    from fallline.standings import open_suite
    from fallline.store.series import SeriesFolder
    from fallline.store.suite import SuiteFolder

    found: Any
    shown: Any = show
    if SeriesFolder.holds(folder):
        found, shown = open_series(folder), series.show
    elif SuiteFolder.holds(folder):
        found, shown = open_suite(folder), suite.show
    else:
        found = open_study(folder)
    try:
        report = found.report()
    except StudyError as error:
        # A folder that can only be read is shown all the same.
        report = f"not written: {error}"
    if as_json:
        sys.stdout.write(found.to_json() + "\n")
    else:
        shown(found, report)


def show(study: Study, report: Any) -> None:
    """The table, the verdict with its reasons, and where everything is, on stdout."""
    from fallline.report import recommendation, tables

    text = tables.text_table(study.reading)
    write_table(text)
    lines = [*text.notes, *(f"Data: {note}" for note in study.document.task.notes)]
    lines += ["", *recommendation.lines(study.reading)]
    print("\n".join([*lines, "", f"study:  {study.path}", f"report: {report}"]))
