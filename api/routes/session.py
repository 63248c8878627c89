"""Signing in and out with a browser: a cookie that no script can read stands for a token."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import COOKIE, CSRF_HEADER, note
from api.answers import json_answer
from api.credentials import digest
from api.problems import answers
from api.roles import Role
from api.security import json_only
from api.services import Use
from api.sessions import LONGEST_NS, csrf_of
from api.shapes.access import SessionAnswer
from api.shapes.answer import example

router = APIRouter(prefix="/session", tags=["session"])

CSRF: Final = "3f0c9d7d4a5e9a8f5a0f7e7b1c0d2e4f6a8b0c2d4e6f8a0b1c3d5e7f9a1b3c5d"
EXAMPLE: Final = {"name": "anna", "role": "operator", "csrf": CSRF}
NOBODY: Final = {"name": None, "role": Role.VISITOR.value, "csrf": None}
WRONG: Final = "nobody has this token, or it was revoked: send the header 'Authorization: Bearer TOKEN', or sign in"
TOO_MANY: Final = "too many wrong tokens came from 192.0.2.7; try again in 3 s"


class SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"token": "a token of 16 characters or more"}]})
    token: Annotated[str, Field(min_length=1, max_length=500)]


@router.post(
    "",
    responses={
        **example(SessionAnswer, EXAMPLE, "Signed in; `csrf` is what every change sends along"),
        **answers(
            sign_in=WRONG,
            content_type="send the body as JSON, with the header 'Content-Type: application/json'",
            invalid_request="body.token: Field required",
            too_many_guesses=TOO_MANY,
        ),
    },
    dependencies=[Depends(json_only)],
    summary="Sign in with a token",
    description=(
        f"Sets the cookie `{COOKIE}`, which a browser sends by itself and no script can read; it ends after 12 hours "
        f"without use. Changes made with it need the header `{CSRF_HEADER}` with the `csrf` of the answer."
    ),
)
def sign_in(services: Use, request: Request, body: SignIn) -> Response:
    identity = note(request, services.access.check_token(request, body.token.strip()))
    session = services.access.sessions.open(digest(body.token.strip()))
    answer = json_answer({"name": identity.name, "role": identity.role.value, "csrf": csrf_of(session)})
    answer.headers["Cache-Control"] = "no-store"
    answer.set_cookie(COOKIE, session, max_age=LONGEST_NS // 10**9, **_cookie(request))
    return answer


@router.get(
    "",
    responses=example(SessionAnswer, EXAMPLE),
    summary="Who is signed in: `role` is `visitor`, and the rest null, where nobody is",
)
def get_session(services: Use, request: Request) -> Response:
    session = request.cookies.get(COOKIE)
    identity = services.access.of_session(session) if session else None
    if session is None or identity is None:
        answer = json_answer(NOBODY)
        if session is not None:
            answer.delete_cookie(COOKIE, **_cookie(request))
    else:
        answer = json_answer({"name": identity.name, "role": identity.role.value, "csrf": csrf_of(session)})
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.delete("", status_code=204, response_class=Response, summary="Sign out")
def sign_out(services: Use, request: Request) -> Response:
    if session := request.cookies.get(COOKIE):
        if (identity := services.access.of_session(session)) is not None:
            note(request, identity)
        services.access.sessions.close(session)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, **_cookie(request))
    return answer


def _cookie(request: Request) -> dict[str, Any]:
    return {"httponly": True, "samesite": "strict", "secure": request.url.scheme == "https", "path": "/"}
