"""The command line of `python -m models`: what each verb takes. Nothing heavy is loaded for --help or a mistyped option."""

import argparse
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.formats.json_message import parse_time
from models.settings import FAMILIES, FEATURES, Settings

DEFAULTS: Final = Settings()
# a window for which the machine's counter of parts says how long it is
CYCLES: Final = "cycles"
SKAB_PLANT: Final = Path("tests/cases/skab/plant.toml")


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError):
        raise argparse.ArgumentTypeError(f"'{text}' is no time zone; one is Europe/Stockholm") from None


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


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m models", description="From plant data to one ONNX file for the edge.")
    verbs = made.add_subparsers(required=True, dest="verb", metavar="VERB")

    one = verbs.add_parser("train", help="train a detector on a healthy recording")
    _add_healthy(one)
    one.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="ASSET",
        help="a further machine of the same kind in the recording, for one model of them all; repeatable",
    )
    _add_waveform(one)
    one.add_argument("--labels", type=Path, metavar="CSV", help="what was the case when; see models/README.md")
    one.add_argument(
        "--operating",
        action="append",
        default=[],
        metavar="SIGNAL",
        help="says how the machine is run, such as a speed: where it is as never before nothing is judged; repeatable",
    )
    one.add_argument("--horizon", type=float, metavar="HOURS", help="longest remaining life that is told")
    _add_detector(one)
    one.add_argument(
        "--window",
        type=_window,
        default=DEFAULTS.n_samples,
        help=f"trailing window in grid instants, or {CYCLES}: ten cycles of a machine that counts its parts (%(default)s)",
    )
    one.add_argument("--auto", action="store_true", help="choose family and features by what healthy data say of them")

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

    one = verbs.add_parser("labels", help="acknowledged alarms as labels to be completed")
    one.add_argument("alarms", metavar="ALARMS", help="address of the api's /api/v1/alarms, or a file of what it gives (JSON)")
    one.add_argument("--out", type=Path, default=Path("labels.csv"), help="(%(default)s)")

    one = verbs.add_parser("evaluate", help="replay a labelled recording through the edge's pipeline")
    one.add_argument("model", type=Path, metavar="MODEL", help="model file (.onnx)")
    one.add_argument("data", type=Path, metavar="DATA", help="recording, CSV or Parquet")
    one.add_argument("--plant", type=Path, required=True, help="plant file (TOML)")
    one.add_argument("--asset", required=True, help="asset of the plant file that the recording is of")
    _add_zone(one)
    told_by = one.add_mutually_exclusive_group(required=True)
    told_by.add_argument("--label-column", metavar="COLUMN", help="1 where a row is anomalous, 0 where not")
    told_by.add_argument("--labels", type=Path, metavar="CSV", help="what was the case when; see models/README.md")
    one.add_argument("--skip-rows", type=int, default=0, metavar="N", help="replayed, but not judged: trained on (%(default)s)")
    _add_waveform(one)
    one.add_argument("--json", action="store_true", help="for programs")

    one = verbs.add_parser("compare", help="two models on the same recording: alarms gained, lost, earlier, later")
    one.add_argument("model", type=Path, metavar="MODEL", help="model file (.onnx) that is in service")
    one.add_argument("other", type=Path, metavar="OTHER", help="model file (.onnx) that may take its place")
    one.add_argument("data", type=Path, metavar="DATA", help="recording, CSV or Parquet")
    one.add_argument("--plant", type=Path, required=True, help="plant file (TOML)")
    one.add_argument("--asset", required=True, help="asset of the plant file that the recording is of")
    _add_zone(one)
    one.add_argument("--label-column", metavar="COLUMN", help="1 where a row is anomalous, 0 where not, where that is known")

    one = verbs.add_parser("keygen", help="a pair of keys to sign models with")
    one.add_argument("private", type=Path, metavar="PRIVATE", help="where the private key goes, such as pilot-team.key")

    one = verbs.add_parser("sign", help="sign a model file, so that an edge knows who made it")
    one.add_argument("model", type=Path, metavar="MODEL", help="model file (.onnx); its signature goes beside it (.sig)")
    one.add_argument("--key", type=Path, required=True, metavar="PRIVATE", help="private key (PEM, Ed25519)")

    one = verbs.add_parser("benchmark", help="run a published protocol on recorded data")
    one.add_argument("protocol", choices=["skab", "hydraulic", "cmapss", "cwru", "pronostia"])
    one.add_argument("folder", type=Path, metavar="FOLDER", help="the data set, as it is published")
    one.add_argument("--plant", type=Path, default=SKAB_PLANT, help="plant file with its columns (%(default)s)")
    one.add_argument("--asset", default="rig", help="its asset (%(default)s)")
    _add_detector(one)
    one.add_argument("--window", type=int, default=DEFAULTS.n_samples, help="trailing window in grid instants (%(default)s)")
    return made


def _add_detector(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--family", choices=FAMILIES, default=DEFAULTS.family, help="kind of detector (%(default)s)")
    verb.add_argument(
        "--features",
        type=_features,
        default=DEFAULTS.features,
        metavar="KIND,…",
        help=f"of each window beside the means: {', '.join(FEATURES)}, or none (default: none)",
    )


def _add_healthy(verb: argparse.ArgumentParser) -> None:
    """What a limit is learnt from, and how far it is to hold."""
    verb.add_argument("data", type=Path, metavar="DATA", help="recording, CSV or Parquet")
    verb.add_argument("--plant", type=Path, required=True, help="plant file (TOML)")
    verb.add_argument("--asset", required=True, help="asset of the plant file that the recording is of")
    _add_zone(verb)
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


def _add_zone(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--time-zone", type=_zone, metavar="ZONE", help="of times without one, such as Europe/Stockholm (default: UTC)"
    )


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


def _window(text: str) -> int | str:
    try:
        return text if text == CYCLES else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number of instants, or {CYCLES}") from None


def _features(text: str) -> tuple[str, ...]:
    kinds = () if text == "none" else tuple(text.split(","))
    if wrong := [kind for kind in kinds if kind not in FEATURES]:
        raise argparse.ArgumentTypeError(f"'{wrong[0]}' should be {', '.join(FEATURES)} or none")
    return kinds
