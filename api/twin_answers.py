"""How the digital twin answers: after the AAS API (IDTA-01002-3-0), where the rest of the api has forms of its own.

Lists are `{"paging_metadata": …, "result": […]}`, and errors are the specification's Result, `{"messages": […]}`: programs that
speak this API read nothing else. A wrong request is 400 here, as there.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import orjson
from aas_core3 import types as aas
from aas_core3.jsonization import to_jsonable
from fastapi import Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel

from api.answers import JSON
from api.problems import TOO_OFTEN, Problem, ProblemType
from api.services import Services, Use
from api.shapes.answer import content
from api.twin.condition import Condition
from api.twin.environment import Twin
from api.twin.example import example_twin
from api.twin.identifiers import from_base64url, to_base64url
from api.twin.page import cut
from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.formats.json_message import decode

# of the open alarms of an asset so many are told, the newest first
ALARMS_TOLD: Final = 20
NO_SHELL: Final = "there is no shell 'urn:…:pump-9'; GET /api/v1/aas/shells lists them"
NO_SUBMODEL: Final = "there is no submodel 'urn:…:pump-9:nameplate'; GET /api/v1/aas/submodels lists them"
NOT_BASE64URL: Final = "path.aas_identifier: 'pump-101' should be an identifier in base64url"

_TWIN: Final = example_twin()
_SHELL, _SUBMODEL = (to_base64url(ids[0]) for ids in (_TWIN.shell_ids, _TWIN.submodel_ids()))
_CONCEPT: Final = to_base64url(_TWIN.concepts()[0].id)

ShellId = Annotated[str, AfterValidator(from_base64url), Path(description="the shell's id, in base64url", examples=[_SHELL])]
SubmodelId = Annotated[
    str, AfterValidator(from_base64url), Path(description="the submodel's id, in base64url", examples=[_SUBMODEL])
]
ConceptId = Annotated[
    str, AfterValidator(from_base64url), Path(description="the concept description's id, in base64url", examples=[_CONCEPT])
]
IdShort = Annotated[str | None, Query(alias="idShort", description="only those with this idShort", examples=["Nameplate"])]
Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many")]
Cursor = Annotated[str | None, Query(description="`paging_metadata.cursor` of the page before")]


class TwinMessage(BaseModel):
    code: str
    messageType: Literal["Error"]  # noqa: N815  # the specification's name
    text: str


class TwinResult(BaseModel):
    """The specification's Result: an error in words."""

    messages: list[TwinMessage]


class TwinRoute(APIRoute):
    """Lets errors leave as the specification's Result."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                faults = [
                    f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}"
                    for fault in error.errors()
                ]
                return give(result(400, "; ".join(faults)), 400)
            except Problem as problem:
                # the specification has no 422
                status = 400 if problem.type is ProblemType.INVALID_REQUEST else problem.status_code
                return give(result(status, str(problem.detail)), status)

        return answer


def _twin(request: Request, services: Use) -> Twin:
    return Twin(
        services.plant,
        condition=lambda asset: _condition(services, asset),
        history=lambda asset: str(request.url_for("list_assessments", asset_id=asset)),
    )


UseTwin = Annotated[Twin, Depends(_twin)]


def give(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type=JSON)


def paged(items: Sequence[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"paging_metadata": {} if cursor is None else {"cursor": cursor}, "result": list(items)}


def page_of(items: Sequence[Any], limit: int, cursor: str | None, show: Callable[[Any], Any]) -> Response:
    """A page of these, of which only those on it are built."""
    try:
        page = cut(items, limit, cursor)
    except ValueError as error:
        raise Problem(ProblemType.INVALID_REQUEST, f"query.{error}") from None
    return give(paged([show(item) for item in page.items], page.cursor))


def plain(that: aas.Class) -> Any:
    return to_jsonable(that)


def known_shell(twin: Twin, identifier: str) -> aas.AssetAdministrationShell:
    try:
        return twin.shell(identifier)
    except KeyError:
        raise Problem(ProblemType.NOT_FOUND, f"there is no shell '{identifier}'; GET /api/v1/aas/shells lists them") from None


def known_submodel(twin: Twin, identifier: str) -> aas.Submodel:
    try:
        return twin.submodel(identifier)
    except KeyError:
        raise Problem(
            ProblemType.NOT_FOUND, f"there is no submodel '{identifier}'; GET /api/v1/aas/submodels lists them"
        ) from None


def from_json(name: str, text: str) -> dict[str, Any]:
    """A query parameter that is a JSON object in base64url."""
    try:
        found = orjson.loads(from_base64url(text))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Problem(ProblemType.INVALID_REQUEST, f"query.{name}: '{text}' should be a JSON object in base64url")
    return found


def documented(example: Any, **errors: str) -> dict[int | str, dict[str, Any]]:
    """The answers of a route for its documentation: `documented(shell, not_found="there is no shell …")`."""
    said = {429: TOO_OFTEN, **{int(key.removeprefix("_")): text for key, text in errors.items()}}
    return {
        200: {"content": {JSON: {"example": example}}},
        **{status: {"content": {JSON: content(TwinResult, result(status, text))}} for status, text in said.items()},
    }


def result(status: int, text: str) -> dict[str, Any]:
    """The specification's Result: an error in words."""
    return {"messages": [{"code": str(status), "messageType": "Error", "text": text}]}


def _condition(services: Services, asset: str) -> Condition:
    latest = services.store.latest(asset)
    alarms = services.store.alarms(only_open=True, asset=asset, at_most=ALARMS_TOLD)
    return Condition(
        assessment=decode(Assessment, latest, "the database") if latest is not None else None,
        alarms=tuple(decode(Alarm, row.message, "the database") for row in alarms),
    )
