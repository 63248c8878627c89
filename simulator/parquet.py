"""Recordings of many machines as one Parquet file: a row per asset and instant, with labels.

Columns: `time` (UTC), `asset`, every signal of every asset (empty where an asset has no such signal), and the labels
`anomaly` (0 or 1), `fault` (its identifier, empty while there is none), `severity` and `health` (0..1), and `rul_h` (empty
while there is no end).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edge.contracts.errors import RecordingError
from edge.contracts.plant import Plant
from edge.formats.recording import Recording
from simulator.generate import Labels

LABELS: Final = ("anomaly", "fault", "severity", "health", "rul_h")
TEXT: Final = pa.dictionary(pa.int32(), pa.string())
ROWS_PER_GROUP: Final = 1 << 20


def write_parquet(path: Path, plant: Plant, assets: Sequence[str], parts: Iterable[tuple[Recording, Labels]]) -> int:
    """Write all parts, in the order in which they come; how many rows there were. Raises `RecordingError`."""
    schema = _schema(plant, assets)
    rows = 0
    try:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for recording, labels in parts:
                writer.write_table(_table(schema, recording, labels), ROWS_PER_GROUP)
                rows += len(recording)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written: {error.strerror or error}") from None
    return rows


def _schema(plant: Plant, assets: Sequence[str]) -> pa.Schema:
    kinds = {
        name: TEXT if name in plant.assets[asset].context else pa.float64()
        for asset in assets
        for name in plant.assets[asset].signals
    }
    if taken := sorted(set(kinds) & {"time", "asset", *LABELS}):
        raise RecordingError(f"a signal is named '{taken[0]}', as a column of the file is; name it otherwise in the plant file")
    labels = {"anomaly": pa.int8(), "fault": TEXT, "severity": pa.float64(), "health": pa.float64(), "rul_h": pa.float64()}
    return pa.schema({"time": pa.timestamp("ns", "UTC"), "asset": TEXT, **kinds, **labels})


def _table(schema: pa.Schema, recording: Recording, labels: Labels) -> pa.Table:
    n = len(recording)
    columns: dict[str, pa.Array] = {
        "time": pa.array(recording.time, pa.timestamp("ns", "UTC")),
        "asset": pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([recording.asset])),
        "anomaly": pa.array(labels.anomaly.astype(np.int8)),
        "fault": pa.DictionaryArray.from_arrays(labels.fault.astype(np.int32), pa.array(labels.names)),
        "severity": pa.array(labels.severity),
        "health": pa.array(1.0 - labels.severity),
        "rul_h": pa.array(labels.rul_h, from_pandas=True),
    }
    for name, column in recording.values.items():
        table = recording.texts.get(name)
        if table is None:
            columns[name] = pa.array(column, from_pandas=True)
        else:
            columns[name] = pa.DictionaryArray.from_arrays(column.astype(np.int32), pa.array(table.texts))
    return pa.table([columns.get(field.name, pa.nulls(n, field.type)) for field in schema], schema=schema)
