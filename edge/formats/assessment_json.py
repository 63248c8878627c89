"""The JSON of a table of assessments: what `encode` writes for each, byte for byte, without an object for any.

All numbers of a table are written at once, as one array of rows; a row's texts are then put between the names, which are the
same in every row. What few rows have (signals that others do not have) is written as `encode` writes it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from edge.contracts.assessment import Assessment, State, Zone
from edge.contracts.assessment_table import AssessmentTable, Floats
from edge.formats.json_message import KINDS, SCHEMA, Identity, encode, format_time

_NULL = "null"
_ZONES = {None: _NULL} | {zone: f'"{zone}"' for zone in Zone}


def encode_table(table: AssessmentTable, edge: str, journal: str, first: int) -> list[bytes]:
    """The messages of all that is told, numbered from `first` on."""
    n, contribution, expected = len(table.assets), table.contribution, table.expected
    parts = [table.score[:, None]]
    names = {}
    for name, values in (("contribution", contribution), ("measured", table.measured), ("expected", expected)):
        if values is not None:
            names[name] = table.signals if name == "measured" else table.sources[: values.shape[1]]
            parts.append(values[:, : len(names[name])])
    if table.known is not None:
        parts.append(table.known[:, None])
    parts += [table.coverage[:, None], table.health[:, None]]
    numbers: Floats = np.concatenate(parts, axis=1, dtype=np.float32)
    written = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).decode()[2:-2].split("],[") if n else []
    before = 1 + len(names.get("contribution", ()))
    measured = slice(before, before + len(table.signals))
    scored, withheld = _templates(table, edge, journal, names)
    alike: list[bool] | None = np.asarray(table.has.all(axis=1)).tolist() if table.has is not None else None
    zones, vibration = [_ZONES[zone] for zone in table.zones], [_ZONES[zone] for zone in table.vibration_zones]
    faults = {row: orjson.dumps(fault).decode() for row, fault in table.faults.items()}
    lives = {row: orjson.dumps(life).decode() for row, life in table.lives.items()}
    assets = [orjson.dumps(asset).decode() for asset in table.assets]
    lines = []
    for seq, row in enumerate(table.told, first):
        if alike is not None and not alike[row]:
            lines.append(encode(table.of(row), Identity(edge=edge, journal=journal, seq=seq)))
            continue
        cells = written[row].split(",")
        if (reason := table.reasons[row]) is None:
            state = State.ANOMALOUS if table.anomalous[row] else State.NORMAL
            line = scored % (
                seq,
                assets[row],
                state,
                *cells,
                zones[row],
                vibration[row],
                faults.get(row, _NULL),
                lives.get(row, _NULL),
            )
        else:
            line = withheld % (seq, assets[row], reason, *cells[measured], *cells[-2:], zones[row], vibration[row])
        lines.append(line.encode())
    return lines


def _templates(table: AssessmentTable, edge: str, journal: str, names: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """What is the same in all rows: of those with a score, and of those without."""

    def group(name: str) -> str:
        if name not in names:
            return _NULL
        return "{" + ",".join(f"{_text(each)}:%s" for each in names[name]) + "}"

    kind, time = KINDS[Assessment], format_time(table.time)
    head = f'{{"schema":{SCHEMA},"edge":{_text(edge)},"journal":{_text(journal)},"seq":%s,"kind":"{kind}"'
    head += f',"asset":%s,"time":"{time}"'
    model = orjson.dumps(table.model).decode().replace("%", "%%")
    zones = '"coverage":%s,"health":%s,"zone":%s,"vibration_zone":%s'
    known = "%s" if table.known is not None else _NULL
    scored = (
        f'{head},"state":"%s","reason":null,"score":%s,"contribution":{group("contribution")},"measured":{group("measured")},'
        f'"expected":{group("expected")},"known":{known},{zones},"fault":%s,"rul_h":%s,"model":{model}}}'
    )
    withheld = (
        f'{head},"state":"{State.WITHHELD}","reason":"%s","score":null,"contribution":null,"measured":{group("measured")},'
        f'"expected":null,"known":null,{zones},"fault":null,"rul_h":null,"model":{model}}}'
    )
    return scored, withheld


def _text(content: str) -> str:
    """As JSON, and as a part of a template."""
    return orjson.dumps(content).decode().replace("%", "%%")
