"""A series in plain text for a terminal, and in Markdown for the docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fallline.analysis.published import Findings
from fallline.report.reproduction_tables import Section, sections, stage_title
from fallline.report.tables import TextTable

_DRAWN = {"published": ("published",), "settings": ("axis", "ranking"), "tuning": ("tuning",)}
"""The kinds of pictures that stand before a kind of table."""
WIDEST = 44
"""Characters of a cell on a terminal; what is longer goes below its row."""


def render(findings: Findings, warnings: Sequence[str] = ()) -> str:
    """Headings, tables and notes for a terminal; ``warnings`` say what is wrong with it."""
    parts = [heading(findings)]
    parts += [_plain(section) for section in sections(findings)]
    parts += chosen(findings)
    if not findings.complete:
        parts.append("The series is not complete: the command that began it goes on with it.")
    if warnings:
        parts.append("\n".join(f"  note: {warning}" for warning in warnings))
    return "\n\n".join(parts)


def heading(findings: Findings) -> str:
    """The study's title with its form."""
    return f"{findings.file.title or findings.file.name} ({findings.file.form})"


def chosen(findings: Findings) -> list[str]:
    """What the stages chose, a sentence each."""
    return [
        f"{stage_title(findings, stage) or stage}: chose "
        + ", ".join(f"{axis} {label}" for axis, label in labels.items())
        + "."
        for stage, labels in findings.chosen.items()
    ]


def _plain(section: Section) -> str:
    table = section.table
    lines = [section.title, "-" * len(section.title)]
    cells = [table.columns, *table.rows]
    widths = [min(WIDEST, max(len(row[at]) for row in cells)) for at in range(len(table.columns))]
    for row in cells:
        fitted, below = [], []
        for text, width, numeric in zip(row, widths, table.numeric, strict=True):
            long = len(text) > width
            below += [text] if long else []
            shown = f"{text[: width - 1]}…" if long else text
            fitted.append(shown.rjust(width) if numeric else shown.ljust(width))
        lines.append("  ".join(fitted).rstrip())
        lines += [f"    {text}" for text in below]
    return "\n".join([*lines, *table.notes])


def markdown(findings: Findings, pictures: Mapping[tuple[str, str], str] | None = None) -> str:
    """The report as Markdown: what the study is, its tables, and how it was measured.

    ``pictures``: where there is one, the address of the picture of a kind of table and a stage.
    """
    file = findings.file
    parts = [f"# {heading(findings)}", file.about]
    if file.publication:
        words = [file.publication.authors, str(file.publication.year or "")]
        source = ", ".join(filter(None, [*words, f"*{file.publication.title}*"]))
        parts.append(f"Published: {source}.")
    if file.flaw:
        parts.append(f"What its protocol hides: {file.flaw}")
    held = dict(pictures or {})
    for section in sections(findings):
        parts.append(f"## {section.title}")
        for kind in _DRAWN.get(section.kind, ()):
            if address := held.pop((kind, section.stage), None):
                parts.append(f"![{section.title}]({address})")
        parts += [_markdown_table(section.table), *section.table.notes]
    parts += chosen(findings)
    if file.remarks:
        parts += ["## What explains the differences", *(f"- {text}" for text in file.remarks)]
    parts += ["## How it was measured", *measured(findings)]
    return "\n\n".join(filter(None, parts)) + "\n"


def measured(findings: Findings) -> list[str]:
    """Machine and versions, a sentence each."""
    versions = ", ".join(f"{name} {version}" for name, version in findings.versions.items())
    machine = ", ".join(f"{name} {value}" for name, value in findings.machine.items())
    return [f"Machine: {machine}.", f"Versions: {versions}. Begun {findings.created}."]


def _markdown_table(table: TextTable) -> str:
    rows = ["| " + " | ".join(map(_cell, table.columns)) + " |"]
    rows.append("|" + "|".join(" ---: " if each else " --- " for each in table.numeric) + "|")
    rows += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
