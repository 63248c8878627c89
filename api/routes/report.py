"""The report of a shift: what happened, what it took, and what is left for the next one."""

import time
from collections import Counter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from api.answers import ALARM, CASE, Time, json_answer, ready
from api.problems import Problem, ProblemType, answers
from api.routes.performance import TOTAL, total_of
from api.services import Services, Use
from api.shapes.alarms import ReportAnswer
from api.shapes.answer import example
from api.subjects import AlarmRow, CaseRow
from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.case import Case
from edge.contracts.performance import Performance
from edge.contracts.status import SourceState
from edge.formats.json_message import decode, format_time, parse_time

router = APIRouter(tags=["report"])

SHIFT_NS: Final = 8 * 3600 * 1_000_000_000
MOST_NS: Final = 31 * 86_400 * 1_000_000_000
MOST_PERIODS: Final = 50_000
MOST_SUBJECTS: Final = 1000
DATABASE: Final = "the database"
EXAMPLE: Final = {
    "from": "2026-11-23T06:00:00Z",
    "to": "2026-11-23T14:00:00Z",
    "assets": [
        {
            "id": "pump-101",
            "name": {"sv": "Cirkulationspump 101", "en": "Circulation pump 101"},
            "alarms_by_priority": {"high": 1},
            "alarms": [ALARM],
            "cases": [CASE],
            "performance": TOTAL,
        }
    ],
    "withheld_s": {"changeover": 420.0, "stale": 12.0},
    "energy": {"kW.h": 6.81},
    "open": {
        "unacknowledged": [ALARM],
        "alarms": [ALARM],
        "cases": [CASE],
        "shelved": [],
        "out_of_service": [],
        "problems": ["edge 'edge-1': source 'plc' is disconnected: Connection refused"],
    },
    "truncated": False,
}


@router.get(
    "/report",
    responses={
        **example(ReportAnswer, EXAMPLE),
        **answers(invalid_request="query.from: should be at most 31 days before query.to"),
    },
    summary="The report of a shift: alarms and cases of each machine, time without scores, energy, and what is open",
    description=(
        "`alarms` and `cases` of a machine began within the time; `open` is as it is now. `truncated`: there were 1000 alarms, "
        "cases or open ones and perhaps more, of which the newest are told."
    ),
)
def get_report(
    services: Use,
    first: Annotated[Time | None, Query(alias="from", description="default: 8 hours before `to`")] = None,
    last: Annotated[Time | None, Query(alias="to", description="default: now")] = None,
) -> Response:
    until = parse_time(last) if last is not None else time.time_ns()
    since = parse_time(first) if first is not None else until - SHIFT_NS
    if since >= until:
        raise Problem(
            ProblemType.INVALID_REQUEST,
            f"query.from: {format_time(since)} should be a time before query.to, {format_time(until)}",
        )
    if until - since > MOST_NS:
        raise Problem(ProblemType.TOO_MUCH, f"query.from: {format_time(since)} should be at most 31 days before query.to")
    store = services.store
    # what began within the time has changed since then
    changed = since, 2**63 - 1
    alarms = store.alarms(only_open=False, asset=None, between=changed, at_most=MOST_SUBJECTS)
    cases = store.cases(only_open=False, asset=None, between=changed, at_most=MOST_SUBJECTS)
    open_alarms = store.alarms(only_open=True, asset=None, at_most=MOST_SUBJECTS)
    open_cases = store.cases(only_open=True, asset=None, at_most=MOST_SUBJECTS)
    assets = [_asset(services, asset_id, alarms, cases, since, until) for asset_id in services.plant.assets]
    withheld_s, energy = Counter[str](), Counter[str]()
    for asset in assets:
        total = asset["performance"]
        withheld_s.update(total["withheld_s"])
        if total["energy"] is not None and total["energy_unit"]:
            energy[total["energy_unit"]] += total["energy"]
    return json_answer(
        {
            "from": format_time(since),
            "to": format_time(until),
            "assets": assets,
            "withheld_s": dict(withheld_s),
            "energy": dict(energy),
            "open": {
                "unacknowledged": _messages(open_alarms, AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED),
                "alarms": _messages(open_alarms),
                "cases": [ready(row.message) for row in open_cases],
                "shelved": _messages(open_alarms, AlarmState.SHELVED),
                "out_of_service": _messages(open_alarms, AlarmState.OUT_OF_SERVICE),
                "problems": _problems(services),
            },
            "truncated": MOST_SUBJECTS in {len(alarms), len(cases), len(open_alarms), len(open_cases)},
        }
    )


def _asset(
    services: Services, asset_id: str, alarms: list[AlarmRow], cases: list[CaseRow], since: int, until: int
) -> dict[str, Any]:
    raised = [(row, decode(Alarm, row.message, DATABASE)) for row in alarms if row.asset == asset_id]
    raised = [(row, alarm) for row, alarm in raised if since <= alarm.raised <= until]
    opened = [row for row in cases if row.asset == asset_id]
    opened = [row for row in opened if since <= decode(Case, row.message, DATABASE).opened <= until]
    periods = services.store.of_kind("performance", asset_id, since, until, MOST_PERIODS)
    return {
        "id": asset_id,
        "name": services.plant.assets[asset_id].display_name(asset_id),
        "alarms_by_priority": dict(Counter(alarm.priority.value for _, alarm in raised)),
        "alarms": [ready(row.message) for row, _ in raised],
        "cases": [ready(row.message) for row in opened],
        "performance": total_of([decode(Performance, message, DATABASE) for message in periods], since, until),
    }


def _messages(rows: list[AlarmRow], *states: AlarmState) -> list[Any]:
    return [ready(row.message) for row in rows if not states or row.state in states]


def _problems(services: Services) -> list[str]:
    """What the next shift has to know of the way that results come."""
    broker = services.ingest.broker
    found = [] if broker.connected else [f"the broker {broker.url} is not connected: {broker.problem or 'not yet'}"]
    found += [services.ingest.store_problem] if services.ingest.store_problem else []
    for edge, status in sorted(services.ingest.reception.statuses.items()):
        if not status.online:
            found.append(f"edge '{edge}' is offline")
            continue
        found += [
            f"edge '{edge}': source '{name}' is {source.state}" + (f": {source.problem}" if source.problem else "")
            for name, source in status.sources.items()
            if source.state is not SourceState.CONNECTED
        ]
        found += [f"edge '{edge}': model '{name}': {model.problem}" for name, model in status.models.items() if model.problem]
        said = [status.plant_problem, *status.outputs.values()]
        said += [part.problem for part in (status.journal, status.recording) if part is not None]
        found += [f"edge '{edge}': {problem}" for problem in said if problem]
    return found
