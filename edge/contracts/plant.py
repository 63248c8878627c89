"""The plant file: one TOML file that describes a site. Every key is explained in `edge/plants/README.md`."""

from dataclasses import dataclass
from dataclasses import field as dc_field
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from edge.contracts.alarm import BilingualText, Priority
from edge.contracts.topics import Topics

IDENTIFIER: Final = r"^[a-z0-9][a-z0-9-]*$"
SIGNAL_NAME: Final = r"^[a-z][a-z0-9_]*$"
NODE_ID: Final = r"^nsu=[^;]+;[isgb]=.+$"
SPARKPLUG_DEVICE: Final = r"^[^/+#]+(/[^/+#]+){1,2}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
SignalName = Annotated[str, Field(pattern=SIGNAL_NAME)]
NodeId = Annotated[str, Field(pattern=NODE_ID)]
SparkplugDevice = Annotated[str, Field(pattern=SPARKPLUG_DEVICE)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
# "source": its timestamps are trusted; "wall": far-off ones are replaced by the receive time and named
Clock = Literal["source", "wall"]
Security = Literal[
    "None",
    "Basic256Sha256/Sign",
    "Basic256Sha256/SignAndEncrypt",
    "Aes128Sha256RsaOaep/Sign",
    "Aes128Sha256RsaOaep/SignAndEncrypt",
    "Aes256Sha256RsaPss/Sign",
    "Aes256Sha256RsaPss/SignAndEncrypt",
]

# one text for both languages, or one for each
DisplayName = str | dict[Literal["sv", "en"], str] | None

_STRICT = ConfigDict(extra="forbid")


def _display_name(name: DisplayName, fallback: str) -> BilingualText:
    if isinstance(name, dict):
        sv, en = name.get("sv"), name.get("en")
        return BilingualText(sv=sv or en or fallback, en=en or sv or fallback)
    return BilingualText(sv=name or fallback, en=name or fallback)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The ISA-95 path. `demo = true` opens the simulator's faults to every visitor of the dashboard."""

    __pydantic_config__ = _STRICT
    enterprise: Identifier
    site: Identifier
    area: Identifier
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """How long raw samples are kept at the edge, and how much of them at most; `max_gb = 0` keeps none."""

    __pydantic_config__ = _STRICT
    keep_days: Positive = 30.0
    max_gb: NotNegative = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSettings:
    """Of each alarm what was measured from before to after it is kept, and so much of it at most; `max_gb = 0` keeps none."""

    __pydantic_config__ = _STRICT
    before_s: Annotated[float, Field(gt=0, le=3600)] = 300.0
    after_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    max_gb: NotNegative = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaOutput:
    """The edge's own OPC UA server, at `url`, for SCADA: results as nodes. Methods change nothing until `commands` is true.

    user: whoever connects needs this name and its password; empty: everyone may read
    """

    __pydantic_config__ = _STRICT
    url: Annotated[str, Field(pattern=r"^opc\.tcp://[^/\s]+:[0-9]{1,5}(/.*)?$")]
    security: Annotated[tuple[Security, ...], Field(min_length=1)] = ("None",)
    user: str = ""
    commands: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugOutput:
    """Results as metrics of Sparkplug B devices on the broker of `source`. No commands are taken until `commands` is true.

    node: the edge node's name; None: that of the edge
    """

    __pydantic_config__ = _STRICT
    source: Identifier
    group: Annotated[str, Field(pattern=r"^[^/+#]+$")]
    node: Annotated[str, Field(pattern=r"^[^/+#]+$")] | None = None
    commands: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """`results` names the MQTT source whose broker takes the results; with one MQTT source it may be left out.

    metrics: host and port at which the edge answers /metrics, /healthz and /readyz; empty: nowhere
    opcua, sparkplug: the ways back into the plant; None: off
    """

    __pydantic_config__ = _STRICT
    id: Identifier
    results: Identifier | None = None
    metrics: Annotated[str, Field(pattern=r"^(|\S+:[0-9]{1,5})$")] = ""
    recording: RecordingSettings = RecordingSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    opcua: OpcuaOutput | None = None
    sparkplug: SparkplugOutput | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaSource:
    __pydantic_config__ = _STRICT
    kind: Literal["opcua"]
    url: str
    security: Security = "None"
    user: str = ""
    publishing_ms: Positive = 100.0
    clock: Clock = "wall"


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSource:
    __pydantic_config__ = _STRICT
    kind: Literal["mqtt"]
    url: str
    user: str = ""
    clock: Clock = "wall"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugSource:
    """A broker on which edge nodes speak Sparkplug B; the edge is a host application there, under the id `host`.

    reorder_s: how long a message that came before its turn waits for the ones that are missing
    """

    __pydantic_config__ = _STRICT
    kind: Literal["sparkplug"]
    url: str
    user: str = ""
    host: Identifier | None = None
    reorder_s: NotNegative = 2.0
    clock: Clock = "wall"


Source = Annotated[OpcuaSource | MqttSource | SparkplugSource, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The fixed upper limits a plant has today, in the signal's unit."""

    __pydantic_config__ = _STRICT
    warning: Finite | None = None
    alarm: Finite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal. `column` is its column in recordings, where that differs from its name.

    zones:     boundaries A/B, B/C, C/D after ISO 20816, of a vibration velocity [the signal's unit]
    on_change: its source sends it only when it changes; None: as it is with this kind of source
    counter:   it only grows (energy, parts), so no model takes it as it is
    """

    __pydantic_config__ = _STRICT
    name: DisplayName = None
    unit: str
    source: Identifier
    node: NodeId | None = None
    topic: str | None = None
    field: str | None = None
    time_field: str | None = None
    device: SparkplugDevice | None = None
    metric: str | None = None
    column: str | None = None
    limits: Limits = Limits()
    zones: tuple[Positive, Positive, Positive] | None = None
    resample: Literal["last", "mean", "min", "max"] = "last"
    stale_s: Positive = 10.0
    on_change: bool | None = None
    counter: bool = False

    def display_name(self, signal_name: str) -> BilingualText:
        return _display_name(self.name, signal_name.replace("_", " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """One fast signal: a block of `points` values at `rate_hz` every `every_s` seconds."""

    __pydantic_config__ = _STRICT
    name: DisplayName = None
    unit: str
    source: Identifier
    node: NodeId | None = None
    topic: str | None = None
    rate_hz: Positive = 25600.0
    points: Annotated[int, Field(gt=0, le=1 << 16)] = 4096
    every_s: Positive = 10.0

    def display_name(self, signal_name: str) -> BilingualText:
        return _display_name(self.name, signal_name.replace("_", " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The asset runs while `signal` is above this value; otherwise scores are withheld: machine-off."""

    __pydantic_config__ = _STRICT
    signal: SignalName
    above: Finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """Which signals tell what the asset does, makes and takes.

    energy:  a counter of energy; product: a counter of what is made (parts, batches, m3), or a flow by the hour
    recipe, state: text signals of the asset's context; states: by what it does the names that the plant has for it
    """

    __pydantic_config__ = _STRICT
    energy: SignalName | None = None
    product: SignalName | None = None
    recipe: SignalName | None = None
    state: SignalName | None = None
    states: dict[Literal["running", "idle", "changeover", "off"], tuple[str, ...]] = dc_field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSettings:
    """Delays after ISA-18.2. The alarm returns when the score is below 1 - `hysteresis` for `off_delay_s`."""

    __pydantic_config__ = _STRICT
    on_delay_s: NotNegative = 5.0
    off_delay_s: NotNegative = 30.0
    hysteresis: Annotated[float, Field(ge=0, lt=1)] = 0.1
    priority: Priority = Priority.MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """Geometry of a rolling bearing: number of balls, ball and pitch diameter [mm], contact angle [deg]."""

    __pydantic_config__ = _STRICT
    balls: Annotated[int, Field(gt=0)]
    ball_mm: Positive
    pitch_mm: Positive
    contact_deg: Finite = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    __pydantic_config__ = _STRICT
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    rated_kw: Positive | None = None
    rated_speed: Positive | None = None
    bearing: Bearing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One machine. `class` in the file is `asset_class` here; `period_s` is the period of its grid."""

    __pydantic_config__ = _STRICT
    asset_class: Annotated[Identifier, Field(validation_alias="class")]
    name: DisplayName = None
    model: Identifier | None = None
    period_s: Positive = 1.0
    lateness_s: NotNegative = 0.5
    running: Running | None = None
    context: tuple[SignalName, ...] = ()
    production: Production | None = None
    nameplate: Nameplate | None = None
    alarm: AlarmSettings = AlarmSettings()
    signals: Annotated[dict[SignalName, Signal], Field(min_length=1)]
    waveforms: dict[SignalName, Waveform] = dc_field(default_factory=dict)

    def display_name(self, asset_id: str) -> BilingualText:
        return _display_name(self.name, asset_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEntry:
    """One row of the signal table; its position is the `signal` column of a `SampleBatch`."""

    index: int
    asset: str
    name: str
    signal: Signal
    is_text: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformEntry:
    """One fast signal of the plant; indices go on where the signal table ends."""

    index: int
    asset: str
    name: str
    signal: Waveform


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A site, whole. Get one from `plant_file.load_plant`."""

    __pydantic_config__ = _STRICT
    schema: Literal[1]
    site: Site
    edge: EdgeSettings
    sources: Annotated[dict[Identifier, Source], Field(min_length=1)]
    assets: Annotated[dict[Identifier, Asset], Field(min_length=1)]

    @cached_property
    def signal_table(self) -> tuple[SignalEntry, ...]:
        """All signals of all assets, in the order of the file."""
        rows = [
            (asset_id, name, signal, name in asset.context)
            for asset_id, asset in self.assets.items()
            for name, signal in asset.signals.items()
        ]
        return tuple(
            SignalEntry(index=index, asset=asset_id, name=name, signal=signal, is_text=is_text)
            for index, (asset_id, name, signal, is_text) in enumerate(rows)
        )

    @cached_property
    def waveform_table(self) -> tuple[WaveformEntry, ...]:
        """All fast signals of all assets, in the order of the file."""
        rows = [(asset_id, name, wave) for asset_id, asset in self.assets.items() for name, wave in asset.waveforms.items()]
        return tuple(
            WaveformEntry(index=len(self.signal_table) + number, asset=asset_id, name=name, signal=wave)
            for number, (asset_id, name, wave) in enumerate(rows)
        )

    @cached_property
    def signal_index(self) -> dict[tuple[str, str], int]:
        """(asset, signal name) → index in the signal table."""
        return {(row.asset, row.name): row.index for row in self.signal_table}

    def signals_of(self, source: str) -> tuple[SignalEntry, ...]:
        return tuple(row for row in self.signal_table if row.signal.source == source)

    def on_change_of(self, source: str) -> tuple[SignalEntry, ...]:
        """The signals that a source sends only when they change; Sparkplug B is made so (3.0.0, 1.5)."""
        usual = isinstance(self.sources[source], SparkplugSource)
        return tuple(
            row for row in self.signals_of(source) if (usual if row.signal.on_change is None else row.signal.on_change)
        )

    @property
    def topics(self) -> Topics:
        return Topics(f"kullager/v1/{self.site.enterprise}/{self.site.site}/{self.site.area}")

    @property
    def results_source(self) -> tuple[str, MqttSource]:
        """The name and settings of the broker that takes results and commands."""
        brokers = {name: source for name, source in self.sources.items() if isinstance(source, MqttSource)}
        name = self.edge.results or next(iter(brokers))
        return name, brokers[name]
