"""Tables as LaTeX: booktabs' rules, figures aligned with their intervals, everything escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 40
"""Rows of a table that fits on a page; a longer one is a ``longtable`` over several."""
WIDEST = 120
"""Characters of a table that fits beside a page's margins."""
_MARKS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "—": "---",
    "–": "--",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "†": r"\textdagger{}",
    "\u00a0": "~",
}
_SPACES = re.compile(r"[\x00-\x20\x7f]+")
_POWER = re.compile(r"(-?\d+(?:\.\d+)?)e([+-]?\d+)")
_MINUS = re.compile(r"[-+]\d[\d.,]*")


@dataclass(frozen=True)
class Column:
    """A column: its heading, its cells, and what stands behind each of them (an interval)."""

    heading: str
    cells: tuple[str, ...]
    numeric: bool = True
    """Aligned at the right."""
    spreads: tuple[str, ...] = ()
    """A text for each cell, aligned at their left; empty where the column has no intervals."""


def escape(text: str) -> str:
    """``text`` as LaTeX prints it; line breaks and control characters become spaces.

    Characters that LaTeX's own fonts may lack (Chinese, say) stay as they are: they need LuaLaTeX
    or XeLaTeX.
    """
    return "".join(_MARKS.get(mark, mark) for mark in _SPACES.sub(" ", text))


def cell(text: str) -> str:
    """A cell: powers of ten and signs as mathematics, everything else escaped."""
    power = _POWER.fullmatch(text)
    if power:
        factor = "" if power[1] == "1" else rf"{power[1]} \cdot "
        return rf"${factor}10^{{{int(power[2])}}}$"
    if _MINUS.fullmatch(text):
        return f"${text.replace(',', '{,}')}$"
    return escape(text)


def table(columns: Sequence[Column], *, caption: str, label: str) -> str:
    """A whole table, with its caption and label; its first line says which packages it needs.

    One that is too wide for a page is turned, where each of its rows has a name of its own and
    they are fewer than its columns; one that is still wider than the text is printed smaller.
    """
    if _characters(columns) > WIDEST and len(columns[0].cells) < len(columns):
        names = columns[0].cells
        columns = _turned(columns) if len(set(names)) == len(names) else columns
    rows = len(columns[0].cells) if columns else 0
    head = [_headings(columns), r"\midrule"]
    body = [_row(columns, at) for at in range(rows)]
    given = [rf"\caption{{{escape(caption)}}}", rf"\label{{{label}}}"]
    if rows > LONGEST:
        lines = ["% Needs the packages booktabs and longtable."]
        lines += [rf"\begin{{longtable}}{{{_form(columns)}}}", *given[:1], rf"{given[1]} \\"]
        lines += [r"\toprule", *head, r"\endfirsthead", r"\toprule", *head, r"\endhead"]
        lines += [r"\bottomrule", r"\endfoot", *body, r"\end{longtable}"]
    else:
        lines = ["% Needs the packages booktabs and graphicx.", r"\begin{table}", r"\centering"]
        lines += [*given, r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"]
        lines += [rf"\begin{{tabular}}{{{_form(columns)}}}", r"\toprule", *head, *body]
        lines += [r"\bottomrule", r"\end{tabular}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _characters(columns: Sequence[Column]) -> int:
    """About how wide the table is."""
    return sum(
        2
        + max(
            len(column.heading),
            *(len(text) for text in column.cells),
            *(sum(map(len, both)) for both in zip(column.cells, column.spreads, strict=False)),
            0,
        )
        for column in columns
    )


def _turned(columns: Sequence[Column]) -> list[Column]:
    """A row for each column but the first, whose cells become the headings."""
    names, *figures = columns
    spreads = any(column.spreads for column in figures)
    first = Column("", tuple(column.heading for column in figures), numeric=False)
    return [
        first,
        *(
            Column(
                name,
                tuple(column.cells[at] for column in figures),
                spreads=tuple(column.spreads[at] if column.spreads else "" for column in figures)
                if spreads
                else (),
            )
            for at, name in enumerate(names.cells)
        ),
    ]


def _form(columns: Sequence[Column]) -> str:
    """The alignment of the columns; a figure and its interval are two that touch."""
    return "".join(
        r"r@{\,}l" if column.spreads else "r" if column.numeric else "l" for column in columns
    )


def _headings(columns: Sequence[Column]) -> str:
    cells = []
    for column in columns:
        text = escape(column.heading)
        side = "c" if column.spreads else "r" if column.numeric else "l"
        width = 2 if column.spreads else 1
        cells.append(rf"\multicolumn{{{width}}}{{{side}}}{{{text}}}")
    return rf"{' & '.join(cells)} \\"


def _row(columns: Sequence[Column], at: int) -> str:
    cells = []
    for column in columns:
        cells.append(cell(column.cells[at]))
        if column.spreads:
            cells.append(cell(column.spreads[at]))
    text = " & ".join(cells)
    # After a line's end, LaTeX would read a bracket or a star as an option of it.
    return rf"{{}}{text} \\" if text.startswith(("[", "*")) else rf"{text} \\"
