"""The audit log: who has changed what."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from api.answers import json_answer
from api.audit_log import AuditEntry
from api.pages import Cursor, Limit, cursor_of, cut, next_address, place_of
from api.problems import answers
from api.services import Operator, Use
from api.shapes.access import AuditEntryAnswer
from api.shapes.answer import Items, example
from edge.formats.json_message import format_time

router = APIRouter(prefix="/audit", tags=["audit"])

EXAMPLE: Final = {
    "id": 4711,
    "time": "2026-11-23T10:05:00Z",
    "by": "anna",
    "role": "operator",
    "action": "alarms.acknowledge",
    "subject": "0198f0c3-1b2c-7d10-8a4e-5f3b7a9c2d01",
    "details": {"comment": "on my way"},
    "outcome": "done",
    "status": 200,
    "problem": None,
}


@router.get(
    "",
    responses={
        **example(Items[AuditEntryAnswer], {"items": [EXAMPLE], "next": "?limit=100&cursor=1795428300000000000.4711"}),
        **answers(
            sign_in="this needs the operator role: send the header 'Authorization: Bearer TOKEN', or sign in",
            role_too_low="this needs the operator role; 'display' has the role visitor",
            invalid_request="query.limit: Input should be less than or equal to 1000",
        ),
    },
    summary="Every change that was asked for, the newest first",
    description=(
        "`outcome` is `done`, `refused` (what was asked for was wrong or not allowed) or `failed` (it could not be done now). "
        "The newest 100,000 are kept, and 10,000 of visitors."
    ),
)
def list_audit(
    services: Use,
    request: Request,
    _by: Operator,
    by: Annotated[str | None, Query(description="only what this name asked for", examples=["anna"])] = None,
    subject: Annotated[
        str | None, Query(description="only what concerns this alarm, machine, model …", examples=["pump-101"])
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    at = place_of(cursor)
    found = services.audit.entries(before=at[1] if at is not None else None, by=by, subject=subject, at_most=limit + 1)
    page, last = cut(found, limit)
    following = next_address(request, cursor_of((last.time, last.audit_id, "")) if last is not None else None)
    return json_answer({"items": [_told(entry) for entry in page], "next": following})


def _told(entry: AuditEntry) -> dict[str, Any]:
    told = asdict(entry)
    outcome = "done" if entry.status < 400 else "refused" if entry.status < 500 else "failed"
    return {"id": told.pop("audit_id"), **told, "time": format_time(entry.time), "outcome": outcome}
