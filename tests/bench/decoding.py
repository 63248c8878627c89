"""`python -m tests.bench.decoding`: what messages of 64 KiB, honest and hostile, cost asyncua alone, and as the edge bounds it.

CPU of the best of five, memory of one; the limit is 50 ms and 64 MiB. asyncua alone is another process of the same machine.
"""

import contextlib
import json
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from typing import Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary

from edge.data_acquisition.opcua_bounds import bound

SIZE: Final = 64 << 10
MOST_MS, MOST_MB = 50.0, 64.0
TIME: Final = struct.pack("<q", 132_000_000_000_000_000)
HANDLE: Final = struct.pack("<I", 1)
ITEMS: Final = {
    "doubles with two times": b"\x0d\x0b" + struct.pack("<d", 1.0) + TIME + TIME,
    "doubles without times": b"\x01\x0b" + struct.pack("<d", 1.0),
    "booleans": b"\x01\x01\x01",
    "no values": b"\x01\x00",
    "empty items": b"\x00",
    "statuses": b"\x02" + b"\0\0\0\x80",
    "picoseconds": b"\x10\0\0",
    "times": b"\x01\x0d" + TIME,
    "texts": b"\x01\x0c\0\0\0\0",
    "identifiers": b"\x01\x11\0\0",
    "empty arrays": b"\x01\x8b\0\0\0\0",
}
ARRAYS: Final = {
    "an array of texts": (12, b"\xff" * 4),
    "an array of identifiers": (17, b"\0\0"),
    "an array of statuses": (19, b"\0" * 4),
    "an array of names": (20, b"\0\0\xff\xff\xff\xff"),
    "an array of localized texts": (21, b"\0"),
    "an array of data values": (23, b"\0"),
    "an array of variants": (24, b"\x01\x00"),
    "an array of diagnostics": (25, b"\0"),
}


def messages() -> Iterator[tuple[str, type, bytes]]:
    """Name, type and content, of `SIZE` bytes."""
    for name, item in ITEMS.items():
        number = (SIZE - 8) // len(HANDLE + item)
        yield name, ua.DataChangeNotification, struct.pack("<i", number) + (HANDLE + item) * number + struct.pack("<i", -1)
    for name, (kind, element) in ARRAYS.items():
        number = (SIZE - 20) // len(element)
        array = bytes([0x80 | kind]) + struct.pack("<i", number) + element * number
        yield name, ua.DataChangeNotification, struct.pack("<i", 1) + HANDLE + b"\x01" + array + struct.pack("<i", -1)
    for name, kind, element in (("diagnostics", ua.DataChangeNotification, b"\0"), ("read values", ua.HistoryData, b"\0")):
        number = SIZE - 8
        before = struct.pack("<i", 0) if kind is ua.DataChangeNotification else b""
        yield f"a list of {name}", kind, before + struct.pack("<i", number) + element * number


def measured() -> dict[str, tuple[float, float, bool]]:
    """By message milliseconds, MB, and whether it was decoded."""
    found = {}
    for name, kind, content in messages():
        best, decoded = 1e9, True
        for _ in range(5):
            # a message of its own each time
            message = Buffer(bytes(bytearray(content)))
            begun = time.process_time()
            try:
                ua_binary.from_binary(kind, message)
            except ua.UaError:
                decoded = False
            best = min(best, time.process_time() - begun)
        tracemalloc.start()
        with contextlib.suppress(ua.UaError):
            ua_binary.from_binary(kind, Buffer(bytes(bytearray(content))))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found[name] = best * 1e3, most / 1e6, decoded
    return found


def main() -> int:
    if "--alone" in sys.argv:
        print(json.dumps(measured()))
        return 0
    other = subprocess.run(
        [sys.executable, "-m", "tests.bench.decoding", "--alone"], capture_output=True, text=True, check=True
    )
    alone = json.loads(other.stdout)
    bound()
    ours = measured()
    print("| message of 64 KiB | asyncua alone [ms] | bounded [ms] | ratio | bounded [MB] | |")
    print("|---|---|---|---|---|---|")
    for name, (ms, mb, decoded) in ours.items():
        before = alone[name][0]
        print(f"| {name} | {before:.1f} | {ms:.1f} | {ms / before:.2f} | {mb:.1f} | {'decoded' if decoded else 'refused'} |")
    worst_ms, worst_mb = max(each[0] for each in ours.values()), max(each[1] for each in ours.values())
    print(f"\nat most {worst_ms:.0f} ms (limit {MOST_MS:.0f}) and {worst_mb:.1f} MB (limit {MOST_MB:.0f})")
    return 0 if worst_ms <= MOST_MS and worst_mb <= MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main())
