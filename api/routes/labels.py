"""Labels: what was the case when. An acknowledged alarm asks for a verdict; an engineer names any time of a machine."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.answers import Time, json_answer
from api.cursor import LARGEST
from api.export import AskedFormat, Format, contents, head_answer, table_answer, wanted
from api.labels import MOST_LABELS, Condition, Label, LabelRefused, NewLabel, Verdict
from api.pages import Cursor, Limit, between, cursor_of, cut, next_address, place_of
from api.problems import Problem, ProblemType, answers
from api.roles import Identity, Role
from api.routes.assets import TOO_MANY_FILES, known_asset
from api.security import json_only
from api.services import Engineer, OperatorOrBetter, Services, Use
from api.shapes.alarms import LabelAnswer
from api.shapes.answer import Items, example
from api.tables import label_columns
from edge.contracts.alarm import Alarm
from edge.formats.json_message import decode, format_time, parse_time

router = APIRouter(prefix="/labels", tags=["labels"])

CONDITION_OF: Final = {"right": "fault", "false": "healthy", "unclear": "unknown"}
CSV_EXAMPLE: Final = (
    "asset,from,to,state,mode,comment\r\n"
    'pump-101,2026-11-23T10:00:10Z,2026-11-23T15:20:00Z,fault,bearing-outer-race,"outer race, changed"\r\n'
)
ALARM_ID: Final = "0198f0c3-1b2c-7d10-8a4e-5f3b7a9c2d01"
EXAMPLE: Final = {
    "id": 17,
    "asset": "pump-101",
    "from": "2026-11-23T10:00:10Z",
    "to": "2026-11-23T15:20:00Z",
    "label": "fault",
    "fault": "bearing-outer-race",
    "alarm_id": ALARM_ID,
    "verdict": "right",
    "comment": "outer race, changed",
    "made": "2026-11-24T07:00:00Z",
    "by": "anna",
}


class LabelBody(BaseModel):
    """`label` is what `models train --labels` calls `state`; `fault` the failure mode.

    With `alarm_id` and `verdict` the rest may be left out: machine and time are the alarm's, and `right` means `fault`,
    `false` `healthy`, `unclear` `unknown`.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"asset": "pump-101", "from": "2026-11-23T10:00:10Z", "to": "2026-11-23T15:20:00Z", "label": "healthy"},
                {"alarm_id": ALARM_ID, "verdict": "right", "fault": "bearing-outer-race"},
            ]
        },
    )
    asset: str | None = None
    first: Annotated[Time | None, Field(alias="from")] = None
    last: Annotated[Time | None, Field(alias="to", description="null: it still holds")] = None
    label: Condition | None = None
    fault: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    alarm_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    verdict: Verdict | None = None
    comment: Annotated[str, Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> "LabelBody":
        if self.verdict is not None and self.alarm_id is None:
            raise ValueError("a verdict is on an alarm: give its alarm_id")
        if self.alarm_id is None and (self.asset is None or self.first is None):
            raise ValueError("give asset and from, or the alarm_id of an alarm")
        if self.verdict is None and self.label is None:
            raise ValueError("give label, or a verdict on an alarm")
        return self


@router.post(
    "",
    status_code=201,
    responses={
        **example(LabelAnswer, EXAMPLE, "The label as it is kept", status=201),
        **answers(
            sign_in="this needs the operator role: send the header 'Authorization: Bearer TOKEN', or sign in",
            role_too_low="a label without a verdict on an alarm needs the engineer role; 'anna' has the role operator",
            not_found="there is no alarm '0198f0c3-0000'; GET /api/v1/alarms?state=all lists them",
            full="there are 100000 labels, which is the most that are kept; delete some first",
            content_type="send the body as JSON, with the header 'Content-Type: application/json'",
            invalid_request="body: give asset and from, or the alarm_id of an alarm",
        ),
    },
    dependencies=[Depends(json_only)],
    summary="Say what was the case when, or whether an alarm was right",
    description=(
        "Needs an engineer; a verdict on an alarm an operator. A new verdict on an alarm takes the place of the one before."
    ),
)
def add_label(services: Use, identity: OperatorOrBetter, body: LabelBody) -> Response:
    if body.verdict is None and not identity.role.may(Role.ENGINEER):
        raise _too_low(identity)
    new = _label(services, body)
    if new.last is not None and new.last < new.first:
        text = f"body.from: {format_time(new.first)} should be a time before body.to, {format_time(new.last)}"
        raise Problem(ProblemType.INVALID_REQUEST, text)
    try:
        return json_answer(_told(services.labels.add(new, by=identity.name)), 201)
    except LabelRefused as refused:
        raise Problem(ProblemType.FULL, str(refused)) from None


@router.get(
    "",
    responses={
        200: {"content": contents(Items[LabelAnswer], {"items": [EXAMPLE], "next": None}, CSV_EXAMPLE)},
        **answers(invalid_request="query.from: should be a time", busy=TOO_MANY_FILES),
    },
    summary="Labels, the earliest first; those that overlap `from` to `to`",
    description="CSV and Parquet have the columns that `models train --labels` reads, and all labels at once.",
)
def list_labels(
    services: Use,
    request: Request,
    asset: Annotated[str | None, Query(examples=["pump-101"])] = None,
    alarm_id: Annotated[str | None, Query(examples=[ALARM_ID])] = None,
    first: Annotated[Time | None, Query(alias="from")] = None,
    last: Annotated[Time | None, Query(alias="to")] = None,
    limit: Limit = 1000,
    cursor: Cursor = None,
    asked: AskedFormat = None,
) -> Response:
    form = wanted(request, asked)
    span, after = between(first, last) or (None, None), place_of(cursor)
    found = services.labels.find(
        asset=asset,
        alarm_id=alarm_id,
        first=span[0],
        last=span[1],
        after=after[:2] if after is not None else None,
        at_most=limit + 1 if form is Format.JSON else MOST_LABELS,
    )
    if form is not Format.JSON:
        return table_answer(form, "labels", label_columns(), [map(_told, found)])
    page, ended = cut(found, limit)
    following = next_address(request, cursor_of((*ended.place, "")) if ended is not None else None)
    return json_answer({"items": [_told(label) for label in page], "next": following})


@router.head("", include_in_schema=False)
def head_of_labels(request: Request, asked: AskedFormat = None) -> Response:
    return head_answer(request, asked)


@router.delete(
    "/{label_id}",
    status_code=204,
    response_class=Response,
    responses=answers(
        sign_in="this needs the engineer role: send the header 'Authorization: Bearer TOKEN', or sign in",
        role_too_low="this needs the engineer role; 'anna' has the role operator",
        not_found="there is no label 17; GET /api/v1/labels lists them",
        invalid_request="path.label_id: Input should be a valid integer",
    ),
    summary="Take a label back",
)
def delete_label(services: Use, _by: Engineer, label_id: Annotated[int, Path(ge=1, le=LARGEST, examples=[17])]) -> Response:
    if not services.labels.delete(label_id):
        raise Problem(ProblemType.NOT_FOUND, f"there is no label {label_id}; GET /api/v1/labels lists them")
    return Response(status_code=204)


def _too_low(identity: Identity) -> Problem:
    text = f"a label without a verdict on an alarm needs the engineer role; '{identity.name}' has the role {identity.role}"
    return Problem(ProblemType.ROLE_TOO_LOW, text, role=Role.ENGINEER.value)


def _label(services: Services, body: LabelBody) -> NewLabel:
    alarm = None
    if body.alarm_id is not None:
        row = services.store.alarm(body.alarm_id)
        if row is None:
            raise Problem(
                ProblemType.NOT_FOUND, f"there is no alarm '{body.alarm_id}'; GET /api/v1/alarms?state=all lists them"
            )
        alarm = decode(Alarm, row.message, "the database")
        if body.asset not in (None, alarm.asset):
            raise Problem(
                ProblemType.INVALID_REQUEST, f"body.asset: alarm '{body.alarm_id}' is of '{alarm.asset}', not of '{body.asset}'"
            )
    asset = alarm.asset if alarm is not None else body.asset or ""
    known_asset(services, asset)
    first = alarm.raised if alarm is not None else 0
    last = alarm.changed if alarm is not None and "last" not in body.model_fields_set else None
    return NewLabel(
        asset=asset,
        first=parse_time(body.first) if body.first is not None else first,
        last=parse_time(body.last) if body.last is not None else last,
        label=body.label or CONDITION_OF[body.verdict or "unclear"],
        fault=body.fault,
        alarm_id=body.alarm_id,
        verdict=body.verdict,
        comment=body.comment,
    )


def _told(label: Label) -> dict[str, Any]:
    return {
        "id": label.label_id,
        "asset": label.asset,
        "from": format_time(label.first),
        "to": format_time(label.last) if label.last is not None else None,
        "label": label.label,
        "fault": label.fault,
        "alarm_id": label.alarm_id,
        "verdict": label.verdict,
        "comment": label.comment,
        "made": format_time(label.made),
        "by": label.by,
    }
