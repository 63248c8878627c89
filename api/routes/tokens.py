"""Tokens: an admin makes and revokes them."""

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import json_answer, json_list
from api.problems import Problem, ProblemType, answers
from api.roles import Role
from api.security import json_only
from api.services import Admin, Use
from api.shapes.access import NewTokenAnswer, TokenAnswer
from api.shapes.answer import Items, example
from api.tokens import NAME_PATTERN, Token, TokenRefused
from edge.formats.json_message import format_time

router = APIRouter(prefix="/tokens", tags=["tokens"])

EXAMPLE: Final = {
    "id": "0198f0c3-1b2c-7d10-8a4e-5f3b7a9c2d01",
    "name": "anna",
    "role": "operator",
    "kind": "made",
    "made": "2026-11-23T10:00:00Z",
    "made_by": "admin",
    "used": None,
}
NEEDED: Final = answers(
    sign_in="this needs the admin role: send the header 'Authorization: Bearer TOKEN', or sign in",
    role_too_low="this needs the admin role; 'anna' has the role operator",
)


class NewToken(BaseModel):
    """`name` is the name under which its changes are told."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "anna", "role": "operator"}]})
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    role: Literal["operator", "engineer", "admin"]


@router.get(
    "",
    responses={**example(Items[TokenAnswer], {"items": [EXAMPLE], "next": None}), **NEEDED},
    summary="All tokens, without themselves",
)
def list_tokens(services: Use, _by: Admin) -> Response:
    return json_list(_told(token) for token in services.access.tokens.all())


@router.post(
    "",
    status_code=201,
    responses={
        **example(NewTokenAnswer, {**EXAMPLE, "token": "3q2-7w…"}, "`token` is told this once", status=201),
        **NEEDED,
        **answers(
            name_taken="there is a token named 'anna' already; names are those under which changes are told",
            content_type="send the body as JSON, with the header 'Content-Type: application/json'",
            invalid_request="body.role: Input should be 'operator', 'engineer' or 'admin'",
        ),
    },
    dependencies=[Depends(json_only)],
    summary="Make a token",
)
def make_token(services: Use, by: Admin, body: NewToken) -> Response:
    try:
        token, secret = services.access.tokens.make(body.name, Role(body.role), by=by)
    except TokenRefused as refused:
        raise Problem(refused.type, str(refused)) from None
    answer = json_answer({**_told(token), "token": secret}, 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.delete(
    "/{token_id}",
    status_code=204,
    response_class=Response,
    responses={
        **NEEDED,
        **answers(
            not_found="there is no token '0198f0c3'; GET /api/v1/tokens lists them",
            last_admin="'admin' is the last token of an admin; make another one first",
        ),
    },
    summary="Revoke a token: it and the sessions opened with it end at once",
)
def revoke_token(services: Use, _by: Admin, token_id: Annotated[str, Path(examples=[EXAMPLE["id"]])]) -> Response:
    try:
        services.access.tokens.revoke(token_id)
    except KeyError:
        raise Problem(ProblemType.NOT_FOUND, f"there is no token '{token_id}'; GET /api/v1/tokens lists them") from None
    except TokenRefused as refused:
        raise Problem(refused.type, str(refused)) from None
    return Response(status_code=204)


def _told(token: Token) -> dict[str, Any]:
    told = asdict(token)
    return {
        "id": told.pop("token_id"),
        **told,
        "made": format_time(token.made) if token.made is not None else None,
        "used": format_time(token.used) if token.used is not None else None,
    }
