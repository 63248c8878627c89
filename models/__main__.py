"""`python -m models train | evaluate | compare | benchmark`.

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
from typing import TYPE_CHECKING

import orjson
from tqdm import tqdm

from edge.contracts.errors import KullagerError, RecordingError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch
from edge.formats.json_message import parse_time
from models.settings import FAMILIES, FEATURES, Settings

if TYPE_CHECKING:
    from edge.formats.recording import Recording
    from edge.formats.waveform_recording import WaveformRecording
    from models.labels import Labels
    from models.training import TrainedModel

logger = logging.getLogger("kullager.models")
DEFAULTS = Settings()
SKAB_PLANT = Path("tests/cases/skab/plant.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 when done, 2 for what the operator can put right, 130 when interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
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
    from models.card import card, latency_us
    from models.card_page import page
    from models.dataset import read_recording, select
    from models.export import write
    from models.labels import read_labels
    from models.training import train

    plant = load_plant(options.plant, os.environ)
    settings = Settings(
        family=options.family,
        features=options.features,
        n_samples=options.window,
        false_alarms=options.false_alarms,
        persistence=options.persistence,
        version=options.version,
        without=options.without,
        horizon_h=options.horizon,
    )
    logger.info("reading %s", options.data)
    recording = read_recording(options.data, plant, options.asset)
    labels = read_labels(options.labels, options.asset) if options.labels else None
    path = options.out or _default_path(plant, options.asset)
    healthy = select(recording, options.rows, options.first, options.last)
    if options.auto:
        settings = _chosen(healthy, plant, settings, labels)
    trained = train(
        healthy, plant, settings, labels, _waveforms(options, plant), watch=_progress, step=lambda what: logger.info("%s", what)
    )
    with TemporaryDirectory() as folder:
        # through the edge's own checks first: what it would refuse is never put in place
        candidate = Path(folder) / path.name
        write(candidate, trained.content)
        latency = latency_us(candidate)
    write(path, trained.content)
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
    from models.card import false_alarm_sentence, latency_us
    from models.dataset import read_recording, select
    from models.export import write
    from models.wrap import Foreign, wrap

    plant = load_plant(options.plant, os.environ)
    settings = Settings(
        n_samples=options.window,
        false_alarms=options.false_alarms,
        persistence=options.persistence,
        version=options.version,
        without=options.without,
    )
    foreign = Foreign(
        layout=options.layout,
        standardise=options.standardise,
        output=options.output,
        lower_is_worse=options.lower_is_worse,
    )
    recording = read_recording(options.data, plant, options.asset)
    path = options.out or _default_path(plant, options.asset)
    healthy = select(recording, options.rows, options.first, options.last)
    wrapped = wrap(options.model, healthy, plant, settings, foreign, watch=_progress)
    with TemporaryDirectory() as folder:
        candidate = Path(folder) / path.name
        write(candidate, wrapped.content)
        latency = latency_us(candidate)
    write(path, wrapped.content)
    gives = "its input back: residuals are scored" if wrapped.reconstructs else "one number for each window"
    print(f"foreign model {options.model}, made by {wrapped.spec.figures['made_by']}; gives {gives}")
    spec = wrapped.spec
    print(f"calibrated on {wrapped.n_windows} windows of {spec.n_samples} instants and {len(spec.signals)} signals")
    print(f"false alarms  {false_alarm_sentence(wrapped.calibration)}")
    print("              (true only if it was not trained on these data)")
    print(f"model file    {path} ({len(wrapped.content) / 1000:.1f} kB), {latency:.0f} µs for one asset")


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
    recording = read_recording(options.data, plant, options.asset, columns)
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
    recording = read_recording(options.data, plant, options.asset, [options.label_column] if options.label_column else [])
    models = OnnxModel.load(options.model), OnnxModel.load(options.other)
    print(table(compare(plant, options.asset, models, recording, options.label_column, watch=_progress)))


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
        print(table(settings, *skab(options.folder, plant, options.asset, settings, step)))
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


def _rows(text: str) -> slice:
    """`0:400` → slice(0, 400)."""
    start, colon, stop = text.partition(":")
    try:
        rows = slice(int(start or 0), int(stop) if stop else None)
    except ValueError:
        colon = ""
    if not colon or rows.start < 0 or (rows.stop is not None and rows.stop <= rows.start):
        raise argparse.ArgumentTypeError(f"'{text}' should be rows from:to, such as 0:400")
    return rows


def _time(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="From plant data to one ONNX file for the edge.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    one = verbs.add_parser("train", help="train a detector on a healthy recording")
    _add_healthy(one)
    _add_waveform(one)
    one.add_argument("--labels", type=Path, metavar="CSV", help="what was the case when; see models/README.md")
    one.add_argument("--horizon", type=float, metavar="HOURS", help="longest remaining life that is told")
    _add_detector(one)
    one.add_argument("--auto", action="store_true", help="choose family and features by what healthy data say of them")
    one.set_defaults(run=_train)

    one = verbs.add_parser("wrap", help="put a model of any framework (ONNX) behind the contract, calibrated on healthy data")
    one.add_argument("model", type=Path, metavar="FOREIGN", help="ONNX file with one float input made of the window")
    _add_healthy(one)
    one.add_argument("--window", type=int, default=DEFAULTS.n_samples, help="trailing window in grid instants (%(default)s)")
    one.add_argument(
        "--layout",
        default="samples-signals",
        metavar="LAYOUT",
        help="of its input after the first axis: samples-signals, signals-samples, flat or newest (%(default)s)",
    )
    one.add_argument("--standardise", action="store_true", help="give it values around their healthy mean, in healthy spreads")
    one.add_argument("--output", metavar="NAME", help="which of its outputs tells")
    one.add_argument("--lower-is-worse", action="store_true", help="its number falls with the deviation")
    one.set_defaults(run=_wrap)

    one = verbs.add_parser("labels", help="acknowledged alarms as labels to be completed")
    one.add_argument("alarms", metavar="ALARMS", help="address of the api's /api/v1/alarms, or a file of what it gives (JSON)")
    one.add_argument("--out", type=Path, default=Path("labels.csv"), help="(%(default)s)")
    one.set_defaults(run=_labels)

    one = verbs.add_parser("evaluate", help="replay a labelled recording through the edge's pipeline")
    one.add_argument("model", type=Path, metavar="MODEL", help="model file (.onnx)")
    one.add_argument("data", type=Path, metavar="DATA", help="recording, CSV or Parquet")
    one.add_argument("--plant", type=Path, required=True, help="plant file (TOML)")
    one.add_argument("--asset", required=True, help="asset of the plant file that the recording is of")
    told_by = one.add_mutually_exclusive_group(required=True)
    told_by.add_argument("--label-column", metavar="COLUMN", help="1 where a row is anomalous, 0 where not")
    told_by.add_argument("--labels", type=Path, metavar="CSV", help="what was the case when; see models/README.md")
    one.add_argument("--skip-rows", type=int, default=0, metavar="N", help="replayed, but not judged: trained on (%(default)s)")
    _add_waveform(one)
    one.add_argument("--json", action="store_true", help="for programs")
    one.set_defaults(run=_evaluate)

    one = verbs.add_parser("compare", help="two models on the same recording: alarms gained, lost, earlier, later")
    one.add_argument("model", type=Path, metavar="MODEL", help="model file (.onnx) that is in service")
    one.add_argument("other", type=Path, metavar="OTHER", help="model file (.onnx) that may take its place")
    one.add_argument("data", type=Path, metavar="DATA", help="recording, CSV or Parquet")
    one.add_argument("--plant", type=Path, required=True, help="plant file (TOML)")
    one.add_argument("--asset", required=True, help="asset of the plant file that the recording is of")
    one.add_argument("--label-column", metavar="COLUMN", help="1 where a row is anomalous, 0 where not, where that is known")
    one.set_defaults(run=_compare)

    one = verbs.add_parser("benchmark", help="run a published protocol on recorded data")
    one.add_argument("protocol", choices=["skab", "hydraulic", "cmapss", "cwru", "pronostia"])
    one.add_argument("folder", type=Path, metavar="FOLDER", help="the data set, as it is published")
    one.add_argument("--plant", type=Path, default=SKAB_PLANT, help="plant file with its columns (%(default)s)")
    one.add_argument("--asset", default="rig", help="its asset (%(default)s)")
    _add_detector(one)
    one.set_defaults(run=_benchmark)
    return parser


def _add_detector(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--family", choices=FAMILIES, default=DEFAULTS.family, help="kind of detector (%(default)s)")
    verb.add_argument(
        "--features",
        type=_features,
        default=DEFAULTS.features,
        metavar="KIND,…",
        help=f"of each window beside the means: {', '.join(FEATURES)}, or none (default: none)",
    )
    verb.add_argument("--window", type=int, default=DEFAULTS.n_samples, help="trailing window in grid instants (%(default)s)")


def _add_healthy(verb: argparse.ArgumentParser) -> None:
    """What a limit is learnt from, and how far it is to hold."""
    verb.add_argument("data", type=Path, metavar="DATA", help="recording, CSV or Parquet")
    verb.add_argument("--plant", type=Path, required=True, help="plant file (TOML)")
    verb.add_argument("--asset", required=True, help="asset of the plant file that the recording is of")
    verb.add_argument("--out", type=Path, help="default: KULLAGER_HOME/models/<model of the asset>.onnx")
    verb.add_argument("--rows", type=_rows, metavar="FROM:TO", help="healthy rows of the file, such as 0:400")
    verb.add_argument("--from", type=_time, dest="first", metavar="TIME", help="healthy from this time, RFC 3339")
    verb.add_argument("--to", type=_time, dest="last", metavar="TIME", help="healthy up to this time, RFC 3339")
    verb.add_argument(
        "--false-alarms",
        type=float,
        default=DEFAULTS.false_alarms,
        metavar="N",
        help="that held-out healthy data may raise in a machine-week (%(default)s)",
    )
    verb.add_argument(
        "--persistence", type=int, default=DEFAULTS.persistence, help="scores ≥ 1 in a row for an anomaly (%(default)s)"
    )
    verb.add_argument("--without", action="append", default=[], metavar="SIGNAL", help="leave this signal out; repeatable")
    verb.add_argument("--version", default=DEFAULTS.version, help="version written into the model (%(default)s)")


def _add_waveform(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--waveform",
        action="append",
        default=[],
        type=_named_file,
        metavar="NAME=FILE",
        help="blocks of a fast signal of the plant file (.npz); repeatable",
    )


def _named_file(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' should be a waveform and its file, such as acceleration=blocks.npz")
    return name, Path(path)


def _waveforms(options: argparse.Namespace, plant: Plant) -> "list[WaveformRecording]":
    from edge.formats.waveform_recording import read_waveforms

    return [read_waveforms(path, plant, options.asset, name) for name, path in options.waveform]


def _features(text: str) -> tuple[str, ...]:
    kinds = () if text == "none" else tuple(text.split(","))
    if wrong := [kind for kind in kinds if kind not in FEATURES]:
        raise argparse.ArgumentTypeError(f"'{wrong[0]}' should be {', '.join(FEATURES)} or none")
    return kinds


if __name__ == "__main__":
    sys.exit(main())
