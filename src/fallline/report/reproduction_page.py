"""The page of a series."""

from __future__ import annotations

from fallline.analysis.published import Findings


def render(findings: Findings) -> str:
    """The whole page."""
    return findings.file.title
