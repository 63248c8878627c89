"""The models in service as the edges tell, and what an operator does with them."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import AUDIT, JSON, Items, example, json_answer, json_list, raw_list
from api.cursor import LARGEST
from api.problems import answers
from api.security import json_only
from api.services import Engineer, Services, Use
from edge.contracts.command import ModelVerb
from edge.contracts.status import ShadowStatus
from edge.formats.json_message import format_time

router = APIRouter(prefix="/models", tags=["models"])

MOST_STEPS: Final = 1000
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
    202: {"content": {JSON: {"example": {"command_id": "0198f0c4-1b2c-7d10-8a4e-5f3b7a9c2d01"}}}},
    **answers(
        _401="this needs the engineer role: send the header 'Authorization: Bearer TOKEN', or sign in",
        _403="this needs the engineer role; 'display' has the role operator",
        _404="there is no edge 'edge-9'; possible: edge-1, edge-2",
        _409="there is no model in shadow for 'pump'; send one first",
        _415="send the body as JSON, with the header 'Content-Type: application/json'",
        _422="body.sha256: String should match pattern '^[0-9a-fA-F]{64}$'",
        _503="the broker mqtt://127.0.0.1:1883 is not connected; edge 'edge-1' cannot be reached now",
        _504="edge 'edge-1' did not answer within 5 s; the command may still take effect",
    ),
}


@router.get(
    "",
    response_model=Items,
    responses=example({"items": [EXAMPLE], "next": None}),
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
    response_model=Items,
    responses=example({"items": [AUDIT], "next": None}),
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
