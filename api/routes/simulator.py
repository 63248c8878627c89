"""The simulator's faults: open to every visitor where the plant file says that the site is a demo."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import JSON, Items, example, json_answer, json_list
from api.problems import Problem, answers
from api.security import json_only
from api.services import DemoVisitor, Services, Use
from edge.contracts.command import CatalogueAsset

router = APIRouter(prefix="/simulator", tags=["simulator"])

EXAMPLE: Final = {
    "asset": "pump-101",
    "fault": "bearing-wear",
    "name": {"sv": "Lagerslitage", "en": "Bearing wear"},
    "active": False,
}
ACCEPTED: Final = {"command_id": "0b8f7a52-6f0e-4a53-9d0a-3c1b1f6f7c11"}
NO_ASSET: Final = "the simulator has no asset 'pump-9'; possible: pump-101"
REFUSALS: Final = answers(
    _401="this needs the operator role: send the header 'Authorization: Bearer TOKEN' with the operator's token",
    _404=NO_ASSET,
    _409="fault 'bearing-wear' of 'pump-101' is already active",
    _503="no simulator has told its faults yet; is it running, and is the broker connected?",
    _504="the simulator did not answer within 5 s; the command may still take effect",
)


class Injection(BaseModel):
    """A fault that grows to `severity` (0..1) within `over_s` [s]."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"asset": "pump-101", "fault": "bearing-wear", "severity": 1.0, "over_s": 30}]},
    )
    asset: str
    fault: str
    severity: Annotated[float, Field(gt=0, le=1)] = 1.0
    over_s: Annotated[float, Field(ge=0, le=30 * 86400)] = 30.0


@router.get(
    "/faults",
    response_model=Items,
    responses=example({"items": [EXAMPLE], "next": None}),
    summary="What can be broken, and what is",
)
def list_faults(services: Use) -> Response:
    catalogue = services.ingest.catalogue
    return json_list(
        {"asset": asset.asset, "fault": fault.fault, "name": {"sv": fault.name.sv, "en": fault.name.en}, "active": fault.active}
        for asset in (catalogue.assets if catalogue is not None else ())
        for fault in asset.faults
    )


@router.post(
    "/faults",
    status_code=202,
    responses={
        202: {"content": {JSON: {"example": ACCEPTED}}},
        **REFUSALS,
        **answers(
            _415="send the body as JSON, with the header 'Content-Type: application/json'",
            _422="body.severity: Input should be less than or equal to 1",
        ),
    },
    dependencies=[Depends(json_only)],
    summary="Break something",
)
async def inject_fault(services: Use, by: DemoVisitor, body: Injection) -> Response:
    faults = [fault.fault for fault in _simulated(services, body.asset).faults]
    if body.fault not in faults:
        raise Problem(404, f"'{body.asset}' has no fault '{body.fault}'; possible: {', '.join(faults)}")
    command_id = await services.commands.inject_fault(
        asset=body.asset, fault=body.fault, severity=body.severity, over_s=body.over_s, by=by
    )
    return json_answer({"command_id": command_id}, 202)


@router.delete(
    "/faults/{asset}",
    status_code=202,
    responses={202: {"content": {JSON: {"example": ACCEPTED}}}, **REFUSALS},
    summary="Repair a machine: all its faults end",
)
async def repair(services: Use, by: DemoVisitor, asset: Annotated[str, Path(examples=["pump-101"])]) -> Response:
    _simulated(services, asset)
    return json_answer({"command_id": await services.commands.repair(asset=asset, by=by)}, 202)


def _simulated(services: Services, asset: str) -> CatalogueAsset:
    catalogue = services.ingest.catalogue
    if catalogue is None:
        raise Problem(503, "no simulator has told its faults yet; is it running, and is the broker connected?")
    for known in catalogue.assets:
        if known.asset == asset:
            return known
    raise Problem(404, f"the simulator has no asset '{asset}'; possible: {', '.join(a.asset for a in catalogue.assets)}")
