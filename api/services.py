"""What the routes work with."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.commands import Commands
from api.ingest import Ingest
from api.security import OperatorToken
from api.store import Store
from api.stream import EventStream
from edge.contracts.plant import Plant


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    plant: Plant
    store: Store
    ingest: Ingest
    stream: EventStream
    commands: Commands
    token: OperatorToken


def _services(request: Request) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)  # noqa: S101  # put there by create_app
    return found


def _operator(request: Request, services: Annotated[Services, Depends(_services)]) -> str:
    return services.token.require(request)


def _visitor_in_demo(request: Request, services: Annotated[Services, Depends(_services)]) -> str:
    return "visitor" if services.plant.site.demo else services.token.require(request)


Use = Annotated[Services, Depends(_services)]
Operator = Annotated[str, Depends(_operator)]
DemoVisitor = Annotated[str, Depends(_visitor_in_demo)]
