"""``fallline run`` and ``fallline reproduce``: a series of studies from its file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import ending
from fallline.cli.headings import Headings

if TYPE_CHECKING:
    from fallline.cli.progress import Watch
    from fallline.reproduction import Reproduction

QuickOption = Annotated[bool, typer.Option("--quick", help="The file's short form: minutes.")]
AsPublishedOption = Annotated[
    bool,
    typer.Option("--as-published", help="As the publication did it, its flaws included."),
]
SeedsOption = Annotated[
    int | None, typer.Option(help="Fresh seeds of each setting, instead of the file's.")
]
DataDirOption = Annotated[
    str | None, typer.Option(help="Where the data sets are; also FALLLINE_DATA.")
]
OutOption = Annotated[
    str | None, typer.Option(help="The folder; by default one in fallline-studies/.")
]
PicturesOption = Annotated[
    str | None, typer.Option(help="Write the report's charts as files too: svg, png or pdf.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="The figures as JSON on stdout, and nothing else there.")
]


def run(
    file: Annotated[str, typer.Argument(help="A study file (TOML).")],
    quick: QuickOption = False,
    as_published: AsPublishedOption = False,
    seeds: SeedsOption = None,
    data_dir: DataDirOption = None,
    out: OutOption = None,
    pictures: PicturesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the studies that FILE describes, and report them.

    What is finished is stored as it comes: the same command goes on where an earlier one was
    stopped. 'fallline reproduce NAME --write FILE' gives a file to begin with. Exit code 3: an
    optimizer could not be trained; the others were, and the same command tries it again.
    """
    from fallline import api

    def go(watch: Callable[[Any], None]) -> Reproduction:
        return api.run(
            file,
            quick=quick,
            as_published=as_published,
            seeds=seeds,
            data_dir=data_dir,
            out=out,
            listener=watch,
        )

    ending.end(_watched(go, pictures, quiet=quiet, as_json=as_json))


def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="A built-in study, or 'all'; without it they are listed.")
    ] = None,
    quick: QuickOption = False,
    as_published: AsPublishedOption = False,
    seeds: SeedsOption = None,
    data_dir: DataDirOption = None,
    out: OutOption = None,
    pictures: PicturesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    write: Annotated[
        str | None, typer.Option(help="Copy the study's file there, to edit it; nothing is run.")
    ] = None,
) -> None:
    """Reproduce a published study, as it should be done or as it was, with ours beside theirs."""
    from fallline import api
    from fallline.errors import InputError

    if name is None:
        for line in api.reproductions():
            print(f"{line.name:<24}{line.title}")
        return
    if write is not None:
        print(f"study file: {api.write_study_file(name, write)}")
        return
    if name == "all" and as_json:
        raise InputError(
            "--json is for one study, and 'all' are five",
            hint="name one, or leave --json out: 'fallline show FOLDER --json' prints each later",
        )
    names = [each.name for each in api.reproductions()] if name == "all" else [name]
    ran: list[Reproduction] = []
    for each in names:
        folder = out if out is None or name != "all" else str(Path(out) / each)

        def go(
            watch: Callable[[Any], None], each: str = each, folder: str | None = folder
        ) -> Reproduction:
            return api.reproduce(
                each,
                quick=quick,
                as_published=as_published,
                seeds=seeds,
                data_dir=data_dir,
                out=folder,
                listener=watch,
            )

        ran.append(_watched(go, pictures, quiet=quiet, as_json=as_json))
    for found in ran:
        ending.end(found)


def _watched(
    go: Callable[[Callable[[Any], None]], Reproduction],
    pictures: str | None,
    *,
    quiet: bool,
    as_json: bool,
) -> Reproduction:
    from fallline.cli.progress import watching
    from fallline.report.formats import picture_format

    if pictures is not None:
        picture_format(pictures)

    with watching(quiet=quiet) as watch:
        try:
            found = go(SeriesListener(watch))
        except KeyboardInterrupt:
            watch.interrupted()
            raise
    report = found.report()
    if pictures is not None:
        found.pictures(file_format=pictures)
    if as_json:
        sys.stdout.write(found.to_json() + "\n")
    else:
        show(found, report)
    return found


def show(found: Reproduction, report: Path) -> None:
    """The tables, what became of the claims, and where everything is, on stdout."""
    print(found.text())
    print(f"\nstudies: {found.path}\nreport:  {report}")


class SeriesListener:
    """Hands a series' events to the view of its studies, with a line for each study."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._headings = Headings()
        self._places: dict[int, str] = {}

    def __call__(self, event: Any) -> None:
        from fallline import series

        match event:
            case series.MemberBegan():
                self._watch.say(self._heading(event))
                if not event.stored and not event.same_as:
                    self._places[event.number] = f"{event.number}/{event.known}"
                    self._watch.next_study(self._places[event.number])
            case series.MemberTold():
                self._watch.listen(event.event, self._places[event.number])
            case series.MemberEnded():
                self._watch.end_study(self._places[event.number])
            case series.StageChose():
                kept = ", ".join(f"{axis} {label}" for axis, label in event.labels.items())
                self._watch.say(f"        chosen by {event.figure}: {kept}")

    def _heading(self, event: Any) -> str:
        if event.same_as:
            same = f"the same as [{event.same_as}/{event.known}]"
            return f"[{event.number}/{event.known}] {event.title}: {same}"
        return self._headings.of(event)
