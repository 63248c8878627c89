"""The models in service as the edges tell, and what an operator does with them."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from api.answers import AUDIT, json_answer, json_list, raw_list
from api.cursor import LARGEST
from api.problems import Problem, ProblemType, answers
from api.security import json_only
from api.services import Engineer, Services, Use
from api.shapes.answer import CommandAnswer, Items, example
from api.shapes.models import ModelAnswer, UploadAnswer
from api.uploads import UploadRefused
from edge.contracts.audit import ModelAudit
from edge.contracts.command import ModelVerb
from edge.contracts.status import ShadowStatus
from edge.formats.json_message import format_time

router = APIRouter(prefix="/models", tags=["models"])

MOST_STEPS: Final = 1000
OCTETS: Final = "application/octet-stream"
SHA: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
EXAMPLE: Final = {
    "name": "pump",
    "edge": "edge-1",
    "version": "3",
    "role": "champion",
    "assets": ["pump-101"],
    "tolerance": {"vibration": 0.4},
    "false_alarms_per_week": 0.5,
    "figures": {"roc_auc": 0.93},
    "problem": None,
    "sha256": SHA,
    "previous": 1,
    "shadow": {
        "version": "4",
        "sha256": SHA,
        "since": "2026-11-23T10:00:00Z",
        "instants": 3600,
        "scored": 3480,
        "agreed": 3475,
        "anomalous": 12,
        "champion_anomalous": 7,
        "difference": 0.04,
    },
}
NAME = Annotated[str, Path(description="as the plant file names the model", examples=["pump"])]
EDGE = Annotated[str | None, Query(description="default: the edge that has this model", examples=["edge-1"])]


class NewModel(BaseModel):
    """Where the edge fetches a model file, the sha256 of its bytes in hexadecimal, and their Ed25519 signature in base64."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "http://models.plant.example/pump-4.onnx", "sha256": SHA, "signature": "bWFkZSBieSBg"}]
        },
    )
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]
    signature: Annotated[str, Field(min_length=1, max_length=200)]


class Nothing(BaseModel):
    """The model before the one in service is one alone: there is nothing to say."""

    model_config = ConfigDict(extra="forbid")


class Which(BaseModel):
    """`sha256`: only if this file is in shadow; without it whichever is."""

    model_config = ConfigDict(extra="forbid")
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None


CHANGE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **example(CommandAnswer, {"command_id": "0198f0c4-1b2c-7d10-8a4e-5f3b7a9c2d01"}, status=202),
    **answers(
        sign_in="this needs the engineer role: send the header 'Authorization: Bearer TOKEN', or sign in",
        role_too_low="this needs the engineer role; 'display' has the role operator",
        not_found="there is no edge 'edge-9'; possible: edge-1, edge-2",
        edge_refused="there is no model in shadow for 'pump'; send one first",
        content_type="send the body as JSON, with the header 'Content-Type: application/json'",
        invalid_request="body.sha256: String should match pattern '^[0-9a-fA-F]{64}$'",
        broker_away="the broker mqtt://127.0.0.1:1883 is not connected; edge 'edge-1' cannot be reached now",
        edge_silent="edge 'edge-1' did not answer within 5 s; the command may still take effect",
    ),
}


@router.get(
    "",
    responses=example(Items[ModelAnswer], {"items": [EXAMPLE], "next": None}),
    summary="The models in service, on each edge, with those in shadow",
)
def list_models(services: Use) -> Response:
    return json_list(
        {
            "name": name,
            "edge": edge,
            "version": model.version,
            "role": model.role,
            "assets": model.assets,
            "tolerance": model.tolerance,
            "false_alarms_per_week": model.false_alarms_per_week,
            "figures": model.figures,
            "problem": model.problem,
            "sha256": model.sha256,
            "previous": model.previous,
            "shadow": _shadow(model.shadow),
        }
        for edge, status in sorted(services.ingest.reception.statuses.items())
        for name, model in sorted(status.models.items())
    )


@router.get(
    "/audit",
    responses=example(Items[ModelAudit], {"items": [AUDIT], "next": None}),
    summary="Every step that models in service have taken, the oldest first",
)
def list_audit(services: Use) -> Response:
    return raw_list(services.store.of_kind("audit", "", -LARGEST, LARGEST, MOST_STEPS))


@router.post(
    "/{name}/shadow",
    status_code=202,
    responses=CHANGE_ANSWERS,
    dependencies=[Depends(json_only)],
    summary="Try a new model, and let it score in shadow: what comes of it is a step in the audit",
)
async def bring(services: Use, by: Engineer, name: NAME, body: NewModel, edge: EDGE = None) -> Response:
    return await _change(services, ModelVerb.MODEL, by, name, edge, body.url, body.sha256.lower(), body.signature)


