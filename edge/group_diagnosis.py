"""What a group's detections mean: health, zones, which fault, how long still. The blocks behind state detection, in order."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contracts.assessment import Diagnosis, FaultMode, RemainingLife, Zone
from edge.contracts.model_spec import ModelSpec
from edge.contracts.spectrum import SpectrumLine, WaveformSpectrum
from edge.data_manipulation.grid import GridRow
from edge.data_manipulation.waveform_hold import WaveformHold
from edge.groups import Group
from edge.health_assessment.health import HealthTrend, zones
from edge.health_assessment.signature import SignatureDiagnosis
from edge.health_assessment.spectrum import bearing_rates, envelope_spectrum, line, lines_of, spectrum
from edge.health_assessment.vibration import VibrationTrend, VibrationZones
from edge.knowledge import ClassKnowledge
from edge.prognostic_assessment.degradation import GUESSED_FAILURE_SCORE, GUESSED_SPREAD, DegradationTrend
from edge.prognostic_assessment.remaining_life import remaining_lives
from edge.state_detection.detector import SCORED, Detection
from edge.state_detection.onnx_model import OnnxModel
from edge.state_detection.response import response

S_PER_MIN = 60.0
S_PER_H = 3600.0
# bins of a spectrum that is published
MOST_BINS = 800
# an amplitude that counts as none
SMALLEST = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnoses:
    """Of one group at one instant.

    health:      (n_assets,) 0..1, NaN where unknown
    zones:       after ISO 20816, of the measured vibration
    lives:       what the model says of the remaining life, or the health's trend
    faults:      names of the columns of `probability` (n_assets, n_faults), and who gave it
    """

    health: NDArray[np.float32]
    zones: list[Zone | None]
    lives: list[RemainingLife | None]
    faults: tuple[str, ...]
    probability: Floats
    by: Diagnosis

    @property
    def all_zones(self) -> list[Zone | None]:
        """Of each asset the worse of health's and the vibration's."""
        by_health = zones(self.health)
        return [max(one, other) if one and other else one or other for one, other in zip(by_health, self.zones, strict=True)]

    def fault(self, asset: int) -> FaultMode | None:
        """The likeliest fault mode; None where none is likelier than no fault."""
        if not len(self.faults):
            return None
        shares = self.probability[asset]
        likeliest = int(np.argmax(shares))
        # what the probabilities leave to 1 is that of no fault
        if shares[likeliest] <= 1.0 - shares.sum():
            return None
        return FaultMode(name=self.faults[likeliest], probability=float(np.float32(shares[likeliest])), by=self.by)

    def by_fault(self, asset: int) -> dict[str, float]:
        return dict(zip(self.faults, self.probability[asset].tolist(), strict=True))


class GroupDiagnosis:
    """The health, the faults and the remaining lives of one group."""

    def __init__(self, group: Group, knowledge: ClassKnowledge) -> None:
        self.group = group
        n_assets, period_s = len(group.assets), group.period_ns / 1e9
        self.health = HealthTrend(n_assets, period_s)
        self.degradation = _degradation(n_assets, knowledge)
        self.vibration = VibrationTrend(group.settings, period_s)
        self.zones = VibrationZones(group.settings, group.names, period_s)
        self.signature = SignatureDiagnosis(knowledge.faults, group.names, n_assets, period_s)
        turning = [next((name for name, s in asset.signals.items() if s.unit == "/min"), None) for asset in group.settings]
        self._speed = np.array([group.column(name) if name else -1 for name in turning], np.int64)
        rated = [asset.nameplate.rated_speed if asset.nameplate else None for asset in group.settings]
        self._rated = np.array([speed or math.nan for speed in rated])
        self._anomalous = np.zeros(n_assets, np.bool_)
        # of which model, and what `_referred` says of it
        self._referred: tuple[ModelSpec, tuple[list[int], list[int], Floats]] | None = None

    def serve(self, model: OnnxModel | None, deadline_s: float | None) -> None:
        """From the next instant on deviations are those of this model."""
        shows = response(model, deadline_s) if model is not None else None
        if model is None or shows is None:
            self.signature.shown_by(None)
            return
        columns = [self.group.column(signal.name) for signal in model.spec.signals]
        placed = np.eye(len(self.group.names))
        placed[np.ix_(columns, columns)] = shows
        self.signature.shown_by(placed)

    def listen(self, row: GridRow, hold: WaveformHold, came: list[int], running: NDArray[np.bool_]) -> None:
        """Blocks of a fast signal that came for these assets; a machine that stands teaches nothing of how it runs."""
        for asset in came:
            if not running[asset]:
                continue
            shaft_hz = self.shaft_hz(row, asset)
            self.vibration.take(
                asset, hold.points[asset], hold.rate_hz(asset), shaft_hz, healthy=not bool(self._anomalous[asset])
            )

    def update(self, row: GridRow, running: NDArray[np.bool_], detection: Detection, spec: ModelSpec | None) -> Diagnoses:
        """The diagnoses of one instant."""
        scored = detection.reason == SCORED
        self._anomalous = np.where(scored, detection.score >= 1.0, self._anomalous)
        self.vibration.forget(~running)
        spectral = self.vibration.advance()
        by_signature = self.signature.update(self._deviation(row.value, detection, spec), spectral)
        # much of what tells faults apart is in the sound: while nobody knows what of it is usual, none is named
        by_signature[self.vibration.is_strange] = 0.0
        given = detection.outputs.get("fault_probability")
        # a model that knows the machine's life knows more than the trend of its score
        by_trend = self.degradation.update(row.time, detection.momentary).astype(np.float32)
        return Diagnoses(
            health=self.health.update(detection.score),
            zones=self.zones.update(row.value, running),
            lives=remaining_lives(detection.outputs.get("rul_h", by_trend)),
            faults=spec.faults if given is not None and spec is not None else self.signature.faults,
            probability=given.astype(np.float64) if given is not None else by_signature,
            by=Diagnosis.MODEL if given is not None else Diagnosis.SIGNATURE,
        )

    def shaft_hz(self, row: GridRow, asset: int) -> float:
        """How fast it turns: measured, or else as the nameplate has it; NaN where nobody says so."""
        measured = row.value[asset, self._speed[asset]] if self._speed[asset] >= 0 else math.nan
        speed = measured if np.isfinite(measured) else self._rated[asset]
        return float(speed) / S_PER_MIN

    def rewind(self) -> None:
        self.degradation.rewind()

    def blocks(self) -> Mapping[str, "HealthTrend | DegradationTrend | VibrationTrend | VibrationZones | SignatureDiagnosis"]:
        return {
            "health": self.health,
            "degradation": self.degradation,
            "vibration": self.vibration,
            "zones": self.zones,
            "signature": self.signature,
        }

    def _deviation(self, value: Floats, detection: Detection, spec: ModelSpec | None) -> Floats:
        """(n_assets, n_signals) measured less expected in tolerances, NaN where unknown."""
        deviation = np.full(self.group.shape, np.nan)
        expected = detection.outputs.get("expected")
        if spec is None or expected is None:
            return deviation
        if self._referred is None or self._referred[0] is not spec:
            self._referred = spec, _referred(spec, self.group)
        places, columns, tolerances = self._referred[1]
        deviation[:, places] = (value[:, places] - expected[:, columns]) / tolerances
        deviation[detection.reason != SCORED] = np.nan
        return deviation


def _referred(spec: ModelSpec, group: Group) -> tuple[list[int], list[int], Floats]:
    """Of the signals for which a model knows a tolerance: their columns in the group, those in the model, and tolerances."""
    tolerances = {name: reference.tolerance for name, reference in spec.reference.items() if reference.tolerance}
    known = [(column, signal.name) for column, signal in enumerate(spec.signals) if signal.name in tolerances]
    places, columns = [group.column(name) for _, name in known], [column for column, _ in known]
    return places, columns, np.array([tolerances[name] for _, name in known])


def _degradation(n_assets: int, knowledge: ClassKnowledge) -> DegradationTrend:
    failure = knowledge.failure
    if failure is None:
        return DegradationTrend(n_assets, GUESSED_FAILURE_SCORE, GUESSED_SPREAD)
    return DegradationTrend(n_assets, failure.score, failure.spread, failure.cycle_h * S_PER_H)


def describe_block(group: Group, asset: int, name: str, hold: WaveformHold, shaft_hz: float) -> WaveformSpectrum:
    """The spectra of an asset's newest block, with the lines that would tell of a fault."""
    settings = group.settings[asset]
    bearing = settings.nameplate.bearing if settings.nameplate else None
    points, rate_hz = hold.points[asset][None], hold.rate_hz(asset)
    found, envelope = spectrum(points, rate_hz), envelope_spectrum(points, rate_hz)
    in_envelope = bearing_rates(bearing) if bearing is not None else {}
    lines = []
    for line_name, hz in lines_of(shaft_hz, bearing).items():
        place, amplitude = line(envelope if line_name in in_envelope else found, 0, hz)
        if not math.isnan(place):
            lines.append(SpectrumLine(name=line_name, hz=hz, amplitude=amplitude, envelope=line_name in in_envelope))
    # what the lines and their harmonics reach to
    reach = max((10 * each.hz for each in lines), default=found.step_hz * MOST_BINS)
    enveloped = envelope.amplitude[0, : max(round(reach / envelope.step_hz), 16)]
    step_hz, thinned = _thinned(found.step_hz, found.amplitude[0])
    envelope_step_hz, envelope_amplitude = _thinned(envelope.step_hz, enveloped)
    return WaveformSpectrum(
        asset=group.assets[asset],
        signal=name,
        time=hold.time(asset),
        unit=settings.waveforms[name].unit,
        shaft_hz=shaft_hz if math.isfinite(shaft_hz) else None,
        step_hz=step_hz,
        amplitude=thinned,
        envelope_step_hz=envelope_step_hz,
        envelope=envelope_amplitude,
        lines=tuple(lines),
    )


def _thinned(step_hz: float, amplitude: Floats) -> tuple[float, tuple[float, ...]]:
    """At most `MOST_BINS` bins, of neighbours the largest."""
    together = -(-len(amplitude) // MOST_BINS)
    padded = np.pad(amplitude, (0, -len(amplitude) % together))
    thin = padded.reshape(-1, together).max(axis=1)
    # four digits are more than a block can tell
    digit = 10.0 ** (np.floor(np.log10(np.maximum(thin, SMALLEST))) - 3.0)
    # a whole number by a whole number gives the float that is written the shortest
    rounded = np.round(thin / digit) * np.maximum(digit, 1.0) / np.maximum(np.round(1.0 / digit), 1.0)
    return step_hz * together, tuple(rounded.tolist())
