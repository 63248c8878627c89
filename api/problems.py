"""Errors as RFC 9457 problem details, for everything that can go wrong in a request."""

import logging
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Self

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

logger = logging.getLogger(__name__)

TOO_OFTEN: Final = "more than 12000 questions in a minute; try again in 1 s"
MEDIA_TYPE: Final = "application/problem+json"
JSON: Final = "application/json"
_NOT_PARSED: Final = "There was an error parsing the body"  # FastAPI's, which answers 400


class ProblemType(StrEnum):
    """What went wrong, for programs to tell apart: a relative URI, the HTTP status that goes with it, and a title."""

    status: int
    meaning: str

    def __new__(cls, uri: str, status: int, title: str) -> Self:
        member = str.__new__(cls, uri)
        member._value_, member.status, member.meaning = uri, status, title
        return member

    INVALID_REQUEST = "/problems/invalid-request", 422, "Something in the request is wrong; `errors` may name it field by field"
    TOO_MUCH = "/problems/too-much", 422, "There is more of this than one answer may have: ask for a shorter time"
    EMPTY_FILE = "/problems/empty-file", 422, "The file has nothing in it"
    SIGN_IN = "/problems/sign-in", 401, "Nobody is signed in; `role` is needed"
    SESSION_ENDED = "/problems/session-ended", 401, "The session has ended, or its token was revoked"
    WRONG_TOKEN = "/problems/wrong-token", 401, "Nobody has this token, or it was revoked"
    ROLE_TOO_LOW = "/problems/role-too-low", 403, "Who is signed in may not do this; `role` is needed"
    CSRF = "/problems/csrf", 403, "A change by a session lacks the header that goes with it"
    NOT_FOUND = "/problems/not-found", 404, "What is asked for is not there, or no more"
    NO_EVIDENCE = "/problems/no-evidence", 404, "The edge `edge` keeps no evidence of this alarm"
    METHOD = "/problems/method", 405, "What is there does not take this method"
    SEVERAL_EDGES = "/problems/several-edges", 409, "Several edges have this model: one has to be named"
    EDGE_REFUSED = "/problems/edge-refused", 409, "The edge `edge` refused the command; `detail` has its own words"
    SIMULATOR_REFUSED = "/problems/simulator-refused", 409, "The simulator refused the command; `detail` has its own words"
    NAME_TAKEN = "/problems/name-taken", 409, "There is a token of this name already"
    LAST_ADMIN = "/problems/last-admin", 409, "This is the last token of an admin"
    FROM_ENVIRONMENT = "/problems/from-environment", 409, "This token comes from the environment of the api"
    FULL = "/problems/full", 409, "As many are kept as may be: some have to go first"
    TOO_LARGE = "/problems/too-large", 413, "The file is larger than may be"
    CONTENT_TYPE = "/problems/content-type", 415, "The body is not of the media type that is taken here"
    TOO_OFTEN = "/problems/too-often", 429, "Too many requests; `Retry-After` says for how long to wait"
    TOO_MANY_GUESSES = "/problems/too-many-guesses", 429, "Too many wrong tokens; `Retry-After` says for how long to wait"
    INTERNAL = "/problems/internal", 500, "An error in kullager itself"
    DAMAGED = "/problems/damaged", 502, "The edge `edge` sent the file wrongly"
    BROKER_AWAY = "/problems/broker-away", 503, "The broker is not connected"
    EDGE_AWAY = "/problems/edge-away", 503, "The edge `edge` is not connected to the broker; nothing was sent"
    SIMULATOR_AWAY = "/problems/simulator-away", 503, "No simulator has told its machines yet"
    DATABASE = "/problems/database", 503, "The database does not answer"
    BUSY = "/problems/busy", 503, "As much of this is going on as may be at a time"
    SUMMARISING = "/problems/summarising", 503, "The history is being summarised first"
    EDGE_SILENT = "/problems/edge-silent", 504, "The edge `edge` did not answer in time; the command may still take effect"
    SIMULATOR_SILENT = "/problems/simulator-silent", 504, "The simulator did not answer in time; it may still take effect"
    NO_CHANGE_YET = "/problems/no-change-yet", 504, "The edge `edge` took the command, but tells of no change yet"
    NO_ROOM = "/problems/no-room", 507, "The file cannot be kept: the api's disk takes nothing"


# what others than the routes raise
_OF_STATUS: Final = {404: ProblemType.NOT_FOUND, 405: ProblemType.METHOD}


