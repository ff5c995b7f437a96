"""``fallline resume``: go on with what a folder holds, without the command that began it."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer


def resume(
    folder: Annotated[
        str, typer.Argument(help="The folder of a study, of a suite of tasks, or of a series.")
    ],
    data_dir: Annotated[
        str | None, typer.Option(help="Where the data sets are; also FALLLINE_DATA.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The table as JSON on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Go on with the study in FOLDER where it stopped, without the command that began it.

    What was asked is read from the folder. A study that is complete says so, and its report is
    written anew; runs that failed are tried again. To extend one, give 'fallline compare' more
    seeds, optimizers or epochs with --out FOLDER. Exit code 3: an optimizer could not be trained.
    """
    from fallline import api
    from fallline.cli import compare, ending, series, suite
    from fallline.cli.progress import watching
    from fallline.store.series import SeriesFolder
    from fallline.store.suite import SuiteFolder

    shown: Any = compare.show
    heard: list[Any] = []
    with watching(quiet=quiet) as watch:
        listen: Any = watch.listen
        if SeriesFolder.holds(folder):
            listen, shown = series.SeriesListener(watch), series.show
        elif SuiteFolder.holds(folder):
            listen, shown = suite.SuiteListener(watch), suite.show

        def told(event: Any) -> None:
            heard[:] = [event]
            listen(event)

        try:
            found: Any = api.resume(folder, data_dir=data_dir, listener=told)
        except KeyboardInterrupt:
            watch.interrupted()
            raise
    if not heard and not quiet:
        print(f"complete already: nothing of {folder} is left to train", file=sys.stderr)
    report = found.report()
    if as_json:
        sys.stdout.write(found.to_json() + "\n")
    else:
        shown(found, report)
    ending.end(found)
