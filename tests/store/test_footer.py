"""What a Parquet file says that it holds, against what Parquet's own library reads."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fallline.store import footer

TABLE = pa.table({"name": ["a", "é", ""], "curve": [[1.0, 2.0], [], [3.0]], "seed": [1, 2, 3]})


def written(table: pa.Table = TABLE, **options) -> bytes:
    file = pa.BufferOutputStream()
    pq.write_table(table, file, **options)
    return file.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_size": 1, "compression": "zstd"},
        {"write_statistics": False, "use_dictionary": False, "store_schema": False},
        {"version": "1.0", "data_page_version": "2.0", "write_page_checksum": True},
        {"bloom_filter_options": {"seed": True}},
    ],
    ids=str,
)
def test_values_are_those_that_the_library_counts(options) -> None:
    try:
        data = written(**options)
    except TypeError:  # an option that this version of the library does not have
        data = written()
    metadata = pq.ParquetFile(pa.BufferReader(data)).metadata
    columns = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    # An empty list is a place in its column: 3 names, 3 seeds, 4 places.
    assert footer.values_in(data) == sum(column.num_values for column in columns) == 10


def test_a_footer_cut_anywhere_is_refused() -> None:
    whole = written()
    size = int.from_bytes(whole[-8:-4], "little")
    begin = len(whole) - 8 - size
    for cut in range(size):
        data = whole[: begin + cut] + cut.to_bytes(4, "little") + b"PAR1"
        with pytest.raises(ValueError, match="footer cannot be read"):
            footer.values_in(data)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "no Parquet file"),
        (b"\x1c" * 200, "too deep"),
        (b"\x49\x5c" + b"\x1c" * 200, "too deep"),
        (b"\x49" + b"\x19" * 200, "too deep"),
        (b"\x49\xf8\xff\xff\xff\xff\x0f", "longer than the file"),
        (b"\x46" + b"\xff" * 12, "too long"),
        (b"\x4e\x00", "kind 14"),
        (b"\x15\x02\x00", "footer cannot be read"),
    ],
)
def test_what_is_no_footer_is_refused(head: bytes, message: str) -> None:
    data = b"PAR1" + head + len(head).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(ValueError, match=message):
        footer.values_in(data if head else b"x" * 40)
