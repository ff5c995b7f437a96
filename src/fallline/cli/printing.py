"""Tables on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fallline.report.tables import TextTable


def write_table(text: TextTable) -> None:
    """A table on stdout: drawn on a terminal, aligned with spaces elsewhere."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    columns = list(zip(text.columns, text.numeric, strict=True))
    terminal = Console(highlight=False)
    if terminal.is_terminal:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for name, numeric in columns:
            heading = "\n".join(name.rsplit(" ", 1))
            table.add_column(heading, justify="right" if numeric else "left", vertical="bottom")
        for row in text.rows:
            table.add_row(*row)
        terminal.print(table, markup=False)
    else:
        print(plain_table(columns, text.rows))


def plain_table(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned with spaces: for pipes and files."""
    names = [name for name, _ in columns]
    widths = [max(len(line[at]) for line in [names, *rows]) for at in range(len(columns))]
    lines = []
    for line in [names, *rows]:
        cells = [
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, (_, numeric) in zip(line, widths, columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
