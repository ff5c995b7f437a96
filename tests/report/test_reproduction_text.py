"""The tables of a series as text: figures as people write them, in columns and in Markdown."""

from __future__ import annotations

import math
import re

import pytest

from fallline.analysis.published import FEW, HOLDS, OPEN, REVERSED
from fallline.planning import studyfile
from fallline.report import reproduction_tables as tables
from fallline.report import reproduction_text as text
from made_series import TREE, findings_of, runs_of


@pytest.fixture(scope="module")
def findings():
    return findings_of(TREE, runs_of(TREE), chosen={"batches": {"batch": "8", "optimizer": "fast"}})


def of_kind(findings, kind, stage=""):
    return [s for s in tables.sections(findings) if s.kind == kind and s.stage == stage]


@pytest.mark.parametrize(
    ("value", "figure", "metric", "expected"),
    [
        (0.97931, "test_metric", "accuracy", "97.93 %"),
        (1.0, "train_metric", "accuracy", "100.00 %"),
        (0.68123, "test_metric", "rmse", "0.6812"),
        (0.04321, "train_loss", "accuracy", "0.0432"),
        (129.0, "epochs_trained", "accuracy", "129"),
        (math.nan, "test_metric", "accuracy", "—"),
        (math.inf, "train_loss", "accuracy", "—"),
    ],
)
def test_figures_as_people_write_them(value, figure, metric, expected):
    assert tables.number(value, figure, metric) == expected


@pytest.mark.parametrize(
    ("figure", "metric", "expected"),
    [
        ("test_metric", "accuracy", "test accuracy"),
        ("validation_metric", "rmse", "validation RMSE"),
        ("train_loss", "accuracy", "training loss"),
        ("epochs_trained", "rmse", "epochs"),
    ],
)
def test_figures_have_words(figure, metric, expected):
    assert tables.figure_word(figure, metric) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([HOLDS, OPEN], OPEN),
        ([OPEN, FEW], FEW),
        ([HOLDS, REVERSED, OPEN], REVERSED),
    ],
)
def test_a_claim_is_as_strong_as_its_weakest_part(verdicts, expected):
    assert tables.overall(verdicts) == expected


def test_published_figures_are_in_percent_and_points(findings):
    section = of_kind(findings, "published", "batches")[0]
    accuracy, loss = section.table.rows
    row = findings.published.iloc[0]
    assert accuracy[:4] == ("8, slow", "test accuracy", "90.00 %", f"{100 * row['ours']:.2f} %")
    assert accuracy[4] == f"{100 * row['low']:.2f} % to {100 * row['high']:.2f} %"
    assert accuracy[5] == f"{100 * row['difference']:+.2f}"
    assert loss[2] == "0.0000"
    assert loss[6] == "no"
    assert section.table.notes[-1].endswith("is to be held against it.")


def test_settings_have_half_their_interval(findings):
    section = of_kind(findings, "settings", "optimizers")[0]
    row = findings.settings[findings.settings["stage"] == "optimizers"].iloc[0]
    at = section.table.columns.index("test accuracy")
    half = 100 * (row["test_metric_high"] - row["test_metric"])
    assert section.table.rows[0][at] == f"{100 * row['test_metric']:.2f} % ± {half:.2f}"
    assert section.title == "Optimizers, at the file's settings"


def test_what_tuning_gained_is_in_points(findings):
    section = of_kind(findings, "tuning", "optimizers")[0]
    row = findings.tuning[findings.tuning["stage"] == "optimizers"].iloc[0]
    gained = section.table.rows[0][-1]
    assert gained.startswith(f"{100 * row['difference']:+.2f} points (")
    assert section.table.rows[0][3] == "1"


def test_a_single_seed_has_no_intervals():
    found = findings_of(TREE, runs_of(TREE, seeds=1))
    cells = [cell for s in tables.sections(found) for row in s.table.rows for cell in row]
    assert not [cell for cell in cells if "±" in cell]
    assert "one seed" in cells
    assert FEW in cells


def test_diverged_runs_are_counted():
    found = findings_of(TREE, runs_of(TREE, gone=("slow",)))
    rows = of_kind(found, "settings", "optimizers")[0].table.rows
    assert [row[0] for row in rows] == ["fast", "slow (4 of 4 diverged)"]
    assert rows[1][5] == "—"


def test_the_terminal_has_every_heading_and_choice(findings):
    told = text.render(findings)
    for section in tables.sections(findings):
        assert f"\n{section.title}\n{'-' * len(section.title)}\n" in told
    assert "Batches: chose batch 8, optimizer fast." in told
    assert told.startswith("A made-up series (as it should be)\n")
    assert "not complete" not in told


def test_long_cells_go_below_their_rows(findings):
    lines = text.render(findings).splitlines()
    below = [line for line in lines if line.startswith("    ") and "points" in line]
    assert below
    wide = [line for line in lines if "…" in line]
    assert all(len(part) <= text.WIDEST for line in wide for part in re.split(" {2,}", line))


def test_an_incomplete_series_says_so():
    found = findings_of(TREE, runs_of(TREE, stages=("batches",)), complete=False)
    assert text.render(found).endswith("the command that began it goes on with it.")
    nothing = findings_of(TREE, runs_of(TREE, stages=()), complete=False)
    assert text.render(nothing).startswith("A made-up series")


def test_markdown_tables_keep_their_columns():
    evil = {"axes": {"optimizer": {"a|b<i>\nc": {}}}}
    tree = studyfile.merged(TREE, evil)
    told = text.markdown(findings_of(tree, runs_of(tree)))
    body = [line for line in told.splitlines() if line.startswith("|")]
    assert "a\\|b&lt;i> c" in told
    assert "<i>" not in "\n".join(body)
    width = 0
    for line in told.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells in (0, width) or width == 0
        width = cells


def test_markdown_says_what_the_study_is_and_how_it_was_measured(findings):
    told = text.markdown(findings)
    parts = (
        "# A made-up series (as it should be)",
        "What it is.",
        "Published: A. Writer, 2020, *The text*.",
        "What its protocol hides: What it hides.",
        "## Published and reproduced: Batches",
        "## How it was measured",
        "Machine: processor A processor.",
        "Versions: fallline 0.1.0. Begun 2026-01-02T03:04:05+00:00.",
    )
    places = [told.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)
