"""What labels say, and what they may not."""

from pathlib import Path

import numpy as np
import pytest

from edge.formats.json_message import parse_time
from models.labels import Condition, LabelError, from_alarms, read_labels

HOUR = 3_600_000_000_000


def at(hour: float) -> int:
    return parse_time("2026-11-09T00:00:00Z") + round(hour * HOUR)


def written(folder: Path, *rows: str, header: str = "asset,from,to,state,mode,mechanism,cause") -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_periods_are_read_with_their_iso_14224_terms(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "pump,2026-11-09T10:00:00+01:00,2026-11-09T11:00:00Z,fault,leakage,wear,dry grease",
        "fan,2026-11-09T00:00:00Z,2026-11-09T01:00:00Z,healthy,,,",
        "pump,2026-11-09T11:00:00Z,,failed,leakage,,",
    )
    labels = read_labels(path, "pump")
    fault, failure = labels.periods
    assert (fault.first, fault.last) == (at(9), at(11))
    assert (fault.condition, fault.mode, fault.mechanism, fault.cause) == (Condition.FAULT, "leakage", "wear", "dry grease")
    assert (failure.condition, failure.first, failure.last) == (Condition.FAILED, at(11), at(11))
    assert labels.modes == ("leakage",)


def test_a_span_counts_only_where_it_lies_within_one_period_as_a_whole(tmp_path: Path) -> None:
    labels = read_labels(
        written(
            tmp_path,
            "pump,2026-11-09T02:00:00Z,2026-11-09T03:00:00Z,fault,leakage,,",
            "pump,2026-11-09T03:00:00Z,2026-11-09T04:00:00Z,fault,clogging,,",
        ),
        "pump",
    )
    first = np.array([at(1.5), at(2.1), at(2.9), at(3.1)])
    last = np.array([at(2.5), at(2.9), at(3.1), at(3.9)])
    assert labels.period_of(Condition.FAULT, first, last).tolist() == [-1, 0, -1, 1]
    # nothing is said to be healthy: so is what nothing is said of
    assert labels.healthy(np.array([at(0), at(1.9), at(4.1)]), np.array([at(1), at(2.1), at(5)])).tolist() == [
        True,
        False,
        True,
    ]


def test_where_healthy_time_is_named_the_rest_is_unknown(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, "pump,2026-11-09T02:00:00Z,2026-11-09T03:00:00Z,healthy,,,"), "pump")
    assert labels.healthy(np.array([at(2.1), at(4)]), np.array([at(2.9), at(5)])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["pump,2026-11-09T02:00:00Z,,broken,,,"], "row 2: state 'broken' should be healthy, fault, failed, unknown"),
        (["pump,2026-11-09T02:00:00Z,,fault,,,"], "row 2: a fault needs its mode"),
        (["pump,2026-11-09T02:00:00,,healthy,,,"], "row 2: 'from' is '2026-11-09T02:00:00'; it should be a time with its zone"),
        (["pump,2026-11-09T02:00:00Z,2026-11-09T01:00:00Z,healthy,,,"], "row 2: ends (2026-11-09T01:00:00Z) before it begins"),
        (["fan,2026-11-09T02:00:00Z,,healthy,,,"], "says nothing of 'pump'"),
        (
            ["pump,2026-11-09T02:00:00Z,,healthy,,,", "pump,2026-11-09T05:00:00Z,2026-11-09T06:00:00Z,fault,leakage,,"],
            "2026-11-09T05:00:00Z is labelled both healthy and fault",
        ),
    ],
)
def test_bad_labels_give_one_clear_sentence(rows: list[str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(LabelError) as refused:
        read_labels(written(tmp_path, *rows), "pump")
    assert expected in str(refused.value)


def test_a_column_that_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="has no column 'state'"):
        read_labels(written(tmp_path, "x", header="asset,from,to"), "pump")
    with pytest.raises(LabelError, match="column 'colour' means nothing here"):
        read_labels(written(tmp_path, "x", header="from,to,state,colour"), "pump")


def test_a_label_outside_the_recording_is_an_error(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, "pump,2026-11-09T02:00:00Z,2026-11-09T03:00:00Z,healthy,,,"), "pump")
    labels.check("pump.csv", at(1), at(2.5))
    with pytest.raises(LabelError, match=r"lies outside pump\.csv, which goes from 2026-11-09T04"):
        labels.check("pump.csv", at(4), at(5))


def test_acknowledged_alarms_become_labels_to_be_completed(tmp_path: Path) -> None:
    text = {"sv": "…", "en": "pump: vibration is high"}
    alarm = {"asset": "pump", "raised": "2026-11-09T02:00:00Z", "changed": "2026-11-09T03:00:00Z", "text": text}
    alarms = [
        alarm | {"state": "normal", "by": "kim", "comment": "seal leaked"},
        alarm | {"state": "active-unacknowledged", "by": None, "comment": None},
    ]
    path = tmp_path / "labels.csv"
    path.write_text(from_alarms(alarms), encoding="utf-8")
    (period,) = read_labels(path, "pump").periods
    assert (period.condition, period.first, period.last) == (Condition.UNKNOWN, at(2), at(3))
    assert period.comment == "pump: vibration is high (kim: seal leaked)"