class FieldProblem(BaseModel):
    """One field of a request that is wrong, and how."""

    field: str = Field(examples=["query.points"])
    detail: str = Field(examples=["Input should be greater than or equal to 10"])


class ProblemDetails(BaseModel):
    """RFC 9457. `type` tells programs what went wrong, `detail` people; `errors` names each field that is wrong."""

    type: ProblemType = Field(description="\n".join(f"- `{each}` ({each.status}): {each.meaning}." for each in ProblemType))
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None
    role: str | None = Field(default=None, description="the role that is needed", examples=["operator"])
    edge: str | None = Field(default=None, description="the edge that it is about", examples=["edge-1"])


class Problem(HTTPException):
    """What a route raises when it cannot do what was asked."""

    def __init__(
        self,
        type: ProblemType,  # noqa: A002  # its name there
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        role: str | None = None,
        edge: str | None = None,
    ) -> None:
        super().__init__(type.status, detail, dict(headers) if headers else None)
        self.type = type
        self.members = {name: value for name, value in (("role", role), ("edge", edge)) if value is not None}


def answers(**examples: str) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its documentation, one a status: `answers(not_found="there is no asset 'pump-9'")`."""
    return {
        (type_ := ProblemType[key.upper()]).status: {
            "description": HTTPStatus(type_.status).phrase,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                    "example": _body(type_, detail, "/api/v1/…"),
                }
            },
        }
        for key, detail in examples.items()
    }


def document(schema: dict[str, Any]) -> None:
    """Put the problem details into an OpenAPI schema, also where FastAPI has described its own validation error."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components |= problem.pop("$defs")
    components["ProblemDetails"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    for item in schema["paths"].values():
        for operation in item.values():
            if "400" not in operation["responses"]:
                operation["responses"].setdefault("429", answers(too_often=TOO_OFTEN)[429])
            if "400" in operation["responses"]:
                # it says itself what a wrong request is answered with
                operation["responses"].pop("422", None)
            if JSON in operation["responses"].get("422", {}).get("content", {}):
                operation["responses"] |= {
                    str(k): v for k, v in answers(invalid_request="what is wrong, field by field").items()
                }


def install(app: FastAPI) -> None:
    """Let every error of this app leave as problem details."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        detail = error.detail
        if detail == HTTPStatus(error.status_code).phrase:
            detail = _SAID_BETTER.get(error.status_code, detail).format(method=request.method, path=request.url.path)
        if detail == _NOT_PARSED:
            # what is no text at all is as wrong as what is no JSON
            return problem_answer(request, ProblemType.INVALID_REQUEST, "body: should be JSON in UTF-8")
        if isinstance(error, Problem):
            return problem_answer(request, error.type, detail, error.headers, error.members)
        usual = ProblemType.INVALID_REQUEST if error.status_code < 500 else ProblemType.INTERNAL
        found = _OF_STATUS.get(error.status_code, usual)
        return problem_answer(request, found, detail, error.headers, {"status": error.status_code})

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        fields = [
            {"field": ".".join(str(part) for part in fault["loc"]), "detail": fault["msg"].removeprefix("Value error, ")}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{entry['field']}: {entry['detail']}" for entry in fields)
        return problem_answer(request, ProblemType.INVALID_REQUEST, detail, members={"errors": fields})

    @app.exception_handler(SQLAlchemyError)
    async def _database(request: Request, error: SQLAlchemyError) -> Response:
        logger.error("%s %s: the database failed: %s", request.method, request.url.path, error)
        return problem_answer(request, ProblemType.DATABASE, "the database does not answer; try again later")

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, _error: Exception) -> Response:
        return problem_answer(request, ProblemType.INTERNAL, "an error in kullager itself; its log has the details")


_SAID_BETTER: Final = {
    404: "there is nothing at {path}; GET /api/v1/openapi.json lists every route",
    405: "{path} does not take {method}; the Allow header says what it takes",
}


def problem_answer(
    request: Request,
    type_: ProblemType,
    detail: str,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """An error answer of its own, for what is no route; `members` are those that not every problem has."""
    body = _body(type_, detail, request.url.path) | dict(members or {})
    return Response(orjson.dumps(body), body["status"], dict(headers) if headers else None, MEDIA_TYPE)


def _body(type_: ProblemType, detail: str, instance: str) -> dict[str, Any]:
    return {"type": type_, "title": type_.meaning, "status": type_.status, "detail": detail, "instance": instance}
