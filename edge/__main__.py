"""`python -m edge run|check|recordings|gaps|schema|browse|trust|report|drill`: the edge of a plant.

Each verb imports what it needs itself: OPC UA takes a second, and --help, a mistyped option or a list of gaps should not.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from edge import __version__, logs
from edge.contracts.errors import ConnectionRefused, KullagerError
from edge.contracts.plant import OpcuaSource, Plant, Security
from edge.contracts.plant_file import load_plant
from edge.formats.json_message import format_time


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m edge", description="kullager's edge: signals in, assessments out")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="serve a plant until stopped")
    run.add_argument("--plant", type=Path, required=True, help="the plant file")
    checking = verbs.add_parser("check", help="try every source, node and topic, and say what is wrong")
    checking.add_argument("plant", type=Path, help="the plant file")
    checking.add_argument("--listen", type=float, default=10.0, metavar="S", help="how long to listen [s] (%(default)s)")
    checking.add_argument("--json", action="store_true", help="for programs")
    recordings = verbs.add_parser("recordings", help="make Parquet of what was recorded, and list it")
    recordings.add_argument("--plant", type=Path, required=True, help="the plant file")
    gaps = verbs.add_parser("gaps", help="list the intervals without data: from when to when, why, and what was read back")
    gaps.add_argument("--asset", help="of this machine only")
    gaps.add_argument("--json", action="store_true", help="for programs")
    verbs.add_parser("schema", help="the JSON Schema of plant files, for editors; see edge/plants/README.md")
    browsing = verbs.add_parser("browse", help="draft a plant file from what an OPC UA server or a broker has")
    browsing.add_argument("url", help="opc.tcp://host:4840 or mqtt://host:1883; the password comes from KULLAGER_PASSWORD")
    browsing.add_argument("--user", default="")
    browsing.add_argument("--security", default="None", choices=get_args(Security), help="of OPC UA (%(default)s)")
    browsing.add_argument(
        "--listen", type=float, default=10.0, metavar="S", help="how long to listen to values (%(default)s s)"
    )
    browsing.add_argument("--out", type=Path, metavar="FILE", help="the draft; default: to the terminal")
    trusting = verbs.add_parser("trust", help="trust the certificate of an OPC UA server that was refused")
    trusting.add_argument("fingerprint", help="the begin of its SHA-256, as the refusal tells it")
    reporting = verbs.add_parser("report", help="pack what somebody needs who is to help, with the secrets taken out")
    reporting.add_argument("--plant", type=Path, required=True, help="the plant file")
    reporting.add_argument("--out", type=Path, metavar="FILE", help="default: kullager-report-<edge>-<time>.zip here")
    reporting.add_argument("--listen", type=float, default=10.0, metavar="S", help="how long `check` listens (%(default)s s)")
    drilling = verbs.add_parser("drill", help="put an edge of its own through all that can happen, and print a table")
    drilling.add_argument("names", nargs="*", help="of single drills; default: all")
    drilling.add_argument("--server", default="", metavar="COMMAND", help="an OPC UA server of another make, with {port}")
    drilling.add_argument("--kills", type=int, default=20, help="how often the edge is killed (%(default)s)")
    drilling.add_argument("--away", type=float, default=60.0, metavar="S", help="how long the broker is away (%(default)s s)")
    drilling.add_argument("--out", type=Path, metavar="FILE", help="the table as Markdown, or as JSON where it ends so")
    arguments = parser.parse_args()
    try:
        logs.configure(os.environ)
    except ValueError as error:
        parser.error(str(error))
    home = Path(os.environ.get("KULLAGER_HOME", ".kullager"))
    try:
        if arguments.verb == "trust":
            from edge.data_acquisition.opcua_security import Certificates, certificate_folder

            certificate = Certificates(certificate_folder(home)).trust(arguments.fingerprint)
            print(f"'{certificate.subject.rfc4514_string()}' is trusted; an edge that runs connects by itself")
            return 0
        if arguments.verb == "schema":
            from edge.plant_schema import schema_text

            print(schema_text(), end="")
            return 0
        if arguments.verb == "gaps":
            return _gaps(home / "edge" / "gaps.sqlite", arguments.asset, as_json=arguments.json)
        if arguments.verb == "browse":
            return asyncio.run(_browse(arguments, home))
        if arguments.verb == "drill":
            return asyncio.run(_drill(arguments))
        if arguments.verb == "run":
            # of what is made until the supervisor runs next to nothing is garbage
            gc.disable()
        plant = load_plant(arguments.plant, os.environ)
        if arguments.verb == "check":
            logging.getLogger("edge").setLevel(logging.ERROR)
            return _check(plant, home, arguments.listen, as_json=arguments.json)
        if arguments.verb == "recordings":
            return _recordings(plant, home / "edge" / "recordings")
        if arguments.verb == "report":
            logging.getLogger("edge").setLevel(logging.ERROR)
            return _report(arguments, plant, home)
        logs.keep(home / "edge")
        asyncio.run(_run(arguments.plant, plant, home))
    except KullagerError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


async def _browse(arguments: argparse.Namespace, home: Path) -> int:
    from edge.browse.draft import ASK, draft
    from edge.browse.mqtt import browse_mqtt
    from edge.browse.opcua import browse_opcua
    from edge.data_acquisition.opcua_security import Certificates, Credentials, certificate_folder
    from edge.data_acquisition.opcua_session import CONNECTION_ERRORS, connected, describe
    from edge.plant_schema import NAME as SCHEMA_FILE
    from edge.plant_schema import schema_text

    url, user, password = arguments.url, arguments.user, os.environ.get("KULLAGER_PASSWORD")
    match urlsplit(url).scheme:
        case "opc.tcp":
            source = OpcuaSource(kind="opcua", url=url, security=arguments.security, user=user)
            credentials = Credentials(certificates=Certificates(certificate_folder(home)), password=password)
            try:
                async with connected(source, credentials) as client:
                    assets = await browse_opcua(client, arguments.listen)
            except CONNECTION_ERRORS as error:
                raise ConnectionRefused(f"{url} is not reached: {describe(error)}") from None
        case "mqtt" | "mqtts":
            assets = await browse_mqtt(url, user, password, arguments.listen)
        case _:
            raise ConnectionRefused(f"'{url}' should begin with opc.tcp://, mqtt:// or mqtts://")
    text = draft(url, assets, arguments.listen, user=user, security=arguments.security)
    if arguments.out is None:
        print(text, end="")
        return 0
    if arguments.out.exists():
        raise ConnectionRefused(f"{arguments.out} is there already; give another name with --out")
    arguments.out.write_text(f"#:schema ./{SCHEMA_FILE}\n{text}", encoding="utf-8")
    schema = arguments.out.with_name(SCHEMA_FILE)
    if not schema.exists():
        schema.write_text(schema_text(), encoding="utf-8")
    guesses = text.count(ASK) - 4
    print(
        f"{arguments.out}: {len(assets)} machines, {sum(len(a.signals) for a in assets)} signals, {guesses} guesses to confirm"
    )
    return 0


def _gaps(path: Path, asset: str | None, *, as_json: bool) -> int:
    from edge.ledger import gaps_of

    found = gaps_of(path, asset)
    if as_json:
        print(json.dumps([asdict(gap) for gap in found], ensure_ascii=False, indent=2))
        return 0
    for gap in found:
        first = format_time(gap.first) if gap.first is not None else "ever"
        last = format_time(gap.last) if gap.last is not None else "now"
        length = f"{(gap.last - gap.first) / 1e9:,.0f} s" if gap.first is not None and gap.last is not None else "open"
        print(
            f"{gap.asset}.{gap.signal}: from {first} to {last} ({length}): {gap.cause}; {gap.recovered} samples were read back"
        )
    print(f"{len(found)} intervals without data")
    return 0


def _recordings(plant: Plant, folder: Path) -> int:
    from edge.recordings import recorded, tidy

    tidy(folder, plant.edge.recording, time.time())
    days = recorded(folder)
    for found in days:
        print(f"{found.asset:<24}{found.day}{found.rows:>14,} samples{found.n_bytes / 1e6:>10.1f} MB")
    print(f"{folder}: {sum(found.rows for found in days):,} samples, {sum(found.n_bytes for found in days) / 1e6:.1f} MB")
    return 0


async def _drill(arguments: argparse.Namespace) -> int:
    from edge.drill import as_dict, run_drills, table

    logging.getLogger().setLevel(logging.CRITICAL)
    outcomes = await run_drills(arguments.names, arguments.server, arguments.kills, arguments.away, print)
    text = table(outcomes)
    print(f"\n{text}", end="")
    if arguments.out is not None:
        made = json.dumps([as_dict(each) for each in outcomes], ensure_ascii=False, indent=2) + "\n"
        arguments.out.write_text(made if arguments.out.suffix == ".json" else text, encoding="utf-8")
    return 0 if all(each.skipped or each.passed for each in outcomes) else 1


def _report(arguments: argparse.Namespace, plant: Plant, home: Path) -> int:
    from edge.check import check
    from edge.report import write_report

    now = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path: Path = arguments.out or Path(f"kullager-report-{plant.edge.id}-{now}.zip")
    findings = asyncio.run(check(plant, home, os.environ, arguments.listen))
    lines = "".join(("ok    " if finding.good else "FAIL  ") + finding.text + "\n" for finding in findings)
    try:
        parts = write_report(path, arguments.plant, plant, home, os.environ, lines)
    except OSError as error:
        print(f"{path}: cannot be written: {error.strerror or error}", file=sys.stderr)
        return 2
    print(f"{path}: {', '.join(parts)}; passwords and keys are taken out, names of machines and addresses are not")
    return 0


async def _run(path: Path, plant: Plant, home: Path) -> None:
    from edge.supervisor import Supervisor

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await Supervisor(path, plant, home, os.environ).run(stop)


def _check(plant: Plant, home: Path, listen_s: float, *, as_json: bool) -> int:
    from edge.check import check

    findings = asyncio.run(check(plant, home, os.environ, listen_s))
    bad = sum(not finding.good for finding in findings)
    if as_json:
        print(
            json.dumps({"good": not bad, "findings": [asdict(finding) for finding in findings]}, ensure_ascii=False, indent=2)
        )
        return 1 if bad else 0
    for finding in findings:
        print(("ok    " if finding.good else "FAIL  ") + finding.text)
    print("everything is in order" if not bad else f"{bad} of {len(findings)} findings need attention")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
