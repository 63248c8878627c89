"""The machines, and the history of their assessments."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from api.answers import ASSESSMENT, Time, json_answer, json_list, raw_list, ready
from api.downsample import thin_rows
from api.export import AskedFormat, Format, contents, head_answer, table_answer, wanted
from api.problems import Problem, ProblemType, answers
from api.services import Services, Use
from api.shapes.answer import Items, example
from api.shapes.assets import AssetAnswer
from api.summaries import MOST_ASSESSMENTS, width_for
from api.tables import assessment_columns
from edge.contracts.assessment import Assessment
from edge.contracts.plant import Asset
from edge.formats.json_message import format_time, parse_time

router = APIRouter(prefix="/assets", tags=["assets"])

LAST_HOUR_NS: Final = 3_600_000_000_000
ROWS_AT_ONCE: Final = 20_000
DEFAULT_POINTS: Final = 1000
# a month of a second each, and more
MOST_ROWS: Final = 3_000_000
# while the history is being summarised: what is read and thinned in about a second
MOST_UNSUMMARISED: Final = 200_000
BEING_SUMMARISED: Final = (
    "the history that an older version has left is being summarised, {} of it so far; "
    "ask for a shorter time, or again in a while"
)
TOO_MANY_FILES: Final = "2 files are being written for others, which is the most at a time; try again soon"
CSV_EXAMPLE: Final = "time,state,reason,score,…\r\n2026-11-23T10:00:05Z,anomalous,,1.42,…\r\n"
ASSET_ID = Annotated[str, Path(description="the asset's name in the plant file", examples=["pump-101"])]
EXAMPLE: Final = {
    "id": "pump-101",
    "class": "pump",
    "name": {"sv": "Cirkulationspump 101", "en": "Circulation pump 101"},
    "model": "pump",
    "period_s": 1.0,
    "nameplate": {
        "manufacturer": None,
        "model": None,
        "serial": None,
        "rated_kw": 7.5,
        "rated_speed": 1455.0,
        "bearing": {"balls": 9, "ball_mm": 7.94, "pitch_mm": 39.04, "contact_deg": 0.0},
    },
    "signals": [
        {
            "name": "vibration",
            "label": {"sv": "vibration", "en": "vibration"},
            "unit": "mm/s",
            "source": "broker",
            "limits": {"warning": 4.5, "alarm": 7.1},
        }
    ],
    "waveforms": [{"name": "acceleration", "label": {"sv": "acceleration", "en": "acceleration"}, "unit": "m/s2"}],
    "latest": ASSESSMENT,
}
NO_ASSET: Final = "there is no asset 'pump-9'; possible: pump-101"


@router.get(
    "",
    responses=example(Items[AssetAnswer], {"items": [EXAMPLE], "next": None}),
    summary="All machines with their newest assessment",
)
def list_assets(services: Use) -> Response:
    return json_list(_asset(services, asset_id, asset) for asset_id, asset in services.plant.assets.items())


@router.get(
    "/{asset_id}",
    responses={**example(AssetAnswer, EXAMPLE), **answers(not_found=NO_ASSET)},
    summary="One machine with its newest assessment",
)
def get_asset(services: Use, asset_id: ASSET_ID) -> Response:
    return json_answer(_asset(services, asset_id, known_asset(services, asset_id)))


@router.get(
    "/{asset_id}/assessments",
    responses={
        200: {
            "description": "Whole messages, ordered by their time; as a table a row for each",
            "content": contents(Items[Assessment], {"items": [ASSESSMENT], "next": None}, CSV_EXAMPLE),
        },
        **answers(
            not_found=NO_ASSET,
            invalid_request="query.from: should be a time before query.to",
            summarising=BEING_SUMMARISED.format("42%"),
        ),
    },
    summary="The history of a machine, thinned so that peaks and withheld stretches survive",
    description="CSV and Parquet have every assessment where `points` is left out, 3,000,000 at most.",
)
def list_assessments(
    services: Use,
    request: Request,
    asset_id: ASSET_ID,
    first: Annotated[Time | None, Query(alias="from", description="default: an hour before `to`")] = None,
    last: Annotated[Time | None, Query(alias="to", description="default: the newest assessment")] = None,
    points: Annotated[
        int | None,
        Query(ge=10, le=10_000, examples=[1000], description="at most so many assessments; 1000 where JSON is asked for"),
    ] = None,
    asked: AskedFormat = None,
) -> Response:
    asset, form = known_asset(services, asset_id), wanted(request, asked)
    newest = parse_time(last) if last is not None else services.store.latest_time(asset_id)
    if newest is None:
        oldest = newest = 0
    else:
        oldest = parse_time(first) if first is not None else newest - LAST_HOUR_NS
    if oldest > newest:
        raise Problem(
            ProblemType.INVALID_REQUEST,
            f"query.from: {format_time(oldest)} should be a time before query.to, {format_time(newest)}",
        )
    if form is not Format.JSON and points is None:
        if services.store.assessments_between(asset_id, oldest, newest, MOST_ROWS + 1) > MOST_ROWS:
            raise Problem(
                ProblemType.TOO_MUCH,
                f"query.from: there are more than {MOST_ROWS} assessments since then; ask for a shorter time",
            )
        parts: Iterable[list[bytes]] = services.store.all_messages(asset_id, oldest, newest, ROWS_AT_ONCE)
    else:
        # a long time may hold little
        if services.store.assessments_between(asset_id, oldest, newest, _most_read(services) + 1) <= _most_read(services):
            scores = services.store.scores(asset_id, oldest, newest, ROWS_AT_ONCE)
        elif services.store.backlog is not None:
            done = f"{services.store.summarised_share:.0%}"
            raise Problem(ProblemType.SUMMARISING, BEING_SUMMARISED.format(done), {"Retry-After": "30"})
        else:
            width_s = width_for(newest - oldest)
            scores = iter([services.store.summarised(asset_id, oldest, newest, width_s)])
        parts = [services.store.messages(thin_rows(scores, points or DEFAULT_POINTS))]
    if form is Format.JSON:
        return raw_list(message for part in parts for message in part)
    rows = (map(orjson.loads, part) for part in parts)
    return table_answer(form, f"assessments-{asset_id}", assessment_columns(asset), rows)


def _most_read(services: Services) -> int:
    """So many assessments are read one by one; more of them while the summaries are not all there."""
    return MOST_ASSESSMENTS if services.store.backlog is None else MOST_UNSUMMARISED


@router.head("/{asset_id}/assessments", include_in_schema=False)
def head_of_assessments(services: Use, request: Request, asset_id: ASSET_ID, asked: AskedFormat = None) -> Response:
    known_asset(services, asset_id)
    return head_answer(request, asked)


def known_asset(services: Services, asset_id: str) -> Asset:
    """The asset of this name; raises `Problem`."""
    asset = services.plant.assets.get(asset_id)
    if asset is None:
        raise Problem(ProblemType.NOT_FOUND, f"there is no asset '{asset_id}'; possible: {', '.join(services.plant.assets)}")
    return asset


def _asset(services: Services, asset_id: str, asset: Asset) -> dict[str, Any]:
    return {
        "id": asset_id,
        "class": asset.asset_class,
        "name": asset.display_name(asset_id),
        "model": asset.model,
        "period_s": asset.period_s,
        "nameplate": asset.nameplate,
        "signals": [
            {
                "name": name,
                "label": signal.display_name(name),
                "unit": signal.unit,
                "source": signal.source,
                "limits": signal.limits,
            }
            for name, signal in asset.signals.items()
            if name not in asset.context
        ],
        "waveforms": [
            {"name": name, "label": waveform.display_name(name), "unit": waveform.unit}
            for name, waveform in asset.waveforms.items()
        ],
        "latest": ready(services.store.latest(asset_id)),
    }
