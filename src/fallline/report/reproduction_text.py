"""The tables of a series in plain text and in Markdown."""

from __future__ import annotations

from fallline.analysis.published import Findings


def render(findings: Findings) -> str:
    """For a terminal."""
    return findings.settings.to_string()


def markdown(findings: Findings) -> str:
    """For the docs."""
    return findings.settings.to_string()
