"""What the routes work with."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.access import Access
from api.audit_log import AuditLog
from api.commands import Commands
from api.ingest import Ingest
from api.labels import Labels
from api.problems import Problem, ProblemType
from api.rates import Limits
from api.roles import Identity, Role
from api.store import Store
from api.stream import EventStream
from api.upkeep import Upkeep
from api.uploads import Uploads
from edge.contracts.plant import Plant


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    plant: Plant
    store: Store
    ingest: Ingest
    stream: EventStream
    commands: Commands
    access: Access
    audit: AuditLog
    labels: Labels
    uploads: Uploads
    upkeep: Upkeep
    limits: Limits = field(default_factory=Limits)
    # requests that were too many, by what they were
    refused: Counter[str] = field(default_factory=Counter)

    def edge_of_asset(self, asset: str) -> str:
        """The edge that told last of an asset; before any did, that of the plant file."""
        return self.store.edge_of(asset) or self.plant.edge.id

    def edge_of_model(self, name: str, wanted: str | None = None) -> str:
        """The edge that is wanted, or that has this model; of several that of the plant file. Raises `Problem`."""
        own, statuses = self.plant.edge.id, self.ingest.reception.statuses
        if wanted is not None:
            if wanted not in {own, *statuses}:
                known = ", ".join(sorted({own, *statuses}))
                raise Problem(ProblemType.NOT_FOUND, f"there is no edge '{wanted}'; possible: {known}")
            return wanted
        having = sorted(edge for edge, status in statuses.items() if name in status.models)
        if own in having or not having:
            return own
        if len(having) > 1:
            text = f"several edges have the model '{name}': name one with ?edge=; possible: {', '.join(having)}"
            raise Problem(ProblemType.SEVERAL_EDGES, text)
        return having[0]


def _services(request: Request) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)  # noqa: S101  # put there by create_app
    return found


def _needs(role: Role) -> Callable[..., str]:
    """A dependency that gives the name under which the request changes something; raises `Problem` without the role."""

    def require(request: Request, services: Annotated[Services, Depends(_services)]) -> str:
        return services.access.require(request, role).name

    return require


def _operator(request: Request, services: Annotated[Services, Depends(_services)]) -> Identity:
    return services.access.require(request, Role.OPERATOR)


def _visitor_in_demo(request: Request, services: Annotated[Services, Depends(_services)]) -> str:
    if services.plant.site.demo:
        return services.access.visitor_or_better(request).name
    return services.access.require(request, Role.OPERATOR).name


Use = Annotated[Services, Depends(_services)]
Operator = Annotated[str, Depends(_needs(Role.OPERATOR))]
OperatorOrBetter = Annotated[Identity, Depends(_operator)]
Engineer = Annotated[str, Depends(_needs(Role.ENGINEER))]
Admin = Annotated[str, Depends(_needs(Role.ADMIN))]
DemoVisitor = Annotated[str, Depends(_visitor_in_demo)]
