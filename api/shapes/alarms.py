"""What is told of alarms, cases and labels, and in the report of a shift."""

from pydantic import BaseModel, Field

from api.labels import Condition, Verdict
from api.shapes.answer import Moment
from api.shapes.assets import PerformanceTotalAnswer
from edge.contracts.alarm import Alarm, BilingualText, Priority
from edge.contracts.assessment import Reason
from edge.contracts.case import Case


class AlarmHistoryAnswer(BaseModel):
    alarm: Alarm
    history: list[Alarm]


class CaseHistoryAnswer(BaseModel):
    case: Case
    history: list[Case]


class AlarmCountAnswer(BaseModel):
    asset: str
    rule: str
    count: int


class AlarmPerformanceAnswer(BaseModel):
    """After ISA-18.2; shares are 0..1 of the periods of ten minutes.

    `per_period`: how many periods had 0, 1, 2 … alarms, the last: so many or more.
    """

    first: Moment = Field(alias="from")
    last: Moment = Field(alias="to")
    periods: int
    alarms: int
    per_period: list[int]
    mean: float
    most: int
    acceptable: float
    manageable: float
    over_10: float
    floods: int
    flood_share: float
    chattering: list[AlarmCountAnswer]
    fleeting: int
    stale: int
    standing: int
    suppressed: int
    frequent: list[AlarmCountAnswer]
    by_priority: dict[Priority, float]


class LabelAnswer(BaseModel):
    """What was the case with a machine, as people said it; `to` null: it still holds."""

    id: int
    asset: str
    first: Moment = Field(alias="from")
    last: Moment | None = Field(alias="to")
    label: Condition
    fault: str | None
    alarm_id: str | None
    verdict: Verdict | None
    comment: str | None
    made: Moment
    by: str


class AssetReportAnswer(BaseModel):
    id: str
    name: BilingualText
    alarms_by_priority: dict[Priority, int]
    alarms: list[Alarm]
    cases: list[Case]
    performance: PerformanceTotalAnswer


class OpenMattersAnswer(BaseModel):
    """What the next shift takes over."""

    unacknowledged: list[Alarm]
    alarms: list[Alarm]
    cases: list[Case]
    shelved: list[Alarm]
    out_of_service: list[Alarm]
    problems: list[str]


class ReportAnswer(BaseModel):
    """`energy` by its unit."""

    first: Moment = Field(alias="from")
    last: Moment = Field(alias="to")
    assets: list[AssetReportAnswer]
    withheld_s: dict[Reason, float]
    energy: dict[str, float]
    open: OpenMattersAnswer
    truncated: bool
