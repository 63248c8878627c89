"""From a healthy recording to a model file: windows, features, calibration, fit, export, proof."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edge.contracts.model_spec import ModelSpec, ModelWaveform
from edge.contracts.plant import AlarmSettings, Asset, Plant
from edge.formats.json_message import format_time
from edge.formats.recording import Recording
from edge.formats.waveform_recording import WaveformRecording
from models.calibrate import N_BLOCKS, Calibration, calibrate
from models.dataset import HealthyData, Watch, healthy_data
from models.detectors import FAMILIES, Detector, ForwardDetector
from models.detectors.base import Modes, Samples, stride_of
from models.export import Parity, check_additions, check_parity, graph, with_metadata
from models.features import FeatureGraph
from models.fleet import Fleet, joined
from models.labels import Condition, Labels
from models.operating import OperatingRegion
from models.settings import Settings, UnfitSettings
from models.specification import specification
from models.spectra import SpectrumGraph
from models.supervision import Addition, diagnosis, remaining_life, signature


class Watched(Protocol):
    """What of an asset decides when an alarm comes."""

    @property
    def period_s(self) -> float: ...

    @property
    def alarm(self) -> AlarmSettings: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A model file's `content`, and what was found while making it."""

    content: bytes
    spec: ModelSpec
    detector: Detector
    features: FeatureGraph
    data: HealthyData
    calibration: Calibration
    parity: Parity
    additions: tuple[Addition, ...]
    labels: Labels | None


def train(
    recording: Recording | Fleet,
    plant: Plant,
    settings: Settings,
    labels: Labels | None = None,
    waveforms: Sequence[WaveformRecording] = (),
    *,
    watch: Watch = lambda batches, _: batches,
    step: Callable[[str], None] = lambda _: None,
) -> TrainedModel:
    """Train a detector on a recording that is healthy from end to end, or on what `labels` say is healthy.

    Several machines come as a `Fleet`, which has labels of its own.
    Labelled faults teach which one it is, labelled failures how long the machine will last. `watch` and `step` show
    progress. The same recording and settings give the same bytes on one machine.
    """
    fleet = recording if isinstance(recording, Fleet) else joined([recording], [labels] if labels else None, plant, settings)
    recording, labels = fleet.recording, fleet.labels
    # sums in another order have other last bits, and the bytes of the file would depend on the number of cores
    with threadpool_limits(limits=1):
        step("grid and windows")
        data = healthy_data(
            recording,
            plant,
            n_samples=settings.n_samples,
            min_coverage=settings.min_coverage,
            since_change=settings.since_change,
            without=settings.without,
            labels=labels,
            waveforms=waveforms,
            watch=watch,
        )
        true_ends = replace(data.trained_on, first=format_time(fleet.first), last=format_time(fleet.last))
        data = replace(data, trained_on=true_ends)
        step("features")
        asset = plant.assets[recording.asset]
        columns = [signal.name for signal in data.signals]
        spectra = [SpectrumGraph.of(wave.waveform, asset, columns) for wave in waveforms]
        features = FeatureGraph.learn(data.windows, settings.features, spectra)
        computed = features.compute(data.windows)
        region = _region(computed, columns, settings, recording.asset)
        step(f"held-out scores in {N_BLOCKS} blocks of time")
        detector, calibration = calibrated(computed, data.time, data.mode, asset, settings)
        additions = _additions(data, features, labels, asset, settings, step)
        if not (labels and labels.modes) and (lines := signature(detector, features, data, computed)):
            additions += (lines,)
        step("export and proof")
        spec = specification(
            asset,
            settings,
            data,
            calibration,
            lambda column: calibration.expected[:, column] + features.centre[column],
            {
                "family": settings.family,
                "features": list(features.kinds),
                "operating": list(settings.operating),
                "machines": list(fleet.assets),
                **{name: figure for addition in additions for name, figure in addition.figures.items()},
            },
            faults=tuple(fault for addition in additions for fault in addition.faults),
            waveforms=tuple(
                ModelWaveform(name=each.name, unit=each.unit, rate_hz=each.rate_hz, n_points=each.n_points)
                for each in features.spectra
            ),
        )
        content = with_metadata(graph(detector, features, data.modes, region, additions), spec, data.windows, data.codes)
        parity = check_parity(content, detector, features, data.windows, computed, data.mode, data.codes, region)
        parity = check_additions(content, additions, len(data.modes.contexts), parity)
    return TrainedModel(
        content=content,
        spec=spec,
        detector=detector,
        features=features,
        data=data,
        calibration=calibration,
        parity=parity,
        additions=additions,
        labels=labels,
    )


def _region(computed: Samples, columns: Sequence[str], settings: Settings, asset: str) -> OperatingRegion | None:
    if unknown := [name for name in settings.operating if name not in columns]:
        raise UnfitSettings(
            f"--operating {unknown[0]}: '{asset}' gives the model no such number; possible: {', '.join(columns)}"
        )
    return OperatingRegion.learn(computed, columns, settings.operating) if settings.operating else None


def _additions(
    data: HealthyData,
    features: FeatureGraph,
    labels: Labels | None,
    asset: Asset,
    settings: Settings,
    step: Callable[[str], None],
) -> tuple[Addition, ...]:
    if labels is None:
        return ()
    found, period_ns = [], round(asset.period_s * 1e9)
    if labels.modes:
        found.append(diagnosis(data.scored, data.scored_time, features, labels, period_ns, step))
    if labels.of(Condition.FAILED):
        found.append(remaining_life(data.scored, data.scored_time, features, labels, period_ns, settings.horizon_h, step))
    return tuple(found)


def calibrated(
    computed: Samples, time: NDArray[np.int64], mode: Modes, asset: Watched, settings: Settings
) -> tuple[Detector, Calibration]:
    """A detector that was fitted to all healthy windows, with limits from those that were held out.

    computed: (n_windows, n_features); time: (n_windows,) [ns] at which they end; mode: (n_windows,)
    """
    detector = FAMILIES[settings.family]()
    stride = stride_of(len(computed))
    if isinstance(detector, ForwardDetector):
        detector.set_params(n_blocks=N_BLOCKS, purge=-(-(settings.n_samples - 1) // stride))
    calibration = calibrate(
        detector,
        computed,
        time,
        n_samples=settings.n_samples,
        period_s=asset.period_s,
        persistence=settings.persistence,
        alarm=asset.alarm,
        false_alarms_per_week=settings.false_alarms,
        mode=mode,
    )
    detector.fit(computed[::stride], mode=mode[::stride])
    detector.limits_ = calibration.limits
    return detector, calibration
