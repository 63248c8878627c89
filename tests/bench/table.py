"""The one table of the bench: what was measured, against what, and what it should be."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = ("asyncua", "paho-mqtt", "onnxruntime", "numpy", "orjson", "protobuf", "pydantic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line. `ours` is the median of what was measured in turn with the peer; None where no figure is to be had, and `why`.

    floor: what nobody goes below, in words; peer: what else does the work, and its figure; ratio: ours by the peer's
    target: what is to be reached of `ours` (`at_most`, `at_least`) or of the ratio (`ratio_at_most`, `ratio_at_least`)
    """

    what: str
    unit: str
    ours: float | None = None
    floor: str = ""
    peer: str = ""
    peer_value: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    ratio_at_most: float | None = None
    ratio_at_least: float | None = None
    note: str = ""
    why: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer_value if self.ours is not None and self.peer_value else None

    @property
    def is_reached(self) -> bool | None:
        """Whether all targets are; None where there are none, or no figure."""
        ours, ratio = self.ours, self.ratio
        if ours is None:
            return None
        met = [
            ours <= self.at_most if self.at_most is not None else None,
            ours >= self.at_least if self.at_least is not None else None,
            ratio <= self.ratio_at_most if self.ratio_at_most is not None and ratio is not None else None,
            ratio >= self.ratio_at_least if self.ratio_at_least is not None and ratio is not None else None,
        ]
        told = [each for each in met if each is not None]
        return all(told) if told else None

    @property
    def target(self) -> str:
        parts = (
            ("≤ {:g}", self.at_most),
            ("≥ {:g}", self.at_least),
            ("≤ {:g} × the peer", self.ratio_at_most),
            ("≥ {:g} × the peer", self.ratio_at_least),
        )
        return ", ".join(form.format(value) for form, value in parts if value is not None)


def markdown(rows: Iterable[Row]) -> str:
    lines = ["| what | floor | peer | ours | ours by peer | target | reached |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        peer = f"{row.peer}: {_figure(row.peer_value)}" if row.peer_value is not None else row.peer
        ours = f"{_figure(row.ours)} {row.unit}" if row.ours is not None else f"no figure: {row.why}"
        ratio = f"{row.ratio:.2g}" if row.ratio is not None else ""
        reached = {True: "yes", False: "**no**", None: ""}[row.is_reached]
        what = f"{row.what} ({row.note})" if row.note else row.what
        lines.append(f"| {what} | {row.floor} | {peer} | {ours} | {ratio} | {row.target} | {reached} |")
    return "\n".join(lines) + "\n"


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was besides."""
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {"processor": model, "cores": os.cpu_count(), "system": platform.system(), "load": os.getloadavg()[0]}


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def as_json(rows: Iterable[Row], took_s: float) -> str:
    body = {
        "machine": machine(),
        "versions": versions(),
        "took_s": round(took_s),
        "rows": [
            {key: value for key, value in asdict(row).items() if value not in (None, "")}
            | {"ratio": row.ratio, "target": row.target, "reached": row.is_reached}
            for row in rows
        ],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
