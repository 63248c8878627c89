"""What is told of machines: themselves, what they did with their time, and how complete their values were."""

from pydantic import BaseModel, Field

from api.shapes.answer import Moment
from edge.contracts.alarm import BilingualText
from edge.contracts.assessment import Assessment, Reason
from edge.contracts.performance import Operation, Performance


class BearingAnswer(BaseModel):
    """As in the plant file."""

    balls: int
    ball_mm: float
    pitch_mm: float
    contact_deg: float


class NameplateAnswer(BaseModel):
    """As in the plant file; null what it does not say."""

    manufacturer: str | None
    model: str | None
    serial: str | None
    rated_kw: float | None
    rated_speed: float | None
    bearing: BearingAnswer | None


class LimitsAnswer(BaseModel):
    """The fixed limits that the plant has today, in the signal's unit."""

    warning: float | None
    alarm: float | None


class WaveformAnswer(BaseModel):
    """A fast signal: it has no single value, only blocks and their spectra."""

    name: str
    label: BilingualText
    unit: str


class SignalAnswer(WaveformAnswer):
    """A signal of a machine."""

    source: str
    limits: LimitsAnswer


class AssetAnswer(BaseModel):
    """A machine, with its newest assessment."""

    id: str
    asset_class: str = Field(alias="class")
    name: BilingualText
    model: str | None
    period_s: float
    nameplate: NameplateAnswer | None
    signals: list[SignalAnswer]
    waveforms: list[WaveformAnswer]
    latest: Assessment | None


class PerformanceTotalAnswer(BaseModel):
    """The sums of a time; `energy` and `amount` of the periods that have both."""

    first: Moment = Field(alias="from")
    last: Moment = Field(alias="to")
    operation_s: dict[Operation, float]
    withheld_s: dict[Reason, float]
    scored_s: float
    utilisation: float | None
    energy: float | None
    energy_unit: str | None
    amount: float | None
    product_unit: str | None


class PerformanceAnswer(BaseModel):
    """`total` is null where nothing was ever told of the machine."""

    items: list[Performance]
    total: PerformanceTotalAnswer | None
    next: None


class ServiceAnswer(BaseModel):
    """`rule`: of one alarm rule; null: all alarms of the machine."""

    asset: str
    rule: str | None
    in_service: bool


class SignalQualityAnswer(BaseModel):
    """`strip`: the share of the instants with a value, in equal parts of the time; null where there was none."""

    signal: str
    present: float
    last: Moment | None
    longest_gap_s: float
    strip: list[float | None]


class QualityAnswer(BaseModel):
    """`from` and `to` are null where nothing was ever told of the machine."""

    asset: str
    first: Moment | None = Field(alias="from")
    last: Moment | None = Field(alias="to")
    instants: int
    withheld: dict[Reason, int]
    signals: list[SignalQualityAnswer]
