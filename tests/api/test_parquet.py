"""Parquet as others read it: pyarrow, and what pandas and DuckDB make of it."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.parquet import Column, Kind, parquet

COLUMNS = [Column("time", Kind.TIME), Column("score", Kind.NUMBER), Column("state", Kind.TEXT)]
ROWS = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)


def write(columns: Sequence[Column], groups: Sequence[Sequence[Sequence[Any]]]) -> bytes:
    return b"".join(parquet(columns, groups))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(ROWS, min_size=1, max_size=20), max_size=3))
def test_what_is_written_is_read(groups: list[list[tuple[Any, ...]]]) -> None:
    content = write(COLUMNS, [list(zip(*group, strict=True)) for group in groups])
    table = pq.read_table(io.BytesIO(content))
    assert table.schema.types == [pa.timestamp("ns", tz="UTC"), pa.float64(), pa.string()]
    columns = [table.column(0).cast(pa.int64()).to_pylist(), *(table.column(n).to_pylist() for n in (1, 2))]
    assert list(zip(*columns, strict=True)) == [row for group in groups for row in group]


def test_many_columns_and_rows_and_pandas() -> None:
    columns = [Column(f"c{number}", Kind.NUMBER) for number in range(40)]
    group = [[float(row * number) for row in range(1000)] for number in range(40)]
    frame = pd.read_parquet(io.BytesIO(write(columns, [group, group])))
    assert frame.shape == (2000, 40)
    assert frame["c39"].tolist() == group[39] * 2
    assert pd.read_parquet(io.BytesIO(write(columns, []))).shape == (0, 40)


def test_duckdb_reads_it(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    file = tmp_path / "table.parquet"
    file.write_bytes(write(COLUMNS, [[[1_764_000_000_000_000_000, None], [0.5, None], ["normal", None]]]))
    table = duckdb.read_parquet(str(file))
    found = table.project("epoch_ns(time), score, state").fetchall()
    assert found == [(1_764_000_000_000_000_000, 0.5, "normal"), (None, None, None)]
