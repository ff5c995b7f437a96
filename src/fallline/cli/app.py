"""The command line: thin, each command a few lines over the public functions."""

from __future__ import annotations

import io
import shlex
import sys
from typing import Annotated

import typer

from fallline import __version__
from fallline.cli import catalogue, compare, doctor, export, landscape, resume, series, trace, train
from fallline.cli.verbosity import talking
from fallline.errors import FalllineError
from fallline.store import logbook

INTERRUPTED = 130

app = typer.Typer(
    name="fallline",
    help="Which optimizer, with which settings, trains your neural network best, "
    "and how sure is that answer?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("compare")(talking(compare.compare))
app.command("resume")(talking(resume.resume))
app.command("show")(talking(compare.show_study))
app.command("export")(talking(export.export))
app.command("run")(talking(series.run))
app.command("reproduce")(talking(series.reproduce))
app.command("train")(talking(train.train))
app.command("evaluate")(talking(train.evaluate))
app.command("trace")(talking(trace.trace))
app.command("landscape")(talking(landscape.landscape))
app.command("optimizers")(talking(catalogue.optimizers))
app.command("tasks")(talking(catalogue.tasks))
app.command("doctor")(talking(doctor.doctor))


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fallline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    # A path may hold bytes that are no text; saying its name must not end a command.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line; a wrong input ends with exit code 2 and says how to mend it."""
    logbook.COMMAND.set(shlex.join(["fallline", *sys.argv[1:]]))
    try:
        app()
    except FalllineError as error:
        print(f"fallline: {error}", file=sys.stderr)
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("fallline: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe has gone: nothing more to say, and nobody to say it to.
        sys.stderr.close()
        sys.exit(INTERRUPTED)
