"""The live stream."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from api.guesses import network
from api.problems import Problem, ProblemType, answers
from api.routes.assets import NO_ASSET, known_asset
from api.services import Use
from api.stream import Wanted

router = APIRouter(tags=["stream"])

MOST_CLIENTS: Final = 1000
TOO_MANY: Final = f"{MOST_CLIENTS} streams are open, which is the most that are served; try again later"
TOO_MANY_THERE: Final = "{} streams are open from your address, which is the most that one has; close some"
Kind = Literal["assessment", "alarm", "case", "performance", "audit", "status"]
EXAMPLE: Final = (
    ': connected\nretry: 2000\n\nevent: assessment\ndata: {"schema":1,"edge":"edge-1","journal":"0198f0c2-…","seq":120,'
    '"kind":"assessment","asset":"pump-101","score":1.42,…}\nid: 4711\n\n'
)


@router.get(
    "/stream",
    # the frames are ready bytes: FastAPI would encode each event anew for each client if it were told what they are
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": EXAMPLE}}},
        **answers(
            not_found=NO_ASSET,
            invalid_request="query.event.0: Input should be 'assessment', 'alarm' …",
            busy="1000 streams are open, which is the most that are served; try again later",
        ),
    },
    summary="Every result and edge status as it comes, as server-sent events",
    description=(
        "`event:` is `assessment`, `alarm`, `case`, `performance`, `audit` or `status`, `data:` the message as its edge wrote "
        "it. `id:` resumes: a browser sends it back as `Last-Event-ID` after an interruption and gets what it missed. "
        "`event: resync` says that too much was missed: load everything anew. Messages that an edge sends again after an "
        "outage come with their old `time`."
    ),
)
async def stream(
    services: Use,
    request: Request,
    last_event_id: Annotated[str | None, Header(examples=["4711"])] = None,
    after: Annotated[
        int | None, Query(ge=0, examples=[4711], description="as Last-Event-ID, for clients that cannot send it")
    ] = None,
    asset: Annotated[
        list[str] | None,
        Query(max_length=100, description="only of these machines, and what concerns none", examples=[["pump-101"]]),
    ] = None,
    event: Annotated[list[Kind] | None, Query(max_length=20, description="only these events", examples=[["alarm"]])] = None,
) -> StreamingResponse:
    if services.stream.clients >= MOST_CLIENTS:
        raise Problem(ProblemType.BUSY, TOO_MANY)
    address, most = network(request.client.host if request.client is not None else ""), services.limits.streams
    if most and services.stream.addresses[address] >= most:
        services.refused["streams"] += 1
        raise Problem(ProblemType.TOO_OFTEN, TOO_MANY_THERE.format(most), {"Retry-After": "10"})
    for each in asset or ():
        known_asset(services, each)
    wanted = Wanted(assets=frozenset(asset or ()), kinds=frozenset(event or ()))
    # an id that is not ours cannot be resumed from, and `after` a resync it need not be
    seen = after if last_event_id is None else int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else -1
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(services.stream.frames(seen, wanted, address), headers=headers, media_type="text/event-stream")
