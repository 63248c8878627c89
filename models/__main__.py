"""`python -m models train | wrap | labels | evaluate | compare | keygen | sign | benchmark`.

Each verb imports what it needs itself: scikit-learn and pandas take seconds, and --help or a mistyped option should not.
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import orjson
from tqdm import tqdm

from edge.contracts.errors import KullagerError, RecordingError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch
from models.arguments import CYCLES, DEFAULTS, parser
from models.settings import Settings, UnfitSettings

if TYPE_CHECKING:
    from edge.formats.recording import Recording
    from edge.formats.waveform_recording import WaveformRecording
    from models.labels import Labels
    from models.training import TrainedModel

logger = logging.getLogger("kullager.models")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 when done, 2 for what the operator can put right, 130 when interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    options = parser().parse_args(arguments)
    try:
        VERBS[options.verb](options)
    except KullagerError as error:
        print(f"models: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"models: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("models: interrupted before it was done", file=sys.stderr)
        return 130
    return 0


def _train(options: argparse.Namespace) -> None:
    from models.card import card
    from models.card_page import page
    from models.cycles import with_window
    from models.dataset import read_recording, select
    from models.export import write
    from models.fleet import joined
    from models.labels import read_labels
    from models.training import train

    plant = load_plant(options.plant, os.environ)
    settings = replace(
        _limits(options),
        family=options.family,
        features=options.features,
        operating=options.operating,
        horizon_h=options.horizon,
    )
    assets = [options.asset, *options.also]
    if options.also and options.waveform:
        raise UnfitSettings("--waveform gives blocks of one machine: leave out --also, or --waveform")
    recordings = []
    for asset in assets:
        logger.info("reading '%s' from %s", asset, options.data)
        recording = read_recording(options.data, plant, asset, zone=options.time_zone)
        recordings.append(select(recording, options.rows, options.first, options.last))
    if options.window == CYCLES:
        settings = with_window(settings, recordings[0], plant.assets[options.asset])
    labels = None
    if options.labels:
        labels = [read_labels(options.labels, asset, may_be_silent=bool(options.also)) for asset in assets]
    path = options.out or _default_path(plant, options.asset)
    machines = joined(recordings, labels, plant, settings)
    if options.auto:
        settings = _chosen(machines.recording, plant, settings, machines.labels)
    trained = train(
        machines, plant, settings, None, _waveforms(options, plant), watch=_progress, step=lambda what: logger.info("%s", what)
    )
    latency = _put(path, trained.content)
    words = card(trained, options.asset, latency)
    write(path.with_suffix(".md"), words)
    write(path.with_suffix(".html"), page(trained, words))
    _tell(trained, path)


def _chosen(recording: "Recording", plant: Plant, settings: Settings, labels: "Labels | None") -> Settings:
    """The settings with the family and features that suit the machine best; the comparison goes to the terminal."""
    from models.choice import choose, table
    from models.dataset import healthy_data

    data = healthy_data(
        recording,
        plant,
        n_samples=settings.n_samples,
        min_coverage=settings.min_coverage,
        since_change=settings.since_change,
        without=settings.without,
        labels=labels,
    )
    candidates = choose(data, settings, lambda what: logger.info("%s", what))
    if not candidates:
        raise RecordingError(f"{recording.path}: {len(data.windows)} windows are too few to compare families; give more rows")
    best = candidates[0]
    print(f"chosen        {best.name}: the most sensitive of those that stay quiet later\n\n{table(candidates)}\n")
    return replace(settings, family=best.family, features=best.features)


def _wrap(options: argparse.Namespace) -> None:
    from models.card import false_alarm_sentence
    from models.dataset import read_recording, select
    from models.wrap import Foreign, wrap

    plant = load_plant(options.plant, os.environ)
    settings = _limits(options)
    foreign = Foreign(
        layout=options.layout,
        standardise=options.standardise,
        output=options.output,
        lower_is_worse=options.lower_is_worse,
    )
    recording = read_recording(options.data, plant, options.asset, zone=options.time_zone)
    path = options.out or _default_path(plant, options.asset)
    healthy = select(recording, options.rows, options.first, options.last)
    wrapped = wrap(options.model, healthy, plant, settings, foreign, watch=_progress)
    latency = _put(path, wrapped.content)
    gives = "its input back: residuals are scored" if wrapped.reconstructs else "one number for each window"
    print(f"foreign model {options.model}, made by {wrapped.spec.figures['made_by']}; gives {gives}")
    spec = wrapped.spec
    print(f"calibrated on {wrapped.n_windows} windows of {spec.n_samples} instants and {len(spec.signals)} signals")
    print(f"false alarms  {false_alarm_sentence(wrapped.calibration)}")
    print("              (true only if it was not trained on these data)")
    print(f"model file    {path} ({len(wrapped.content) / 1000:.1f} kB), {latency:.0f} µs for one asset")


def _put(path: Path, content: bytes) -> float:
    """Write a model through the edge's own checks, so that what it would refuse is never put in place; its latency [µs]."""
    from models.card import latency_us
    from models.export import write

    with TemporaryDirectory() as folder:
        candidate = Path(folder) / path.name
        write(candidate, content)
        latency = latency_us(candidate)
    write(path, content)
    return latency


def _limits(options: argparse.Namespace) -> Settings:
    """The settings that every model with a limit has."""
    return Settings(
        n_samples=DEFAULTS.n_samples if options.window == CYCLES else options.window,
        false_alarms=options.false_alarms,
        persistence=options.persistence,
        version=options.version,
        without=options.without,
    )


