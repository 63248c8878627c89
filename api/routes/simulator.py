"""The simulator's machines, faults, jobs, scenarios and chaos: open to all where the plant file calls its site a demo."""

from dataclasses import asdict
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import json_answer, json_list
from api.problems import Problem, ProblemType, answers
from api.security import json_only
from api.services import DemoVisitor, Services, Use
from api.shapes.answer import CommandAnswer, Items, example
from api.shapes.simulator import AssetFaultAnswer, ChaosAnswer, MachineAnswer, ScenarioAnswer
from edge.contracts.command import Catalogue, CatalogueAsset

router = APIRouter(prefix="/simulator", tags=["simulator"])

FAULT: Final = {
    "fault": "bearing-wear",
    "name": {"sv": "Lagerskada", "en": "Bearing wear"},
    "description": {"sv": "Ett av lagren spricker upp: …", "en": "A bearing is breaking up: …"},
    "active": False,
}
MACHINE: Final = {
    "asset": "pump-101",
    "name": {"sv": "Cirkulationspump 101", "en": "Circulation pump 101"},
    "recipes": ["day", "night", "boost"],
    "faults": [FAULT],
}
SCENARIO: Final = {
    "scenario": "visitor",
    "name": {"sv": "Besökarvisning", "en": "Visitor's tour"},
    "description": {"sv": "Var annan minut går något sönder …", "en": "Every two minutes something fails …"},
    "active": False,
}
CHAOS: Final = {
    "chaos": "half-open",
    "name": {"sv": "Tyst förbindelse", "en": "Half-open silence"},
    "description": {"sv": "Förbindelsen står kvar men …", "en": "The connection stands, but …"},
    "for_s": 20.0,
    "amount": None,
    "active": [],
}
ACCEPTED: Final = example(CommandAnswer, {"command_id": "0b8f7a52-6f0e-4a53-9d0a-3c1b1f6f7c11"}, status=202)
NO_ASSET: Final = "the simulator has no asset 'pump-9'; possible: pump-101"
REFUSALS: Final = answers(
    sign_in="this needs the operator role: send the header 'Authorization: Bearer TOKEN', or sign in",
    role_too_low="this needs the operator role; 'display' has the role visitor",
    not_found=NO_ASSET,
    simulator_refused="fault 'bearing-wear' of 'pump-101' is already active",
    simulator_away="no simulator has told its machines yet; is it running, and is the broker connected?",
    simulator_silent="the simulator did not answer within 5 s; the command may still take effect",
)
BODIES: Final = answers(
    content_type="send the body as JSON, with the header 'Content-Type: application/json'",
    invalid_request="body.severity: Input should be less than or equal to 1",
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


class NextJob(BaseModel):
    """The recipe that an asset works on next."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"asset": "pump-101", "recipe": "boost"}]})
    asset: str
    recipe: str


class Play(BaseModel):
    """A scenario by its name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"scenario": "visitor"}]})
    scenario: str


