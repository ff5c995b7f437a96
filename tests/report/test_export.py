"""A study's tables as CSV, Markdown and LaTeX, and everything as files."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fallline.errors import InputError, StudyError
from fallline.report import export, latex, paper_tables
from fallline.report.latex import Column

FEW = ("adam", "rmsprop", "sgd", "gd_exact")
NAMES = (
    *("summary", "measures", "ranking", "curves", "sensitivity", "expected_best", "profile"),
    *("pairwise", "diverged", "time"),
)


@pytest.fixture(scope="module")
def few(make_reading):
    return make_reading(optimizers=FEW)


@pytest.fixture(scope="module")
def frames(few):
    return paper_tables.frames(few)


@pytest.fixture(scope="module")
def tables(few, frames):
    return {name: paper_tables.table(few, name, frame) for name, frame in frames.items()}


def test_every_table_of_the_study_is_there(frames):
    assert tuple(frames) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_csv_comes_back_equal_to_the_last_digit(frames, name):
    frame = frames[name]
    rows = list(csv.DictReader(io.StringIO(export.csv(frame))))
    assert list(rows[0]) == list(frame.columns)
    assert len(rows) == len(frame)
    for column in frame:
        found = [row[column] for row in rows]
        if column == "hyperparameters":
            assert list(map(json.loads, found)) == list(frame[column])
        elif frame[column].dtype.kind in "fi":
            numbers = [float(text or "nan") for text in found]
            np.testing.assert_array_equal(numbers, frame[column].to_numpy(float), column)
        else:
            assert found == list(map(str, frame[column])), column


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_markdown_has_every_cell(frames, tables, name):
    lines = export.markdown(tables[name]).splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    assert {len(row) for row in rows} == {len(tables[name].columns)}
    assert set("".join(rows[1])) <= set("-: ")
    expected = len(frames[name]) // (2 if name == "pairwise" else 1)
    assert len(rows) == expected + 2
    assert lines[-1].startswith("Digits, a small network: ")


def test_figures_stand_with_their_intervals_and_units(few, tables):
    adam = [f"{c.cells[0]} {c.spreads[0] if c.spreads else ''}" for c in tables["summary"].columns]
    headings = [column.heading for column in tables["summary"].columns]
    row = few.summary.iloc[0]
    found = dict(zip(headings, adam, strict=True))
    half = 100 * max(row["test_high"] - row["test_metric"], row["test_metric"] - row["test_low"])
    assert found["test accuracy (%)"] == f"{100 * row['test_metric']:.1f} ± {half:.1f}"
    assert found["optimizer"].strip() == row["optimizer"]
    assert "gd_exact (full batch)" in tables["summary"].columns[0].cells
    assert headings[4:6] == ["difference (points)", "p"]
    (expected,) = (c for c in tables["expected_best"].columns if c.heading.startswith("expected"))
    assert re.fullmatch(r"\[\d\d\.\d, \d\d\.\d\]", expected.spreads[0])


def test_of_a_pair_one_order_is_written(frames, tables):
    first, second = tables["pairwise"].columns[:2]
    pairs = list(zip(first.cells, second.cells, strict=True))
    assert len(pairs) == len({frozenset(pair) for pair in pairs}) == 6
    assert len(frames["pairwise"]) == 12


def test_a_bound_is_rounded_up(frames, tables):
    (bound,) = (c for c in tables["pairwise"].columns if c.heading.startswith("no difference"))
    one, two = frames["pairwise"]["optimizer"], frames["pairwise"]["other"]
    order = list(dict.fromkeys(one))
    kept = [order.index(a) < order.index(b) for a, b in zip(one, two, strict=True)]
    for written, value in zip(bound.cells, 100 * frames["pairwise"]["bound"][kept], strict=True):
        assert value - 1e-9 <= float(written) < value + 0.1


def without_marks(text: str) -> str:
    """LaTeX without its escaped marks and formulas: none of what is left may be special."""
    text = re.sub(r"\\[&%$#_{}]", "", text)
    return re.sub(r"\$[^$]*\$", "", text)


def balanced(text: str) -> bool:
    depth = 0
    for mark in re.sub(r"\\[{}]", "", text):
        depth += (mark == "{") - (mark == "}")
        if depth < 0:
            return False
    return depth == 0


def check_latex(text: str, columns: tuple[Column, ...], *, turned: bool = False) -> None:
    """The rules that a table must keep to be compiled."""
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    ended = re.findall(r"\\end\{(\w+)\}", text)
    assert ended == begun[::-1]
    assert balanced(text)
    height, width = len(columns[0].cells), sum(2 if column.spreads else 1 for column in columns)
    if turned:
        each = 2 if width > len(columns) else 1
        height, width = len(columns) - 1, 1 + each * height
    (form,) = re.findall(r"\\begin\{(?:tabular|longtable)\}\{(.*)\}$", text, re.MULTILINE)
    assert len(re.sub(r"@\{[^}]*\}", "", form)) == width
    body = text.split(r"\midrule")[-1]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == height
    for line in rows:
        plain = without_marks(line)
        assert plain.count("&") == width - 1, line
        assert not set(plain) & set("%#_^~$"), line
        assert plain.isascii(), line
    commands = set(re.findall(r"\\([a-zA-Z]+)", without_marks(text)))
    assert commands <= {
        *("begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule"),
        *("multicolumn", "endfirsthead", "endhead", "endfoot", "textbackslash", "textbar"),
        *("textasciitilde", "textasciicircum", "ldots", "textdagger"),
        *("resizebox", "ifdim", "width", "linewidth", "else", "fi"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_latex_keeps_its_rules(tables, name):
    table = tables[name]
    text = latex.table(table.columns, caption=table.caption, label="tab:x")
    check_latex(text, table.columns, turned=name in ("summary", "measures"))
    long = len(table.columns[0].cells) > latex.LONGEST
    assert (r"\begin{longtable}" in text) == long
    assert ("longtable" in text.splitlines()[0]) == long


def test_latex_of_a_small_table_is_as_written_by_hand():
    columns = (
        Column("name", ("a_b", "c & d"), numeric=False),
        Column("rate", ("1e-3", "3.2e-4")),
        Column("test (%)", ("95.3", "—"), spreads=("± 0.6", "")),
        Column("difference", ("-0.9", "+1,234.5")),
    )
    text = latex.table(columns, caption="50 % of {x}", label="tab:y")
    assert text == (
        "% Needs the packages booktabs and graphicx.\n"
        "\\begin{table}\n\\centering\n"
        "\\caption{50 \\% of \\{x\\}}\n\\label{tab:y}\n"
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        "\\begin{tabular}{lrr@{\\,}lr}\n\\toprule\n"
        "\\multicolumn{1}{l}{name} & \\multicolumn{1}{r}{rate} & "
        "\\multicolumn{2}{c}{test (\\%)} & \\multicolumn{1}{r}{difference} \\\\\n\\midrule\n"
        "a\\_b & $10^{-3}$ & 95.3 & $\\pm$ 0.6 & $-0.9$ \\\\\n"
        "c \\& d & $3.2 \\cdot 10^{-4}$ & --- &  & $+1{,}234.5$ \\\\\n"
        "\\bottomrule\n\\end{tabular}}\n\\end{table}\n"
    )


def test_a_table_that_is_wider_than_a_page_is_turned():
    long = "a figure with a name of many words"
    columns = (
        Column("optimizer", ("sgd", "adam"), numeric=False),
        Column("plain", ("1e-3", "2")),
        Column("mean", ("95.3", "96"), spreads=("± 0.6", "± 1")),
        *(Column(f"{long}, {at}", ("7", "8")) for at in range(3)),
    )
    text = latex.table(columns, caption="c", label="l")
    check_latex(text, columns, turned=True)
    lines = text.splitlines()
    assert (
        "\\multicolumn{1}{l}{} & \\multicolumn{2}{c}{sgd} & \\multicolumn{2}{c}{adam} \\\\"
    ) in lines
    assert "plain & $10^{-3}$ &  & 2 &  \\\\" in lines
    assert "mean & 95.3 & $\\pm$ 0.6 & 96 & $\\pm$ 1 \\\\" in lines
    assert f"{long}, 2 & 7 &  & 8 &  \\\\" in lines
    many = [Column("optimizer", tuple("abcdefgh"), numeric=False), *[columns[3]] * 4]
    many = [Column(each.heading, tuple("abcdefgh"), each.numeric) for each in many]
    check_latex(latex.table(many, caption="c", label="l"), tuple(many))


def test_names_that_a_user_chose_cannot_break_a_table():
    evil = '\\input{x} 100% $&#_{}~^<|>"\n\n% \x00 ± µ −'
    columns = (Column(evil, ("[h]", evil), numeric=False), Column("n", ("1", "*2")))
    check_latex(latex.table(columns, caption=evil, label="tab:z"), columns)
    rows = latex.table(columns, caption="c", label="l").splitlines()
    assert "{}[h] & 1 \\\\" in rows
    text = export.markdown(paper_tables.PaperTable(evil, columns))
    assert len(text.splitlines()) == 6
    assert "\\|" in text.splitlines()[0]


def test_errors_have_as_many_decimals_in_a_column(few):
    runs = few.runs.drop(columns=["last_metric", "last_loss", "diverged"])
    for name in ("train_metric", "validation_metric", "test_metric"):
        runs[name] = runs[name].map(lambda value: 1.5 * (1 - value) + 0.95)
    task = msgspec.structs.replace(few.document.task, metric="rmse", higher_is_better=False)
    from fallline.analysis.reading import read

    reading = read(runs, msgspec.structs.replace(few.document, task=task), timing=few.timing)
    table = paper_tables.table(reading, "ranking", paper_tables.frames(reading)["ranking"])
    (test,) = (column for column in table.columns if column.heading == "test RMSE")
    values = [float(cell) for cell in test.cells]
    assert min(values) < 1 < max(values)
    assert {len(cell.partition(".")[2]) for cell in test.cells} == {2}


def test_formats_are_chosen_by_name():
    assert export.chosen(None) == ("png", "svg", "pdf", "csv", "md", "tex", "bib")
    assert export.chosen("tex, .CSV,tex") == ("csv", "tex")
    assert export.chosen(["bib", "pdf"]) == ("pdf", "bib")
    with pytest.raises(InputError, match="unknown format of an export 'pfd'") as caught:
        export.chosen("png,pfd")
    assert "did you mean 'pdf'" in (caught.value.hint or "")
    with pytest.raises(InputError, match="no format"):
        export.chosen(" , ")


def test_all_files_are_written_and_are_the_same_each_time(few, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.csv").write_text("of another study", "utf-8")
    first, second = (
        export.write(few, tmp_path / folder, formats="csv,md,tex,bib") for folder in ("out", "b")
    )
    names = [f"{name.replace('_', '-')}.{form}" for name in NAMES for form in ("csv", "md", "tex")]
    assert [path.name for path in first] == [*names, "references.bib"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in first
    ), "nothing else is left there"
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    assert "of another study" not in first[0].read_text("utf-8")
    labels = [re.findall(r"\\label\{(.*?)\}", p.read_text()) for p in first if p.suffix == ".tex"]
    assert labels[0] == ["tab:digits-mlp-summary"]
    assert len({label for (label,) in labels}) == len(NAMES)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_hint(few, tmp_path: Path):
    (tmp_path / "file").write_text("no folder", "utf-8")
    with pytest.raises(StudyError, match="cannot write the export") as caught:
        export.write(few, tmp_path / "file", formats="bib")
    assert "--out" in (caught.value.hint or "")


def test_a_study_without_runs_has_nothing_to_export(make_reading, tmp_path: Path):
    empty = make_reading(complete=False, edit=lambda runs: runs[:0])
    with pytest.raises(StudyError, match="no run yet"):
        export.write(empty, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_stopped_before_its_end_is_exported_as_far_as_it_is(make_reading, tmp_path: Path):
    searched = make_reading(
        optimizers=FEW, complete=False, edit=lambda runs: runs[runs["phase"] == "search"]
    )
    written = export.write(searched, tmp_path, formats="md,tex")
    assert {path.stem for path in written} == {
        "summary", "measures", "sensitivity", "expected-best", "diverged",
    }  # fmt: skip
    assert "nan" not in "".join(path.read_text("utf-8") for path in written)
