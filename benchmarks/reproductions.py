"""The five studies in full: their reports for the docs, and how long each takes.

Every study is run as published and as it should be, a process each, timed from the interpreter's
start to the report. What was finished by an earlier run of this script in the same ``--work``
folder is gone on with, and then its time is not claimed; that of a study which an earlier run of
this script made in one go is, with the figures that were written beside its folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import command
import machine
import reporting
from command import BenchmarkError
from fallline.analysis.statistics import LEVEL
from fallline.report.reproduction_tables import MODES, overall
from fallline.reproduction import Reproduction, open_series

NAME = "reproductions"
STUDIES = ("batch-size", "cnn-optimizers", "fashion-stages", "adaptive", "parameter-efficiency")
FORMS = ("as-published", "as-it-should-be")
GOALS = {"batch-size": 900.0, "cnn-optimizers": 480.0, "fashion-stages": 90.0}
"""Seconds as published with one seed, on 2 cores."""


@dataclass(frozen=True)
class Reproduced:
    """One study in one form, as a whole process."""

    study: str
    form: str
    seeds: int | None
    """Asked for; None for the file's own."""
    seconds: float
    others: float | None
    """Cores that other processes took meanwhile."""
    runs: int
    begun_before: bool
    """Part of it was trained by an earlier process: the seconds are not all."""
    folder: Path


def reproduce(study: str, form: str, seeds: int | None, work: Path, patience: float) -> Reproduced:
    """Run one study in one form; what is complete already only writes its report anew."""
    folder = work / "-".join([study, form, *([f"{seeds}-seeds"] if seeds else [])])
    measured = folder.with_name(f"{folder.name}.json")
    if measured.is_file() and folder.is_dir():
        earlier = json.loads(measured.read_text())
        return Reproduced(**earlier | {"folder": folder})
    begun_before = folder.exists()
    line = [sys.executable, "-m", "fallline", "reproduce", study, "--out", str(folder), "--json"]
    line += ["--as-published"] if form == "as-published" else []
    line += ["--seeds", str(seeds)] if seeds else []
    machine.wait_until_quiet(patience)
    with machine.watched() as watch:
        process = subprocess.run(
            line, env=command.environment(work / "cache"), stdout=subprocess.PIPE, text=True
        )
    if process.returncode:
        raise BenchmarkError(f"{' '.join(line)}\nended with {process.returncode}")
    runs = sum(row["seeds"] for row in json.loads(process.stdout)["settings"])
    found = Reproduced(study, form, seeds, watch.seconds, watch.others, runs, begun_before, folder)
    if not begun_before:
        measured.write_text(json.dumps(asdict(found), default=str))
    return found


def page(found: list[Reproduced]) -> str:
    """The times in Markdown."""
    rows = []
    for one in found:
        goal = GOALS.get(one.study) if one.form == "as-published" else None
        time = "gone on with" if one.begun_before else f"{one.seconds / 60:.1f} min"
        met = (
            ""
            if goal is None or one.begun_before
            else (f"{goal / 60:g} min: {'met' if one.seconds <= goal else 'not met'}")
        )
        seeds = "the file's" if one.seeds is None else str(one.seeds)
        rows.append((f"`{one.study}`", one.form.replace("-", " "), seeds, f"{one.runs}", time, met))
    header = ["study", "form", "seeds", "measured runs", "time", "goal (one seed)"]
    return "\n\n".join(
        [
            "## The five studies in full",
            "`fallline reproduce NAME`, the whole command with compiling and report; measured runs "
            "are those on fresh seeds, without the searches':",
            reporting.markdown_table(header, rows),
            f"{reporting.origin()} {reporting.quietness([one.others for one in found])}",
        ]
    )


def main() -> int:
    """Run, write the reports into the docs where asked, print; 2 for an error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--seeds", type=int, help="fresh seeds instead of the files' own")
    parser.add_argument("--work", type=Path, default=Path("fallline-reproductions"))
    parser.add_argument("--docs", type=Path, help="the folder for the reports in Markdown")
    reporting.add_options(parser)
    options = reporting.parsed(parser, seeds=1)
    found = []
    try:
        for form in options.forms:
            for study in options.studies:
                one = reproduce(study, form, options.seeds, options.work, options.patience)
                print(f"{study} {form}: {one.seconds:.0f} s", file=sys.stderr, flush=True)
                found.append(one)
                if options.docs:
                    write_report(one, options.docs)
                    write_index(options.work, options.docs)
    except BenchmarkError as error:
        return reporting.failed(NAME, error)
    figures = {"measured": [asdict(one) for one in found], "machine": machine.description()}
    reporting.publish(NAME, figures, page(found), options)
    return 0


def write_report(one: Reproduced, docs: Path) -> None:
    """The study's report in Markdown, as a page of the docs."""
    docs.mkdir(parents=True, exist_ok=True)
    open_series(one.folder).document(docs / page_of(one.study, one.form))