class Trouble(BaseModel):
    """A kind of chaos, at one source of the plant file or all of them, for `for_s` [s]; `amount` [s] is how much of it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"chaos": "half-open", "source": "line-1", "for_s": 20}]}
    )
    chaos: str
    source: str = ""
    for_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    amount: float | None = None


@router.get(
    "/machines",
    responses=example(Items[MachineAnswer], {"items": [MACHINE], "next": None}),
    summary="The machines, what they can work on, and what can be broken",
)
def list_machines(services: Use) -> Response:
    catalogue = services.ingest.catalogue
    return json_list(
        {
            "asset": machine.asset,
            "name": asdict(machine.name),
            "recipes": list(machine.recipes),
            "faults": [asdict(fault) for fault in machine.faults],
        }
        for machine in (catalogue.assets if catalogue is not None else ())
    )


@router.get(
    "/faults",
    responses=example(Items[AssetFaultAnswer], {"items": [{"asset": "pump-101", **FAULT}], "next": None}),
    summary="What can be broken, and what is",
)
def list_faults(services: Use) -> Response:
    catalogue = services.ingest.catalogue
    return json_list(
        {"asset": machine.asset, **asdict(fault)}
        for machine in (catalogue.assets if catalogue is not None else ())
        for fault in machine.faults
    )


@router.post(
    "/faults",
    status_code=202,
    responses={
        **ACCEPTED,
        **REFUSALS,
        **BODIES,
    },
    dependencies=[Depends(json_only)],
    summary="Break something",
)
async def inject_fault(services: Use, by: DemoVisitor, body: Injection) -> Response:
    faults = [fault.fault for fault in _simulated(services, body.asset).faults]
    if body.fault not in faults:
        raise Problem(ProblemType.NOT_FOUND, f"'{body.asset}' has no fault '{body.fault}'; possible: {', '.join(faults)}")
    command_id = await services.commands.inject_fault(
        asset=body.asset, fault=body.fault, severity=body.severity, over_s=body.over_s, by=by
    )
    return json_answer({"command_id": command_id}, 202)


@router.delete(
    "/faults/{asset}",
    status_code=202,
    responses={**ACCEPTED, **REFUSALS},
    summary="Repair a machine: all its faults end",
)
async def repair(services: Use, by: DemoVisitor, asset: Annotated[str, Path(examples=["pump-101"])]) -> Response:
    _simulated(services, asset)
    return json_answer({"command_id": await services.commands.repair(asset=asset, by=by)}, 202)


@router.post(
    "/jobs",
    status_code=202,
    responses={**ACCEPTED, **REFUSALS, **BODIES},
    dependencies=[Depends(json_only)],
    summary="Let a machine work on another recipe",
)
async def start_job(services: Use, by: DemoVisitor, body: NextJob) -> Response:
    recipes = _simulated(services, body.asset).recipes
    if body.recipe not in recipes:
        raise Problem(ProblemType.NOT_FOUND, f"'{body.asset}' has no recipe '{body.recipe}'; possible: {', '.join(recipes)}")
    command_id = await services.commands.start_job(asset=body.asset, recipe=body.recipe, by=by)
    return json_answer({"command_id": command_id}, 202)


@router.get(
    "/scenarios",
    responses=example(Items[ScenarioAnswer], {"items": [SCENARIO], "next": None}),
    summary="The stories that the simulator can play, and which one it plays",
)
def list_scenarios(services: Use) -> Response:
    catalogue = services.ingest.catalogue
    return json_list(asdict(scenario) for scenario in (catalogue.scenarios if catalogue is not None else ()))


@router.post(
    "/scenarios",
    status_code=202,
    responses={**ACCEPTED, **REFUSALS, **BODIES},
    dependencies=[Depends(json_only)],
    summary="Play a scenario from its start, instead of the one that runs",
)
async def play_scenario(services: Use, by: DemoVisitor, body: Play) -> Response:
    scenarios = [each.scenario for each in _catalogue(services).scenarios]
    if body.scenario not in scenarios:
        raise Problem(ProblemType.NOT_FOUND, f"there is no scenario '{body.scenario}'; possible: {', '.join(scenarios)}")
    return json_answer({"command_id": await services.commands.play_scenario(body.scenario, by=by)}, 202)


@router.delete(
    "/scenarios",
    status_code=202,
    responses={**ACCEPTED, **REFUSALS},
    summary="End the running scenario; what it has broken stays broken",
)
async def end_scenario(services: Use, by: DemoVisitor) -> Response:
    _catalogue(services)
    return json_answer({"command_id": await services.commands.play_scenario("", by=by)}, 202)


@router.get(
    "/chaos",
    responses=example(Items[ChaosAnswer], {"items": [CHAOS], "next": None}),
    summary="How the network can misbehave, and where it does",
)
def list_chaos(services: Use) -> Response:
    catalogue = services.ingest.catalogue
    return json_list(asdict(chaos) for chaos in (catalogue.chaos if catalogue is not None else ()))


@router.post(
    "/chaos",
    status_code=202,
    responses={**ACCEPTED, **REFUSALS, **BODIES},
    dependencies=[Depends(json_only)],
    summary="Let the network misbehave; it ends by itself",
)
async def begin_chaos(services: Use, by: DemoVisitor, body: Trouble) -> Response:
    kinds = [each.chaos for each in _catalogue(services).chaos]
    if body.chaos not in kinds:
        raise Problem(ProblemType.NOT_FOUND, f"there is no chaos '{body.chaos}'; possible: {', '.join(kinds)}")
    command_id = await services.commands.disturb(
        kind=body.chaos, source=body.source, for_s=body.for_s, amount=body.amount, by=by
    )
    return json_answer({"command_id": command_id}, 202)


@router.delete(
    "/chaos",
    status_code=202,
    responses={**ACCEPTED, **REFUSALS},
    summary="End all chaos at once",
)
async def end_chaos(services: Use, by: DemoVisitor) -> Response:
    _catalogue(services)
    return json_answer({"command_id": await services.commands.disturb(kind="calm", by=by)}, 202)


def _catalogue(services: Services) -> Catalogue:
    if services.ingest.catalogue is None:
        raise Problem(
            ProblemType.SIMULATOR_AWAY, "no simulator has told its machines yet; is it running, and is the broker connected?"
        )
    return services.ingest.catalogue


def _simulated(services: Services, asset: str) -> CatalogueAsset:
    catalogue = _catalogue(services)
    for known in catalogue.assets:
        if known.asset == asset:
            return known
    raise Problem(
        ProblemType.NOT_FOUND, f"the simulator has no asset '{asset}'; possible: {', '.join(a.asset for a in catalogue.assets)}"
    )
