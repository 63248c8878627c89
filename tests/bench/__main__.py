"""`python -m tests.bench [SECTION …] [--json FILE]`: one table of what things cost, against the floor or the peer of each.

Sections: tick, opcua, rate, pair, node-red, mqtt, live, stream, start, generator, training (all of them without a name), and
page, the dashboard, which takes four minutes more. Printed as Markdown, written as JSON with the machine and the versions,
section by section. Costs are CPU seconds of the process under test by unit of work, not wall time; ours and the peer are
measured in turn, and each figure is the median. Where a value was lost there is no figure, and the row says so.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.bench import generator, live_rows, mqtt_rows, node_red_rows, opcua_rows, page_rows, stream_rows, tick_rows, training
from tests.bench.processes import BenchError
from tests.bench.table import Row, as_json, machine, markdown, versions

LIMIT_S: Final = 15 * 60.0
END: Final = "<!-- end -->"
SECTIONS: Final[dict[str, Callable[[], Iterable[Row]]]] = {
    "tick": tick_rows.rows,
    "training": training.rows,
    "generator": generator.rows,
    "opcua": opcua_rows.rows,
    "rate": opcua_rows.rate_rows,
    "pair": opcua_rows.pair_rows,
    "node-red": node_red_rows.rows,
    "mqtt": mqtt_rows.rows,
    "live": live_rows.rows,
    "stream": stream_rows.rows,
    "start": live_rows.start_rows,
}
ALONE: Final[dict[str, Callable[[], Iterable[Row]]]] = {"page": page_rows.rows}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", default=list(SECTIONS), metavar="SECTION", help=", ".join(SECTIONS | ALONE))
    parser.add_argument("--json", type=Path, default=Path(".bench.json"), help="where the table goes as JSON")
    parser.add_argument(
        "--page", type=Path, help="a page whose table of these sections is to be this one, such as docs/speed.md"
    )
    arguments = parser.parse_args()
    sections = SECTIONS | ALONE
    if unknown := set(arguments.sections) - sections.keys():
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(sections)}")
    named = "" if arguments.sections == list(SECTIONS) else f" {' '.join(arguments.sections)}"
    begin = f"<!-- measured: python -m tests.bench{named} --page {arguments.page} -->"
    if arguments.page is not None and begin not in arguments.page.read_text(encoding="utf-8"):
        parser.error(f"{arguments.page} has no table of these sections; it would begin after the line {begin}")
    rows: list[Row] = []
    begun = time.monotonic()
    for name in arguments.sections:
        if time.monotonic() - begun > LIMIT_S:
            rows.append(Row(what=f"section {name}", unit="", why=f"{LIMIT_S / 60:.0f} minutes have passed"))
            continue
        print(f"{time.monotonic() - begun:4.0f} s  {name} …", file=sys.stderr, flush=True)
        try:
            for row in sections[name]():
                # one that is there stays when the next cannot be had
                rows.append(row)  # noqa: PERF402
        except BenchError as error:
            rows.append(Row(what=f"section {name}", unit="", why=str(error)))
        except Exception as error:  # whatever it is, the other sections' figures stay
            traceback.print_exc()
            rows.append(Row(what=f"section {name}", unit="", why=f"{type(error).__name__}: {error}"))
        # as it stands: who is interrupted keeps what there is
        _keep(rows, arguments.json, arguments.page, begin, time.monotonic() - begun)
    print(f"{markdown(rows)}\n{_where()}")
    return 0


def _keep(rows: Sequence[Row], json: Path, page: Path | None, begin: str, took_s: float) -> None:
    if page is not None:
        before, _, rest = page.read_text(encoding="utf-8").partition(begin)
        said = f"{begin}\n\n{markdown(rows)}\n{_where()}\n\n{END}"
        page.write_text(f"{before}{said}{rest.partition(END)[2]}", encoding="utf-8")
    json.write_text(as_json(rows, took_s), encoding="utf-8")


def _where() -> str:
    here = machine()
    known = ", ".join(f"{name} {number}" for name, number in versions().items())
    said = (
        f"{time.strftime('%Y-%m-%d')}, {here['processor']}, {here['cores']} cores, load {here['load']:.1f} at the end; {known}."
    )
    if here["load"] > (os.cpu_count() or 1) + 1:
        said += (
            "\n\n**Others were at work on this machine**: CPU seconds are higher than on a quiet one, ratios hold, "
            "and rates, latencies and times to start are not to be had."
        )
    return said


if __name__ == "__main__":
    sys.exit(main())
