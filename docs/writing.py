"""Markdown as the generated pages are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

MADE_BY = "<!-- Made by docs/generate.py: edit the program, then run 'make docs'. -->"


def page(title: str, *parts: str) -> str:
    """A page: its title, the note of its maker, and its parts with an empty line between them."""
    return "\n\n".join([f"# {title}", MADE_BY, *(part for part in parts if part)]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; columns that end in ``:`` are aligned at their right."""
    names = [column.removesuffix(":") for column in columns]
    rules = ["---:" if column.endswith(":") else "---" for column in columns]
    lines = [names, rules, *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """``text`` for a cell of a Markdown table."""
    return text.replace("|", r"\|")


def plain(text: str) -> str:
    """Words that hold nothing that Markdown would take for a mark; addresses become links."""
    words = re.split(r"(https?://[^\s)]+)", text)
    return "".join(
        f"<{part}>" if part.startswith("http") else re.sub(r"([*<>])", r"\\\1", part)
        for part in words
    )


def code(text: Any) -> str:
    return f"`{text}`"
