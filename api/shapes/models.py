"""What is told of the models in service."""

from pydantic import BaseModel

from api.shapes.answer import CommandAnswer
from edge.contracts.status import ShadowStatus


class ModelAnswer(BaseModel):
    """A model in service on an edge, with the one that scores beside it; `problem`: why there is none.

    `tolerance`: half-width of the expected band, in plant units; `previous`: how many there are to go back to.
    """

    name: str
    edge: str
    version: str | None
    role: str
    assets: list[str]
    tolerance: dict[str, float]
    false_alarms_per_week: float | None
    figures: dict[str, float]
    problem: str | None
    sha256: str | None
    previous: int
    shadow: ShadowStatus | None


class UploadAnswer(CommandAnswer):
    """`sha256` of the bytes that were sent."""

    sha256: str