def _labels(options: argparse.Namespace) -> None:
    from models.export import write
    from models.labels import from_alarms, read_alarms

    text = from_alarms(read_alarms(options.alarms))
    write(options.out, text)
    print(f"{text.count(chr(10)) - 1} acknowledged alarms in {options.out}; give each its state and mode, then train --labels")


def _evaluate(options: argparse.Namespace) -> None:
    from edge.pipeline import OnnxModel
    from models.dataset import read_recording
    from models.evaluate import as_document, evaluate, table
    from models.labels import read_labels

    plant = load_plant(options.plant, os.environ)
    columns = [options.label_column] if options.label_column else []
    recording = read_recording(options.data, plant, options.asset, columns, options.time_zone)
    model = OnnxModel.load(options.model)
    found = evaluate(
        plant,
        options.asset,
        model,
        recording,
        options.label_column or read_labels(options.labels, options.asset),
        skip_rows=options.skip_rows,
        waveforms=_waveforms(options, plant),
        watch=_progress,
    )
    print(orjson.dumps(as_document(found), option=orjson.OPT_INDENT_2).decode() if options.json else table(found))


def _compare(options: argparse.Namespace) -> None:
    from edge.pipeline import OnnxModel
    from models.compare import compare, table
    from models.dataset import read_recording

    plant = load_plant(options.plant, os.environ)
    columns = [options.label_column] if options.label_column else []
    recording = read_recording(options.data, plant, options.asset, columns, options.time_zone)
    models = OnnxModel.load(options.model), OnnxModel.load(options.other)
    print(table(compare(plant, options.asset, models, recording, options.label_column, watch=_progress)))


def _keygen(options: argparse.Namespace) -> None:
    from models.signing import make_keys

    public = make_keys(options.private)
    print(f"private key   {options.private}: stays with you; whoever has it can put models in service")
    print(f"public key    {public}: goes to KULLAGER_HOME/edge/model-keys/ of each edge that is to trust it")


def _sign(options: argparse.Namespace) -> None:
    from models.signing import sign

    print(f"signature     {sign(options.model, options.key)}")


def _benchmark(options: argparse.Namespace) -> None:
    """Each protocol has a module of its own, and prints one table."""
    from threadpoolctl import threadpool_limits

    from models.benchmarks import PROTOCOLS

    def step(what: str) -> None:
        logger.info("%s", what)

    if options.protocol == "skab":
        from models.benchmarks.skab import skab, table

        plant = load_plant(options.plant, os.environ)
        settings = Settings(family=options.family, features=options.features, n_samples=options.window)
        print(table(settings, skab(options.folder, plant, options.asset, settings, step)))
    else:
        with threadpool_limits(limits=1):
            print(PROTOCOLS[options.protocol](options.folder, step))


def _tell(trained: "TrainedModel", path: Path) -> None:
    from models.card import false_alarm_sentence

    spec, on = trained.spec, trained.spec.trained_on
    if on is not None:
        print(f"trained on    {on.rows} rows, {on.first} to {on.last}; {len(trained.data.windows)} windows")
    print(f"model         {spec.name} version {spec.version}: {len(spec.signals)} signals, {spec.n_samples} instants")
    print(f"detector      {spec.figures['family']} of {', '.join(spec.figures['features'])}")
    if spec.context:
        told_by = ", ".join(context.name for context in spec.context)
        print(f"modes         {', '.join(spec.figures['modes'])} (told by {told_by}); others are withheld as unknown")
    print(f"false alarms  {false_alarm_sentence(trained.calibration)}")
    figures = spec.figures
    if spec.faults:
        told = ", ".join(f"{fault} {figures['diagnosis_f1'][fault]:.2f}" for fault in spec.faults)
        print(f"diagnosis     F1 on occurrences that were held out: {told}")
    if "rul_lives" in figures:
        print(
            f"remaining     RMSE {figures['rul_rmse_h']:.3g} h over {figures['rul_lives']} lives, each held out "
            f"(always their mean: {figures['rul_rmse_floor_h']:.3g} h); the 80 % interval held {figures['rul_coverage']:.0%}"
        )
    print(f"model file    {path} ({len(trained.content) / 1000:.1f} kB)")
    print(f"model card    {path.with_suffix('.html')}, and the same words in {path.with_suffix('.md').name}")


def _default_path(plant: Plant, asset: str) -> Path:
    name = plant.assets[asset].model
    if name is None:
        raise RecordingError(f"asset '{asset}' names no model in the plant file; add model = \"…\" or give --out")
    return Path(os.environ.get("KULLAGER_HOME", ".kullager")) / "models" / f"{name}.onnx"


def _progress(batches: Iterable[SampleBatch], total: int) -> Iterator[SampleBatch]:
    """A bar on a terminal; elsewhere a plain line for each quarter."""
    if sys.stderr.isatty():
        yield from tqdm(batches, total=total, desc="reading", unit="batch", leave=False)
        return
    for done, batch in enumerate(batches, start=1):
        yield batch
        if done * 4 // total > (done - 1) * 4 // total:
            logger.info("read %d %%", 100 * done // total)


def _waveforms(options: argparse.Namespace, plant: Plant) -> "list[WaveformRecording]":
    from edge.formats.waveform_recording import read_waveforms

    return [read_waveforms(path, plant, options.asset, name) for name, path in options.waveform]


VERBS: Final = {
    "train": _train,
    "wrap": _wrap,
    "labels": _labels,
    "evaluate": _evaluate,
    "compare": _compare,
    "keygen": _keygen,
    "sign": _sign,
    "benchmark": _benchmark,
}

if __name__ == "__main__":
    sys.exit(main())