def page_of(study: str, form: str) -> str:
    """The name of a report in the docs."""
    return f"{study}-as-published.md" if form == "as-published" else f"{study}.md"


def write_index(work: Path, docs: Path) -> None:
    """A page that names every report in ``docs``, and says what became of the claims."""
    parts = [
        "# The five studies",
        "Five published comparisons of optimizers, each run as it was published and as it should "
        "be: with validation data that chooses, several seeds, learning rates searched, and "
        "intervals on paired differences. `fallline reproduce NAME` runs them; "
        "[studies.md](../studies.md) says how. Times of a training are of the machine as it was "
        "while the study ran, other work beside it included.",
    ]
    known = {
        study: {form: found for form in FORMS if (found := _latest(work, study, form))}
        for study in STUDIES
    }
    if overturned := [line for reports in known.values() for line in _overturned(reports)]:
        parts += ["## What the better protocol overturns", "\n".join(overturned)]
    for study, reports in known.items():
        if reports:
            parts += _summary(study, reports)
    (docs / "index.md").write_text("\n\n".join(parts) + "\n")


def _latest(work: Path, study: str, form: str) -> Reproduction | None:
    """The report of a study's form; that with the most seeds where there are several."""
    found = [open_series(path) for path in sorted(work.glob(f"{study}-{form}*")) if path.is_dir()]
    complete = [each for each in found if each.complete]
    return max(complete, key=lambda each: each.file.protocol.final_seeds, default=None)


def _summary(study: str, reports: dict[str, Reproduction]) -> list[str]:
    """A study's heading, links, how well it was reproduced, and its claims."""
    first = next(iter(reports.values()))
    links = ", ".join(
        f"[{form.replace('-', ' ')}]({page_of(study, form)}) ({len(report.runs)} measured runs)"
        for form, report in reports.items()
    )
    parts = [f"## {first.file.title}", f"`{study}`: {links}. {first.file.flaw}"]
    if published := reports.get("as-published"):
        fits = [fit for fit in published.published()["inside"] if fit is not None]
        if fits:
            parts.append(
                f"{sum(fits)} of {len(fits)} published figures lie where a further run of "
                "ours would."
            )
        parts += [f"- {remark}" for remark in published.file.remarks]
    rows = [
        (text, form.replace("-", " "), words, verdict)
        for form, report in reports.items()
        for text, words, verdict in verdicts(report)
    ]
    if rows:
        header = ["claim", "form", "measured", "verdict"]
        parts.append(reporting.text_table(header, rows))
    return parts


def _overturned(reports: dict[str, Reproduction]) -> Iterator[str]:
    """Claims that do not hold as it should be done, and ranks that a searched rate changes."""
    report = reports.get("as-it-should-be")
    if report is None:
        return
    wrong = {"the reverse holds": "the reverse holds", "cannot be told": "it cannot be told"}
    lines = [
        f'"{text}" {wrong[verdict].capitalize()} {words}.'
        for text, words, verdict in verdicts(report)
        if verdict in wrong
    ]
    for row in report.findings.tuning.itertuples():
        if row.p_value < LEVEL and row.untuned_rank - row.tuned_rank >= 2:
            before, after = (_figure(value, row.metric) for value in (row.untuned, row.tuned))
            lines.append(
                f"Searching its learning rate moves {row.setting} ({row.stage}) from rank "
                f"{row.untuned_rank} ({before} at {row.untuned_rate:g}) to rank {row.tuned_rank} "
                f"({after} at {row.tuned_rate:g})."
            )
    if lines:
        yield f"- {report.file.title}:"
        yield from (f"  - {line}" for line in lines)


def _figure(value: float, metric: str) -> str:
    return f"{100 * value:.1f} %" if metric == "accuracy" else f"{value:.3f}"


def verdicts(report: Reproduction) -> list[tuple[str, str, str]]:
    """Every claim of a report with how it was measured and what became of it."""
    claims = report.claims()
    return [
        (str(rows.iloc[0]["text"]), MODES[str(mode)], overall(list(rows["verdict"])))
        for (_, mode), rows in claims.groupby(["claim", "mode"], sort=False)
    ]


if __name__ == "__main__":
    sys.exit(main())
