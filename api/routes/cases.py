"""Cases: what belongs to one trouble of one machine, and what to do about it."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from api.answers import CASE, Time, json_answer, raw_list, ready
from api.pages import MOST_ITEMS, Cursor, Limit, between, cursor_of, cut, next_address, place_of
from api.problems import Problem, ProblemType, answers
from api.services import Use
from api.shapes.alarms import CaseHistoryAnswer
from api.shapes.answer import Items, example
from edge.contracts.case import Case

router = APIRouter(prefix="/cases", tags=["cases"])

NO_CASE: Final = "there is no case '0198f0c3-0000'; GET /api/v1/cases?state=all lists them"


@router.get(
    "",
    responses={
        **example(Items[Case], {"items": [CASE], "next": None}),
        **answers(invalid_request="query.state: Input should be 'open' or 'all'"),
    },
    summary="Cases with their advice, the one that changed last first",
)
def list_cases(
    services: Use,
    request: Request,
    state: Annotated[Literal["open", "all"], Query(description="open: those whose trouble is not over")] = "open",
    asset: Annotated[str | None, Query(examples=["pump-101"])] = None,
    first: Annotated[Time | None, Query(alias="from", description="when it changed last")] = None,
    last: Annotated[Time | None, Query(alias="to")] = None,
    limit: Limit = MOST_ITEMS,
    cursor: Cursor = None,
) -> Response:
    rows = services.store.cases(
        only_open=state == "open",
        asset=asset,
        between=between(first, last),
        before=place_of(cursor),
        at_most=limit + 1,
    )
    page, ended = cut(rows, limit)
    following = next_address(request, cursor_of(ended.place) if ended is not None else None)
    return raw_list((row.message for row in page), following)


@router.get(
    "/{case_id}",
    responses={**example(CaseHistoryAnswer, {"case": CASE, "history": [CASE]}), **answers(not_found=NO_CASE)},
    summary="One case with every change it went through",
)
def get_case(services: Use, case_id: Annotated[str, Path(examples=[CASE["case_id"]])]) -> Response:
    row = services.store.case(case_id)
    if row is None:
        raise Problem(ProblemType.NOT_FOUND, f"there is no case '{case_id}'; GET /api/v1/cases?state=all lists them")
    history = services.store.case_messages(case_id)
    return json_answer({"case": ready(row.message), "history": [ready(message) for message in history]})
