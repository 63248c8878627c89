"""What machines did with their time, what they made, and what energy it took; and the spectra of their fast signals."""

from collections import Counter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import PERFORMANCE, SPECTRUM, Time, json_answer, ready
from api.problems import Problem, ProblemType, answers
from api.routes.assets import ASSET_ID, NO_ASSET, known_asset
from api.security import json_only
from api.services import Operator, Services, Use
from api.shapes.answer import Items, example
from api.shapes.assets import PerformanceAnswer, ServiceAnswer
from edge.contracts.assessment import Reason
from edge.contracts.command import AlarmVerb
from edge.contracts.performance import Operation, Performance
from edge.contracts.spectrum import WaveformSpectrum
from edge.formats.json_message import decode, format_time, parse_time

router = APIRouter(prefix="/assets", tags=["assets"])

LAST_HOUR_NS: Final = 3_600_000_000_000
AT_MOST: Final = 50_000
MOST_ITEMS: Final = 1500
TOTAL: Final = {
    "from": "2026-11-23T09:00:00Z",
    "to": "2026-11-23T10:00:00Z",
    "operation_s": {"running": 3180.0, "changeover": 420.0},
    "withheld_s": {"changeover": 420.0, "stale": 12.0},
    "scored_s": 3168.0,
    "utilisation": 0.883,
    "energy": 6.81,
    "energy_unit": "kW.h",
    "amount": 38.0,
    "product_unit": "1",
}


class Service(BaseModel):
    """`rule`: of one alarm rule; without it all alarms of the machine."""

    model_config = ConfigDict(extra="forbid")
    rule: Annotated[str, Field(min_length=1, max_length=128, examples=["limit-alarm-vibration"])] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=1000, examples=["Overhaul until Friday"])] | None = None


SERVICE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **example(ServiceAnswer, {"asset": "pump-101", "rule": None, "in_service": False}),
    **answers(
        sign_in="this needs the operator role: send the header 'Authorization: Bearer TOKEN', or sign in",
        role_too_low="this needs the operator role; 'display' has the role visitor",
        not_found=NO_ASSET,
        edge_refused="'pump-101' has no alarm rule 'limit-alarm-color'",
        content_type="send the body as JSON, with the header 'Content-Type: application/json'",
        invalid_request="body.comment: String should have at most 1000 characters",
        broker_away="the broker mqtt://127.0.0.1:1883 is not connected; edge 'edge-1' cannot be reached now",
        edge_silent="edge 'edge-1' did not answer within 5 s; the command may still take effect",
    ),
}


@router.get(
    "/{asset_id}/performance",
    responses={
        **example(PerformanceAnswer, {"items": [PERFORMANCE], "total": TOTAL, "next": None}),
        **answers(not_found=NO_ASSET, invalid_request="query.from: should be a time before query.to"),
    },
    summary="Minute by minute what a machine did, made and took; and the sums, with the time without a score by reason",
)
def list_performance(
    services: Use,
    asset_id: ASSET_ID,
    first: Annotated[Time | None, Query(alias="from", description="default: an hour before `to`")] = None,
    last: Annotated[Time | None, Query(alias="to", description="default: the newest assessment")] = None,
) -> Response:
    known_asset(services, asset_id)
    newest = parse_time(last) if last is not None else services.store.latest_time(asset_id)
    if newest is None:
        return json_answer({"items": [], "total": None, "next": None})
    oldest = parse_time(first) if first is not None else newest - LAST_HOUR_NS
    if oldest > newest:
        raise Problem(
            ProblemType.INVALID_REQUEST,
            f"query.from: {format_time(oldest)} should be a time before query.to, {format_time(newest)}",
        )
    messages = services.store.of_kind("performance", asset_id, oldest, newest, AT_MOST)
    told = [decode(Performance, message, "the database") for message in messages]
    if len(told) == AT_MOST:
        # more is not summed up at once: say from when it is
        oldest = told[0].time - round(told[0].period_s * 1e9)
    items = [ready(message) for message in messages[-MOST_ITEMS:]]
    return json_answer({"items": items, "total": total_of(told, oldest, newest), "next": None})


@router.get(
    "/{asset_id}/spectra",
    responses={**example(Items[WaveformSpectrum], {"items": [SPECTRUM], "next": None}), **answers(not_found=NO_ASSET)},
    summary="The newest spectra of a machine's fast signals, with the lines that would tell of a fault",
)
def list_spectra(services: Use, asset_id: ASSET_ID) -> Response:
    known_asset(services, asset_id)
    found = [ready(message) for (asset, _), message in sorted(services.ingest.spectra.items()) if asset == asset_id]
    return json_answer({"items": found, "next": None})


@router.post(
    "/{asset_id}/out-of-service",
    responses=SERVICE_ANSWERS,
    dependencies=[Depends(json_only)],
    summary="Take a machine's alarms out of service, as for maintenance",
)
async def take_out_of_service(services: Use, by: Operator, asset_id: ASSET_ID, body: Service) -> Response:
    return await _serve(services, asset_id, AlarmVerb.OUT_OF_SERVICE, by, body)


@router.post(
    "/{asset_id}/return-to-service",
    responses=SERVICE_ANSWERS,
    dependencies=[Depends(json_only)],
    summary="Put them back: those whose condition holds are active at once",
)
async def return_to_service(services: Use, by: Operator, asset_id: ASSET_ID, body: Service) -> Response:
    return await _serve(services, asset_id, AlarmVerb.RETURN_TO_SERVICE, by, body)


async def _serve(services: Services, asset_id: str, verb: AlarmVerb, by: str, body: Service) -> Response:
    known_asset(services, asset_id)
    edge = services.edge_of_asset(asset_id)
    await services.commands.change_service(edge=edge, asset=asset_id, rule=body.rule, verb=verb, by=by, comment=body.comment)
    return json_answer({"asset": asset_id, "rule": body.rule, "in_service": verb is AlarmVerb.RETURN_TO_SERVICE})


def total_of(told: list[Performance], first: int, last: int) -> dict[str, Any]:
    operation_s, withheld_s = Counter[Operation](), Counter[Reason]()
    for each in told:
        operation_s.update(each.operation_s)
        withheld_s.update(each.withheld_s)
    known_s = operation_s.total() - operation_s[Operation.UNKNOWN]
    metered = [each for each in told if each.energy is not None and each.amount is not None]
    return {
        "from": format_time(first),
        "to": format_time(last),
        "operation_s": {operation.value: s for operation, s in operation_s.items()},
        "withheld_s": {reason.value: s for reason, s in withheld_s.items()},
        "scored_s": operation_s.total() - withheld_s.total(),
        "utilisation": operation_s[Operation.RUNNING] / known_s if known_s else None,
        "energy": sum(each.energy or 0.0 for each in metered) if metered else None,
        "energy_unit": metered[-1].energy_unit if metered else None,
        "amount": sum(each.amount or 0.0 for each in metered) if metered else None,
        "product_unit": metered[-1].product_unit if metered else None,
    }
