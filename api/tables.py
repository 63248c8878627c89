"""Assessments, alarms and labels as tables: which columns they have."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from api.export import TableColumn
from api.parquet import Kind
from edge.contracts.plant import Asset
from edge.formats.json_message import parse_time


def assessment_columns(asset: Asset) -> list[TableColumn]:
    """`measured_<signal>`, `expected_<signal>` and `contribution_<signal>` for every signal of the plant file."""
    columns = [
        _time("time"),
        *(_text(name) for name in ("state", "reason")),
        *(_number(name) for name in ("score", "health")),
        *(_text(name) for name in ("zone", "vibration_zone")),
        *(_number(name) for name in ("known", "coverage")),
        _text("fault", "fault", "name"),
        _number("fault_probability", "fault", "probability"),
        *(_number(f"rul_h_{quantile}", "rul_h", quantile) for quantile in ("p10", "p50", "p90")),
        _text("model", "model", "name"),
        _text("model_version", "model", "version"),
    ]
    for kind in ("measured", "expected", "contribution"):
        columns += [_number(f"{kind}_{signal}", kind, signal) for signal in (*asset.signals, *asset.waveforms)]
    return [*columns, _text("edge"), _text("journal"), _number("seq")]


def alarm_columns() -> list[TableColumn]:
    return [
        *(_text(name) for name in ("alarm_id", "asset", "rule", "priority", "state")),
        *(_time(name) for name in ("raised", "changed", "shelved_until")),
        *(_text(name) for name in ("by", "comment", "case_id", "suppressed_by")),
        *(_text(f"text_{language}", "text", language) for language in ("sv", "en")),
        _number("score", "evidence", "score"),
        TableColumn("signals", Kind.TEXT, lambda alarm: " ".join((alarm.get("evidence") or {}).get("signals") or ())),
        _text("edge"),
    ]


def label_columns() -> list[TableColumn]:
    """As `models train --labels` reads them; a fault whose mode nobody said is `unknown`."""
    return [
        _text("asset"),
        _time("from"),
        _time("to"),
        _text("state", "label"),
        TableColumn("mode", Kind.TEXT, lambda label: label["fault"] or ("unknown" if label["label"] == "fault" else None)),
        _text("comment"),
    ]


def _number(name: str, *path: str) -> TableColumn:
    return TableColumn(name, Kind.NUMBER, partial(_found, path or (name,), _as_number))


def _text(name: str, *path: str) -> TableColumn:
    return TableColumn(name, Kind.TEXT, partial(_found, path or (name,), _as_text))


def _time(name: str, *path: str) -> TableColumn:
    return TableColumn(name, Kind.TIME, partial(_found, path or (name,), _as_time))


def _found(path: tuple[str, ...], convert: Callable[[Any], Any], thing: Mapping[str, Any]) -> Any:
    value: Any = thing
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return None if value is None else convert(value)


def _as_number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _as_time(value: Any) -> int | None:
    return parse_time(value) if isinstance(value, str) else None
