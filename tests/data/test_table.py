"""CSV files: columns, kind of problem, and each fault with its line and column."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallline.data.files import read_csv, read_table
from fallline.errors import DataError, InputError


@pytest.fixture
def csv_file(tmp_path):
    def write(text: str | bytes, name: str = "plants.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_quotes_and_categories(csv_file, delimiter, end):
    rows = ['"leaf, length";soil;kind', '1.5;"clay";a', "2;sand ;b", "", "-3e1;clay;a"]
    text = end.join(rows).replace(";", delimiter) + end
    table = read_table(csv_file("\ufeff" + text), "kind")
    assert table.features == ("leaf, length", "soil=clay", "soil=sand")
    assert table.x.tolist() == [[1.5, 1, 0], [2, 0, 1], [-30, 1, 0]]
    assert table.y.tolist() == ["a", "b", "a"]
    assert table.kind == "classification"
    assert table.notes == (
        "'kind' holds text: a classification",
        "'soil' is a column of 2 categories",
    )


def test_wine_is_read_as_pandas_reads_it(data_dir):
    path = data_dir / "wine" / "winequality-white.csv"
    frame = pd.read_csv(path, sep=";")
    table = read_table(path, "quality")
    np.testing.assert_array_equal(table.x, frame.drop(columns="quality").to_numpy())
    np.testing.assert_array_equal(table.y, frame["quality"].to_numpy())
    assert table.features == tuple(frame.columns[:-1])
    assert table.notes == (
        "'quality' holds whole numbers from 3 to 9: a regression; "
        "--kind classification changes that",
    )


def test_wine_as_a_data_set(data_dir):
    dataset = read_csv(data_dir / "wine" / "winequality-white.csv", "quality")
    assert (dataset.name, dataset.kind, dataset.scaling) == (
        "winequality-white",
        "regression",
        "zscore",
    )
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [2938, 980, 980]
    assert dataset.target_scale == pytest.approx(dataset.train.y.std(), rel=1e-5)
    assert dataset.source == "winequality-white.csv"


def test_wine_as_a_classification(data_dir):
    path = data_dir / "wine" / "winequality-white.csv"
    dataset = read_csv(path, "quality", kind="classification")
    assert dataset.classes == tuple("3456789")
    assert np.bincount(dataset.train.y).tolist()[0] == 12
    assert dataset.target_scale == 1


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (["yes", "no"], "classification", "text"),
        (["True", "False"], "classification", "text"),
        (["0", "1"], "classification", "the two values 0 and 1"),
        (["5", "9"], "classification", "the two values 5 and 9"),
        (["1.0", "2.0", "3.0"], "classification", "the codes 1 to 3"),
        (["0", "1", "3"], "regression", "whole numbers from 0 to 3"),
        ([str(i) for i in range(25)], "regression", "whole numbers from 0 to 24"),
        (["0.5", "1"], "regression", "numbers with fractions"),
    ],
)
def test_kind_is_inferred_and_said(csv_file, values, kind, why):
    rows = "\n".join(f"{i},{values[i % len(values)]}" for i in range(50))
    table = read_table(csv_file(f"a,y\n{rows}\n"), "y")
    assert table.kind == kind
    assert table.notes[0].startswith(f"'y' holds {why}: a {kind}")


def test_kind_can_be_given(csv_file):
    path = csv_file("a,y\n" + "".join(f"{i},{i % 3}\n" for i in range(60)))
    assert read_csv(path, "y", kind="regression").train.y.dtype == np.float32
    assert read_csv(path, "y", kind="classification").classes == ("0", "1", "2")
    with pytest.raises(InputError, match="kind is 'ranking'"):
        read_csv(path, "y", kind="ranking")


def test_constant_columns_are_left_out_and_said(csv_file):
    table = read_table(csv_file("a,b,c,y\n1,7,x,0.5\n2,7,x,1.5\n"), "y")
    assert table.features == ("a",)
    assert table.notes[1:] == (
        "'b' is '7' in every row and was left out",
        "'c' is 'x' in every row and was left out",
    )


NUMBERS = "a,b\n" + "".join(f"{i},{i}.5\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NUMBERS + "3,\n", "plants.csv, line 22: column 'b' is missing"),
        (NUMBERS + ",3\n", "plants.csv, line 22: column 'a' is missing"),
        (NUMBERS + "3\n", "line 22: column 'b' is missing: the row has 1 fields and the header 2"),
        (NUMBERS + "3,4,5\n", "line 22: field '5' follows the last column, 'b': the row has 3"),
        (NUMBERS + "3,NA\n", r"line 22: column 'b' is missing \('NA'\)"),
        (NUMBERS + "nan,3\n", r"line 22: column 'a' is missing \('nan'\)"),
        (NUMBERS + "inf,3\n", "line 22: column 'a' is 'inf' in a column of numbers"),
        (NUMBERS + "four,3\n", "line 22: column 'a' is 'four' in a column of numbers"),
        (NUMBERS + "1_0,3\n", "line 22: column 'a' is '1_0' in a column of numbers"),
        ("a,b\n1,2\n\n3,\n", "line 4: column 'b' is missing"),
        ('a,b\n"x\ny",2\n3,\n', "line 4: column 'b' is missing"),
        ("a,a,b\n1,2,3\n", "2 columns are called 'a'"),
        ("a,,b\n1,2,3\n", "column 2 of the header has no name"),
        ("1,2\n3,4\n", "the first line holds numbers only: 1, 2"),
        ("a,b\n", "plants.csv has a header and no rows"),
        ("", "plants.csv is empty"),
        ("\n\n", "plants.csv is empty"),
        ("b\n1\n2\n", "no column but 'b' tells the rows apart"),
        ("a,b\n1,2\n1,3\n", "no column but 'b' tells the rows apart"),
        (b"a,b\n1,2\nM\xfcller,3\n", "line 3: byte 0xFC is not UTF-8"),
        (b"a,b\n1,\x00\n", "holds zero bytes"),
        (
            "a,b\n" + "".join(f"id{i},{i}\n" for i in range(60)),
            "column 'a' has 60 different texts, such as 'id0'; at most 50",
        ),
    ],
)
def test_faults_are_named(csv_file, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_csv(csv_file(text), "b")
    assert caught.value.hint


def test_decimal_commas_are_recognised(csv_file):
    path = csv_file("a;b\n" + "".join(f"{i},5;{i}\n" for i in range(60)))
    with pytest.raises(DataError, match="60 different texts") as caught:
        read_csv(path, "b")
    assert caught.value.hint == "write numbers with a decimal point"


def test_unknown_target_has_near_matches(csv_file):
    with pytest.raises(InputError, match=r"plants.csv has no column 'quallity'") as caught:
        read_csv(csv_file("acid,quality\n1,2\n"), "quallity")
    assert caught.value.hint == "did you mean 'quality'? its columns are acid, quality"


def test_text_cannot_be_regressed(csv_file):
    with pytest.raises(DataError, match="the target 'b' holds text such as 'x'") as caught:
        read_csv(csv_file("a,b\n1,x\n2,y\n"), "b", kind="regression")
    assert caught.value.hint == "--kind classification"


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_csv(tmp_path / "absent.csv", "y")


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)
# What is stripped, or is no number though it looks like one, is not written so.
NAMES = TEXTS.filter(lambda name: name == name.strip() and not name.startswith(("\ufeff", '"')))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.data(),
    names=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_read_back(tmp_path, data, names, delimiter, end):
    rows = data.draw(
        st.lists(st.lists(NUMBERS, min_size=len(names), max_size=len(names)), min_size=2)
    )
    path = tmp_path / "made.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerow([*(f"n{name}" for name in names), "of interest"])
        writer.writerows(
            [*map(repr, row), f"{number % 2}, or not"] for number, row in enumerate(rows)
        )
    columns = np.array(rows).T
    varied = [at for at, column in enumerate(columns) if len(set(column)) > 1]
    if not varied:
        with pytest.raises(DataError, match="no column but 'of interest' tells the rows apart"):
            read_table(path, "of interest")
        return
    table = read_table(path, "of interest")
    assert table.features == tuple(f"n{names[at]}" for at in varied)
    np.testing.assert_array_equal(table.x, columns[varied].T)
    assert table.y.tolist() == [f"{number % 2}, or not" for number in range(len(rows))]


def test_a_path_with_a_zero_byte_cannot_be_read():
    with pytest.raises(DataError, match="cannot be read"):
        read_table("a\0b.csv", "y")
