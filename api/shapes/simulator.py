"""What is told of the simulator: what it can break, what it plays, and what is true of its machines."""

from pydantic import BaseModel

from api.shapes.answer import Moment
from edge.contracts.alarm import BilingualText


class FaultAnswer(BaseModel):
    fault: str
    name: BilingualText
    description: BilingualText | None
    active: bool


class AssetFaultAnswer(FaultAnswer):
    asset: str


class MachineAnswer(BaseModel):
    asset: str
    name: BilingualText
    recipes: list[str]
    faults: list[FaultAnswer]


class ScenarioAnswer(BaseModel):
    scenario: str
    name: BilingualText
    description: BilingualText
    active: bool


class ChaosAnswer(BaseModel):
    """`for_s` and `amount` are the usual ones; `active`: the sources where it is now."""

    chaos: str
    name: BilingualText
    description: BilingualText
    for_s: float
    amount: float | None
    active: list[str]


class TrueFaultAnswer(BaseModel):
    """A fault and how far it has come (0..1)."""

    name: str
    severity: float


class EpisodeAnswer(BaseModel):
    """A fault from its beginning to its repair.

    `began` is null where it was there before anything was heard of the machine, `fails` where it will not be complete.
    """

    fault: str
    began: Moment | None
    severity: float
    fails: Moment | None
    repaired: Moment | None


class TruthAnswer(BaseModel):
    asset: str
    time: Moment
    health: float
    faults: list[TrueFaultAnswer]
    episode: EpisodeAnswer | None