@router.post(
    "/{name}/upload",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}, "example": "(an ONNX file)"}},
        }
    },
    responses={
        **CHANGE_ANSWERS,
        **example(UploadAnswer, {"command_id": "0198f0c4-1b2c-7d10-8a4e-5f3b7a9c2d01", "sha256": SHA}, status=202),
        **answers(
            too_large="the file has more than 67108864 bytes, the most that a model may have",
            content_type="send the bytes of the ONNX file, with the header 'Content-Type: application/octet-stream'",
            invalid_request="header.x-model-signature: Field required",
            no_room="the file cannot be kept: No space left on device",
        ),
    },
    summary="Send a model file from here: the edge fetches it and tries it as one that it is told of",
    description=(
        "The signature is what `python -m models sign` writes beside the file, made with a key whose public part the edge has: "
        "the api signs nothing itself. What comes of it, and why it was refused, is a step in the audit of models."
    ),
)
async def upload(
    services: Use,
    by: Engineer,
    name: NAME,
    request: Request,
    x_model_signature: Annotated[str, Header(min_length=1, max_length=200, examples=["bWFkZSBieSBg"])],
    edge: EDGE = None,
) -> Response:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != OCTETS:
        raise Problem(ProblemType.CONTENT_TYPE, f"send the bytes of the ONNX file, with the header 'Content-Type: {OCTETS}'")
    # who is asked for has to be there before hundreds of megabytes are taken
    where = services.edge_of_model(name, edge)
    try:
        taken = await services.uploads.take(request.stream())
    except UploadRefused as refused:
        raise Problem(refused.type, str(refused)) from None
    try:
        command_id = await services.commands.change_model(
            edge=where,
            verb=ModelVerb.MODEL,
            name=name,
            by=by,
            url=services.uploads.address(taken),
            sha256=taken.sha256,
            signature=x_model_signature.strip(),
        )
    except BaseException:
        services.uploads.drop(taken)
        raise
    return json_answer({"command_id": command_id, "sha256": taken.sha256}, 202)


@router.get(
    "/files/{key}",
    response_class=FileResponse,
    responses={
        200: {"content": {OCTETS: {"example": "(an ONNX file)"}}},
        **answers(not_found="there is no such file, or no more: an uploaded model is kept for 10 minutes"),
    },
    summary="An uploaded model file, for the edge that was told of it; kept for 10 minutes",
)
def get_file(
    services: Use, key: Annotated[str, Path(max_length=100, examples=["q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ"])]
) -> Response:
    path = services.uploads.find(key)
    if path is None:
        raise Problem(ProblemType.NOT_FOUND, "there is no such file, or no more: an uploaded model is kept for 10 minutes")
    return FileResponse(path, media_type=OCTETS)


@router.delete(
    "/{name}/shadow",
    status_code=202,
    responses={status: answer for status, answer in CHANGE_ANSWERS.items() if status != 415},
    summary="End the shadow",
)
async def dismiss(services: Use, by: Engineer, name: NAME, edge: EDGE = None) -> Response:
    return await _change(services, ModelVerb.DISMISS, by, name, edge)


@router.post(
    "/{name}/promote",
    status_code=202,
    responses=CHANGE_ANSWERS,
    dependencies=[Depends(json_only)],
    summary="Put the shadow in service, from one instant to the next",
)
async def promote(services: Use, by: Engineer, name: NAME, body: Which, edge: EDGE = None) -> Response:
    return await _change(services, ModelVerb.PROMOTE, by, name, edge, sha256=(body.sha256 or "").lower())


@router.post(
    "/{name}/rollback",
    status_code=202,
    responses=CHANGE_ANSWERS,
    dependencies=[Depends(json_only)],
    summary="Put the model before the one in service back",
)
async def roll_back(services: Use, by: Engineer, name: NAME, body: Nothing, edge: EDGE = None) -> Response:
    return await _change(services, ModelVerb.ROLLBACK, by, name, edge)


def _shadow(shadow: ShadowStatus | None) -> dict[str, Any] | None:
    return None if shadow is None else asdict(shadow) | {"since": format_time(shadow.since)}


async def _change(
    services: Services,
    verb: ModelVerb,
    by: str,
    name: str,
    edge: str | None,
    url: str = "",
    sha256: str = "",
    signature: str = "",
) -> Response:
    command_id = await services.commands.change_model(
        edge=services.edge_of_model(name, edge), verb=verb, name=name, by=by, url=url, sha256=sha256, signature=signature
    )
    return json_answer({"command_id": command_id}, 202)
