"""python -m simulator run | replay | record | plant"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.contracts.errors import KullagerError, RecordingError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.recording import read_csv, write_csv
from edge.formats.waveform_recording import read_waveforms
from simulator.fleet_file import MOST_MACHINES, fleet_file
from simulator.scenario import shipped


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 after a clean stop, 2 with one sentence on stderr where the operator can do something."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # asyncua tells of every request at INFO
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    try:
        return int(options.verb(options))
    except KullagerError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator", description="Machines that show themselves over OPC UA and MQTT."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run the machines of a plant file, live")
    run.add_argument("--plant", required=True, help="plant file (TOML)")
    run.add_argument("--seed", type=int, default=1, help="the same seed gives the same machines (default: 1)")
    run.add_argument("--speed", type=_positive, default=1.0, help="machine time per real time (default: 1)")
    run.add_argument("--machines", type=_machines, metavar="CLASS=N,…", help="so many machines like those of the plant file")
    run.add_argument("--scenario", default="", help=f"what happens: {', '.join(shipped())}, or a .toml file (default: nothing)")
    run.add_argument("--sparkplug", action="store_true", help="publish all machines as Sparkplug B devices, too")
    run.set_defaults(verb=_run)

    again = verbs.add_parser("replay", help="stream a recording (CSV) as if its machine were there; nothing is lost on the way")
    again.add_argument("file", metavar="FILE.csv")
    again.add_argument("--plant", required=True, help="plant file (TOML)")
    again.add_argument("--asset", help="the asset that was recorded (may be left out where the plant has only one)")
    pace = again.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=_positive, default=1.0, help="recorded time per real time (default: 1)")
    pace.add_argument("--as-fast-as-possible", action="store_true", help="as fast as the subscribers take it")
    again.add_argument("--now", action="store_true", help="shift the timestamps so that the first row is now")
    again.add_argument("--loop", action="store_true", help="begin again after the last row; timestamps go on")
    again.add_argument(
        "--wait-for-subscriber",
        action="store_true",
        help="begin when all OPC UA nodes of the asset are subscribed to, and somebody takes its MQTT messages",
    )
    again.add_argument(
        "--waveform",
        type=_waveform,
        action="append",
        default=[],
        metavar="NAME=FILE.npz",
        help="the recorded blocks of a fast signal of the asset, such as acceleration=blocks.npz; repeatable",
    )
    again.add_argument("--exit", action="store_true", help="end after the last row; otherwise its values stay up")
    again.set_defaults(verb=_replay)

    record = verbs.add_parser("record", help="write hours of simulated machines to a file, in seconds")
    record.add_argument("--plant", required=True, help="plant file (TOML)")
    record.add_argument("--machines", type=_machines, metavar="CLASS=N,…", help="so many machines like those of the plant file")
    record.add_argument("--asset", help="the asset to simulate; without it all of them, which needs a .parquet file")
    record.add_argument("--hours", type=_positive, required=True, help="how much machine time to record")
    record.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="FILE.parquet with labels, or FILE.csv of one asset"
    )
    record.add_argument("--seed", type=int, default=1, help="the same seed gives the same file (default: 1)")
    record.add_argument("--scenario", default="", help=f"what happens: {', '.join(shipped())}, or a .toml file")
    record.add_argument("--fault", help="a fault to record, such as bearing-wear; a CSV file gets a column 'anomaly'")
    record.add_argument("--fault-at-h", type=_not_negative, default=0.0, help="when the fault begins (default: 0)")
    record.add_argument("--severity", type=_not_negative, default=1.0, help="how bad it gets, 0 to 1 (default: 1)")
    record.add_argument("--over-h", type=_not_negative, default=1.0, help="the time it takes to get there (default: 1)")
    record.set_defaults(verb=_record)

    fleet = verbs.add_parser("plant", help="write the plant file of a fleet, for load tests")
    fleet.add_argument("--plant", required=True, help="plant file (TOML) with one machine of each class")
    fleet.add_argument("--machines", type=_machines, required=True, metavar="CLASS=N,…", help="how many of each class")
    fleet.add_argument("--out", type=Path, required=True, metavar="FILE.toml")
    fleet.set_defaults(verb=_plant)
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' should be above 0")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' should be 0 or more")
    return number


# `record` and mistakes in the plant file answer at once: asyncua, which takes a second to import, comes after them


def _run(options: argparse.Namespace) -> int:
    plant = _plant_of(options)
    from simulator import live

    work = live.run(
        plant, os.environ, seed=options.seed, speed=options.speed, scenario=options.scenario, sparkplug=options.sparkplug
    )
    return asyncio.run(_until_stopped(work))


def _replay(options: argparse.Namespace) -> int:
    plant = load_plant(options.plant, os.environ)
    recording = read_csv(options.file, plant, _asset(options, plant))
    waveforms = [read_waveforms(path, plant, recording.asset, name) for name, path in options.waveform]
    from simulator import replay

    how = replay.ReplayOptions(
        speed=None if options.as_fast_as_possible else options.speed,
        now=options.now,
        loop=options.loop,
        wait_for_subscriber=options.wait_for_subscriber,
        leave=options.exit,
    )
    return asyncio.run(_until_stopped(replay.replay(plant, os.environ, recording, how, waveforms)))


def _record(options: argparse.Namespace) -> int:
    plant = _plant_of(options)
    from simulator.generate import Story, generate
    from simulator.scenario import Happening, Injection, load_scenario

    as_table = options.out.suffix in (".parquet", ".pq")
    assets = [options.asset] if options.asset else list(plant.assets) if as_table else [_asset(options, plant)]
    extra: tuple[Happening, ...] = ()
    if options.fault is not None:
        injection = Injection(fault=options.fault, severity=options.severity, over_s=options.over_h * 3600.0)
        extra = tuple(Happening(at_s=options.fault_at_h * 3600.0, asset=asset, action=injection) for asset in assets)
    scenario = load_scenario(options.scenario) if options.scenario else None
    story = Story(scenario=scenario, name=options.scenario, extra=extra)
    parts = generate(plant, assets, hours=options.hours, seed=options.seed, story=story)
    if as_table:
        from simulator.parquet import write_parquet

        rows = write_parquet(options.out, plant, assets, parts)
    else:
        recording, labels = next(parts)
        rows = len(recording)
        told = {"anomaly": labels.anomaly} if scenario or extra else {}
        try:
            write_csv(options.out, replace(recording, others=told))
        except OSError as error:
            raise RecordingError(f"{options.out}: cannot be written: {error.strerror or error}") from None
    print(f"{rows} rows of {', '.join(assets) if len(assets) < 10 else f'{len(assets)} assets'} in {options.out}")
    return 0


def _plant(options: argparse.Namespace) -> int:
    text = fleet_file(options.plant, options.machines)
    try:
        options.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{options.out}: cannot be written: {error.strerror or error}") from None
    print(f"{sum(options.machines.values())} machines in {options.out}")
    return 0


def _plant_of(options: argparse.Namespace) -> Plant:
    if options.machines is None:
        return load_plant(options.plant, os.environ)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.toml"
        path.write_text(fleet_file(options.plant, options.machines), encoding="utf-8")
        return load_plant(path, os.environ)


def _waveform(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"'{text}' should be a waveform of the plant file and a file: acceleration=blocks.npz")
    return name, Path(path)


def _machines(text: str) -> dict[str, int]:
    """`pump=200,furnace=3` → {"pump": 200, "furnace": 3}."""
    counts = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if not name or not number.isdecimal() or not 0 < int(number) <= MOST_MACHINES:
            raise argparse.ArgumentTypeError(
                f"'{part}' should be a class and how many (at most {MOST_MACHINES}), as in pump=200"
            )
        counts[name.strip()] = int(number)
    return counts


def _asset(options: argparse.Namespace, plant: Plant) -> str:
    if options.asset is None and len(plant.assets) > 1:
        raise KullagerError(f"--asset: is missing; possible: {', '.join(plant.assets)}")
    return str(options.asset or next(iter(plant.assets)))


async def _until_stopped(work: Coroutine[Any, Any, None]) -> int:
    """Run `work` to its end, or until SIGINT or SIGTERM, after which everything is closed in order."""
    task = asyncio.create_task(work, name="simulator")
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        logging.getLogger("simulator").info("stopped by %s", received[0].name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
