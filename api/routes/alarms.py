"""Alarms. The edge owns them: what an operator does goes there as a command, and the answer is what it then publishes."""

import time
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.alarm_performance import alarm_performance
from api.answers import ALARM, JSON, Time, json_answer, raw_list, ready
from api.cursor import LARGEST
from api.export import AskedFormat, Format, contents, head_answer, table_answer, wanted
from api.pages import MOST_ITEMS, Cursor, Limit, between, cursor_of, cut, next_address, place_of
from api.problems import Problem, ProblemType, answers
from api.routes.assets import TOO_MANY_FILES
from api.security import json_only
from api.services import Operator, Services, Use
from api.shapes.alarms import AlarmHistoryAnswer, AlarmPerformanceAnswer
from api.shapes.answer import Items, example
from api.subjects import AlarmRow
from api.tables import alarm_columns
from edge.contracts.alarm import Alarm
from edge.contracts.command import AlarmVerb
from edge.formats.json_message import decode, format_time, parse_time

router = APIRouter(prefix="/alarms", tags=["alarms"])

MOST_ROWS: Final = 100_000
CSV_EXAMPLE: Final = "alarm_id,asset,rule,…\r\n0198f0c3-1b2c-7d10-8a4e-5f3b7a9c2d01,pump-101,anomaly,…\r\n"
ZIP: Final = "application/zip"
WEEK_NS: Final = 7 * 86_400 * 1_000_000_000
# what stood before the time that is asked for is looked for so far back, and no more changes are counted
BEFORE_NS: Final = 2 * WEEK_NS
MOST_CHANGES: Final = 200_000
MOST_NS: Final = 400 * 86_400 * 1_000_000_000
PERFORMANCE_EXAMPLE: Final = {
    "from": "2026-11-16T10:00:00Z",
    "to": "2026-11-23T10:00:00Z",
    "periods": 1008,
    "alarms": 9,
    "per_period": [1000, 7, 1, *[0] * 18],
    "mean": 0.009,
    "most": 2,
    "acceptable": 0.999,
    "manageable": 1.0,
    "over_10": 0.0,
    "floods": 0,
    "flood_share": 0.0,
    "chattering": [],
    "fleeting": 0,
    "stale": 0,
    "standing": 1,
    "suppressed": 0,
    "frequent": [{"asset": "pump-101", "rule": "anomaly", "count": 4}],
    "by_priority": {"low": 0.44, "medium": 0.33, "high": 0.22, "critical": 0.0},
}
ALARM_ID = Annotated[str, Path(examples=["0198f0c3-1b2c-7d10-8a4e-5f3b7a9c2d01"])]
Comment = Annotated[str, Field(min_length=1, max_length=1000, examples=["Bearing ordered, watch until Friday"])]
NO_ALARM: Final = "there is no alarm '0198f0c3-0000'; GET /api/v1/alarms?state=all lists them"
CHANGE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **example(
        Alarm,
        {**ALARM, "state": "active-acknowledged", "by": "operator"},
        "The alarm as its edge has published it after the command",
    ),
    **answers(
        sign_in="this needs the operator role: send the header 'Authorization: Bearer TOKEN', or sign in",
        role_too_low="this needs the operator role; 'display' has the role visitor",
        not_found=NO_ALARM,
        edge_refused="an alarm that is normal cannot take 'acknowledge'; possible now: activate",
        content_type="send the body as JSON, with the header 'Content-Type: application/json'",
        invalid_request="body.comment: String should have at most 1000 characters",
        broker_away="the broker mqtt://127.0.0.1:1883 is not connected; edge 'edge-1' cannot be reached now",
        edge_silent="edge 'edge-1' did not answer within 5 s; the command may still take effect",
    ),
}


class Remark(BaseModel):
    model_config = ConfigDict(extra="forbid")
    comment: Comment | None = None


class NewComment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    comment: Comment


