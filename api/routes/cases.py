"""Cases: what belongs to one trouble of one machine, and what to do about it."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response

from api.answers import CASE, JSON, Items, example, json_answer, raw_list, ready
from api.problems import Problem, answers
from api.services import Use

router = APIRouter(prefix="/cases", tags=["cases"])

AT_MOST: Final = 1000
NO_CASE: Final = "there is no case '0198f0c3-0000'; GET /api/v1/cases?state=all lists them"


@router.get(
    "",
    response_model=Items,
    responses={**example({"items": [CASE], "next": None}), **answers(_422="query.state: Input should be 'open' or 'all'")},
    summary="Cases with their advice, the one that changed last first",
)
def list_cases(
    services: Use,
    state: Annotated[Literal["open", "all"], Query(description="open: those whose trouble is not over")] = "open",
    asset: Annotated[str | None, Query(examples=["pump-101"])] = None,
) -> Response:
    rows = services.store.cases(only_open=state == "open", asset=asset, at_most=AT_MOST)
    return raw_list(row.message for row in rows)


@router.get(
    "/{case_id}",
    responses={200: {"content": {JSON: {"example": {"case": CASE, "history": [CASE]}}}}, **answers(_404=NO_CASE)},
    summary="One case with every change it went through",
)
def get_case(services: Use, case_id: Annotated[str, Path(examples=[CASE["case_id"]])]) -> Response:
    row = services.store.case(case_id)
    if row is None:
        raise Problem(404, f"there is no case '{case_id}'; GET /api/v1/cases?state=all lists them")
    history = services.store.case_messages(case_id)
    return json_answer({"case": ready(row.message), "history": [ready(message) for message in history]})
