"""Errors as RFC 9457 problem details, for everything that can go wrong in a request."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

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


class FieldProblem(BaseModel):
    """One field of a request that is wrong, and how."""

    field: str = Field(examples=["query.points"])
    detail: str = Field(examples=["Input should be greater than or equal to 10"])


class ProblemDetails(BaseModel):
    """RFC 9457. `detail` is a sentence for people; `errors` names each field of a request that is wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None
    role: str | None = Field(default=None, description="the role that is needed", examples=["operator"])


class Problem(HTTPException):
    """What a route raises when it cannot do what was asked."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, *, role: str | None = None) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.role = role


def answers(**examples: str) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for its documentation: `answers(_404="there is no asset 'pump-9'")`."""
    return {
        (status := int(key.removeprefix("_"))): {
            "description": HTTPStatus(status).phrase,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                    "example": _body(status, detail, "/api/v1/…"),
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
                operation["responses"].setdefault("429", answers(_429=TOO_OFTEN)[429])
            if "400" in operation["responses"]:
                # it says itself what a wrong request is answered with
                operation["responses"].pop("422", None)
            if JSON in operation["responses"].get("422", {}).get("content", {}):
                operation["responses"] |= {str(k): v for k, v in answers(_422="what is wrong, field by field").items()}


def install(app: FastAPI) -> None:
    """Let every error of this app leave as problem details."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        detail = error.detail
        if detail == HTTPStatus(error.status_code).phrase:
            detail = _SAID_BETTER.get(error.status_code, detail).format(method=request.method, path=request.url.path)
        if detail == _NOT_PARSED:
            # what is no text at all is as wrong as what is no JSON
            return problem_answer(request, 422, "body: should be JSON in UTF-8")
        role = error.role if isinstance(error, Problem) else None
        return problem_answer(request, error.status_code, detail, error.headers, role=role)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        fields = [
            {"field": ".".join(str(part) for part in fault["loc"]), "detail": fault["msg"].removeprefix("Value error, ")}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{entry['field']}: {entry['detail']}" for entry in fields)
        return problem_answer(request, 422, detail, errors=fields)

    @app.exception_handler(SQLAlchemyError)
    async def _database(request: Request, error: SQLAlchemyError) -> Response:
        logger.error("%s %s: the database failed: %s", request.method, request.url.path, error)
        return problem_answer(request, 503, "the database does not answer; try again later")

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, _error: Exception) -> Response:
        return problem_answer(request, 500, "an error in kullager itself; its log has the details")


_SAID_BETTER: Final = {
    404: "there is nothing at {path}; GET /api/v1/openapi.json lists every route",
    405: "{path} does not take {method}; the Allow header says what it takes",
}


def problem_answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
    role: str | None = None,
) -> Response:
    """An error answer of its own, for what is no route."""
    body = _body(status, detail, request.url.path)
    if role is not None:
        body["role"] = role
    if errors is not None:
        body["errors"] = errors
    return Response(orjson.dumps(body), status, dict(headers) if headers else None, MEDIA_TYPE)


def _body(status: int, detail: str, instance: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