class Shelving(BaseModel):
    """Either `duration_s` [s], at most 30 days, or `until`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"duration_s": 28800, "comment": "Bearing is changed tonight"}]}
    )
    comment: Comment | None = None
    duration_s: Annotated[float, Field(gt=0, le=30 * 86400)] | None = None
    until: Time | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Shelving":
        if (self.duration_s is None) == (self.until is None):
            raise ValueError("give either duration_s or until")
        return self


@router.get(
    "",
    responses={
        200: {"content": contents(Items[Alarm], {"items": [ALARM], "next": None}, CSV_EXAMPLE)},
        **answers(invalid_request="query.state: Input should be 'open' or 'all'", busy=TOO_MANY_FILES),
    },
    summary="Alarms, the one that changed last first",
    description="`from` and `to` are of when they changed last. CSV and Parquet have all of them at once, 100,000 at most.",
)
def list_alarms(
    services: Use,
    request: Request,
    state: Annotated[Literal["open", "all"], Query(description="open: everything that is not back to normal")] = "open",
    asset: Annotated[str | None, Query(examples=["pump-101"])] = None,
    first: Annotated[Time | None, Query(alias="from")] = None,
    last: Annotated[Time | None, Query(alias="to")] = None,
    limit: Limit = MOST_ITEMS,
    cursor: Cursor = None,
    asked: AskedFormat = None,
) -> Response:
    form = wanted(request, asked)
    rows = services.store.alarms(
        only_open=state == "open",
        asset=asset,
        between=between(first, last),
        before=place_of(cursor),
        at_most=limit + 1 if form is Format.JSON else MOST_ROWS,
    )
    if form is not Format.JSON:
        return table_answer(form, "alarms", alarm_columns(), [(orjson.loads(row.message) for row in rows)])
    page, ended = cut(rows, limit)
    following = next_address(request, cursor_of(ended.place) if ended is not None else None)
    return raw_list((row.message for row in page), following)


@router.head("", include_in_schema=False)
def head_of_alarms(request: Request, asked: AskedFormat = None) -> Response:
    return head_answer(request, asked)


@router.get(
    "/performance",
    responses={
        **example(AlarmPerformanceAnswer, PERFORMANCE_EXAMPLE),
        **answers(invalid_request="query.from: should be a time"),
    },
    summary="How well the alarms serve those who watch them, after ISA-18.2: a distribution for each 10 minutes",
)
def get_performance(
    services: Use,
    first: Annotated[
        Time | None, Query(alias="from", description="default: a week before `to`; put back to whole periods of 10 minutes")
    ] = None,
    last: Annotated[Time | None, Query(alias="to", description="default: the newest result of any machine")] = None,
) -> Response:
    until = parse_time(last) if last is not None else _newest(services) + 1
    since = parse_time(first) if first is not None else until - WEEK_NS
    if since >= until:
        raise Problem(
            ProblemType.INVALID_REQUEST,
            f"query.from: {format_time(since)} should be a time before query.to, {format_time(until)}",
        )
    if until - since > MOST_NS:
        raise Problem(ProblemType.TOO_MUCH, f"query.from: {format_time(since)} should be at most 400 days before query.to")
    messages = services.store.alarm_changes(max(since - BEFORE_NS, -LARGEST), until, MOST_CHANGES + 1)
    if len(messages) > MOST_CHANGES:
        raise Problem(
            ProblemType.TOO_MUCH,
            f"query.from: alarms changed more than {MOST_CHANGES} times since then; ask for a shorter time",
        )
    told = alarm_performance((decode(Alarm, message, "the database") for message in messages), since, until)
    named = {"chattering": told.chattering, "frequent": told.frequent}
    body = asdict(told) | {name: [asdict(each) for each in counts] for name, counts in named.items()}
    return json_answer({"from": format_time(body.pop("first")), "to": format_time(body.pop("last")), **body})


@router.get(
    "/{alarm_id}/evidence",
    responses={
        200: {"description": "alarm, samples, waveforms and spectra as a zip", "content": {ZIP: {"example": "(binary)"}}},
        **answers(
            no_evidence="no evidence is kept of alarm 0198f0c3: it is too old, or was not written",
            damaged="edge 'edge-1' sent the file wrongly: its sha256 is not what the edge says",
            broker_away="the broker mqtt://127.0.0.1:1883 is not connected; edge 'edge-1' cannot be reached now",
            edge_silent="edge 'edge-1' did not answer within 5 s; the command may still take effect",
        ),
    },
    response_class=Response,
    summary="What was measured from before to after an alarm, as a file",
)
async def get_evidence(services: Use, alarm_id: ALARM_ID) -> Response:
    content = await services.commands.fetch_evidence(_known(services, alarm_id))
    name = f'attachment; filename="evidence-{alarm_id}.zip"'
    return Response(content, media_type=ZIP, headers={"Content-Disposition": name})


@router.get(
    "/{alarm_id}",
    responses={**example(AlarmHistoryAnswer, {"alarm": ALARM, "history": [ALARM]}), **answers(not_found=NO_ALARM)},
    summary="One alarm with every change it went through",
)
def get_alarm(services: Use, alarm_id: ALARM_ID) -> Response:
    row = _known(services, alarm_id)
    return json_answer({"alarm": ready(row.message), "history": [ready(m) for m in services.store.alarm_messages(alarm_id)]})


@router.post(
    "/{alarm_id}/acknowledge", responses=CHANGE_ANSWERS, dependencies=[Depends(json_only)], summary="Someone has seen it"
)
async def acknowledge(services: Use, by: Operator, alarm_id: ALARM_ID, body: Remark) -> Response:
    return await _change(services, alarm_id, AlarmVerb.ACKNOWLEDGE, by, body.comment)


@router.post(
    "/{alarm_id}/shelve", responses=CHANGE_ANSWERS, dependencies=[Depends(json_only)], summary="Silence it for a while"
)
async def shelve(services: Use, by: Operator, alarm_id: ALARM_ID, body: Shelving) -> Response:
    return await _change(services, alarm_id, AlarmVerb.SHELVE, by, body.comment, body.duration_s, body.until)


@router.post(
    "/{alarm_id}/unshelve", responses=CHANGE_ANSWERS, dependencies=[Depends(json_only)], summary="End its shelving now"
)
async def unshelve(services: Use, by: Operator, alarm_id: ALARM_ID, body: Remark) -> Response:
    return await _change(services, alarm_id, AlarmVerb.UNSHELVE, by, body.comment)


@router.post(
    "/{alarm_id}/out-of-service",
    responses=CHANGE_ANSWERS,
    dependencies=[Depends(json_only)],
    summary="Take it out of service, as for maintenance",
)
async def take_out_of_service(services: Use, by: Operator, alarm_id: ALARM_ID, body: Remark) -> Response:
    return await _change(services, alarm_id, AlarmVerb.OUT_OF_SERVICE, by, body.comment)


@router.post(
    "/{alarm_id}/return-to-service",
    responses=CHANGE_ANSWERS,
    dependencies=[Depends(json_only)],
    summary="Put it back: it is active at once where its condition holds",
)
async def return_to_service(services: Use, by: Operator, alarm_id: ALARM_ID, body: Remark) -> Response:
    return await _change(services, alarm_id, AlarmVerb.RETURN_TO_SERVICE, by, body.comment)


@router.post(
    "/{alarm_id}/comment", responses=CHANGE_ANSWERS, dependencies=[Depends(json_only)], summary="Write something to it"
)
async def comment(services: Use, by: Operator, alarm_id: ALARM_ID, body: NewComment) -> Response:
    return await _change(services, alarm_id, AlarmVerb.COMMENT, by, body.comment)


async def _change(
    services: Services,
    alarm_id: str,
    verb: AlarmVerb,
    by: str,
    remark: str | None,
    duration_s: float | None = None,
    until: str | None = None,
) -> Response:
    changed = await services.commands.change_alarm(
        _known(services, alarm_id),
        verb,
        by=by,
        comment=remark,
        shelve_for_ns=round(duration_s * 1e9) if duration_s is not None else None,
        until=parse_time(until) if until is not None else None,
    )
    return Response(changed.message, media_type=JSON)


def _newest(services: Services) -> int:
    """The time of the newest assessment or change of an alarm [ns since 1970 UTC]; now, where there is none."""
    changed = [row.changed for row in services.store.alarms(only_open=False, asset=None, at_most=1)]
    assessed = (services.store.latest_time(asset) for asset in services.plant.assets)
    return max([*changed, *(each for each in assessed if each is not None)], default=time.time_ns())


def _known(services: Services, alarm_id: str) -> AlarmRow:
    row = services.store.alarm(alarm_id)
    if row is None:
        raise Problem(ProblemType.NOT_FOUND, f"there is no alarm '{alarm_id}'; GET /api/v1/alarms?state=all lists them")
    return row
