"""The page about the simulated machines, written from the code alone, so that it cannot say what is not so."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from edge.contracts.plant import Asset
from edge.contracts.plant_file import load_plant
from simulator import degradation
from simulator.bearings import fault_frequencies
from simulator.degradation import Law
from simulator.faults import Fault
from simulator.machines import jobs, motor
from simulator.machines.catalogue import MACHINES
from simulator.machines.machine import Machine
from simulator.randomness import Draws

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/machines.md"
DEMO: Final = ROOT / "edge/plants/demo.toml"
HEAD: Final = """# The simulated machines

Written by `make docs` from `simulator/machines/` and the demo's plant file; a test holds it to them. What the real world
says of these machines stands in [`rigs.md`](rigs.md).

In the pictures of faults, blue is the machine as it would have been without the fault (the same seed), orange the one that
has it; a line is the median of a short stretch of time, the band round it holds nine tenths of it. Shown are the four
signals that change most, measured against what is usual for each.
"""
_ASSIGNMENT: Final = re.compile(r"^    (\w+): (?!Mapping|tuple\[str)[^=]+ = (.+?)(?:  # (.*))?$")


def page() -> str:
    """The whole page, as Markdown."""
    plant = load_plant(DEMO)
    parts = [HEAD, "\n".join(f"- [{kind}](#{kind})" for kind in MACHINES), ""]
    for kind in MACHINES:
        asset = next(asset for asset in plant.assets.values() if asset.asset_class == kind)
        parts += _machine(kind, MACHINES[kind](Draws([(1,)])), asset)
    parts += ["## Motors\n", *_opening(motor), *_parameters(motor), *_equations(motor)]
    parts += ["## Jobs\n", *_opening(jobs), *_parameters(jobs), *_equations(jobs)]
    parts += ["## Laws of damage\n", *_opening(degradation), *_equations(degradation)]
    return "\n".join(parts).rstrip() + "\n"


def picture(kind: str, fault: str | None = None) -> str:
    """The file of a machine's picture, or of one of its faults', below `docs`."""
    return f"pictures/{kind}.png" if fault is None else f"pictures/{kind}-{fault}.png"


def _machine(kind: str, machine: Machine, asset: Asset) -> Iterator[str]:
    module = sys.modules[type(machine).__module__]
    yield f"## {kind}\n"
    yield from _opening(module)
    yield f"![A healthy {kind}]({picture(kind)})\n"
    yield "### Signals\n"
    yield "| signal | | unit | range | step | noise | what else its sensor does |\n|---|---|---|---|---|---|---|"
    for name, character in machine.sensors.items():
        signal = asset.signals.get(name)
        label, unit = (signal.display_name(name).en, signal.unit) if signal else ("", "")
        if name in machine.counters:
            label = f"{label}, a counter"
        noise = f"{character.white:g}" if character.white else ""
        if character.relative:
            noise = f"{noise} + {100.0 * character.relative:.2g} %".removeprefix(" + ")
        also = {
            "wanders by": f"{character.slow:g} in {character.slow_s:g} s" if character.slow else "",
            "is off by": f"{character.bias:g}" if character.bias else "",
            "drifts by": f"{character.drift_per_h:g} per h" if character.drift_per_h else "",
            "lags by": f"{character.lag_s:g} s" if character.lag_s else "",
            "leaves out": f"{100.0 * character.dropout:.2g} %" if character.dropout else "",
        }
        rest = ", ".join(f"{word} {amount}" for word, amount in also.items() if amount)
        low, high, step = character.low, character.high, character.resolution
        yield f"| `{name}` | {label} | {unit} | {low:g} to {high:g} | {step:g} | {noise} | {rest} |"
    for name, texts in machine.texts.items():
        yield f"| `{name}` | {', '.join(f'`{text}`' for text in texts)} | | | | | |"
    if asset.waveforms and asset.nameplate is not None and (bearing := asset.nameplate.bearing) is not None:
        at = fault_frequencies(bearing, 1.0)
        yield (
            f"\nBlocks of 4096 points of its acceleration at 25.6 kHz tell of its bearing ({bearing.balls} balls of "
            f"{bearing.ball_mm:g} mm on {bearing.pitch_mm:g} mm): "
            f"BPFO {at.bpfo:.3f}, BPFI {at.bpfi:.3f}, BSF {at.bsf:.3f} and FTF {at.ftf:.3f} per turn."
        )
    yield "\n### Faults\n"
    yield "| fault | på svenska | what one sees | mechanism (ISO 14224) | grows | typical life |\n|---|---|---|---|---|---|"
    for fault in machine.faults:
        law = law_name(fault.law)
        yield (
            f"| [`{fault.id}`]({picture(kind, fault.id)}) {fault.name.en} | {fault.name.sv} | {fault.description.en} "
            f"| {fault.mechanism} | [{law}](#laws-of-damage) | {fault.life_h:,.0f} h |"
        )
    yield ""
    yield from (_pictured(kind, fault) for fault in machine.faults)
    yield "\n### Equations\n"
    yield from _equations(module)
    yield "### Parameters\n"
    yield from _parameters(module)


def _pictured(kind: str, fault: Fault) -> str:
    return f"![{fault.name.en} grows in a {kind}]({picture(kind, fault.id)})"


def law_name(law: Law) -> str:
    """What a law of damage is called."""
    return getattr(law, "__name__", "").replace("_", " ")


def _opening(module: ModuleType) -> Iterator[str]:
    """What a module says of itself; its tables of words and meanings become lists."""
    for paragraph in inspect.cleandoc(module.__doc__ or "").split("\n\n"):
        lines = paragraph.splitlines()
        if all(re.match(r"\w+: {1,}\S", line) for line in lines) and len(lines) > 1:
            yield "\n".join(f"- **{word}**: {rest.strip()}" for word, _, rest in (line.partition(":") for line in lines)) + "\n"
        else:
            yield paragraph + "\n"


def _equations(module: ModuleType) -> Iterator[str]:
    """What functions and methods say of themselves where they state an equation, in the order of the source."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node)) and re.search(r" [=~] |∫", text):
            said = " ".join(line.strip() for line in text.splitlines() if not line.startswith(">>>")).strip()
            yield f"- `{node.name.lstrip('_')}`: {said}"
    yield ""


def _parameters(module: ModuleType) -> Iterator[str]:
    """The fields of the module's classes of parameters, with their values and comments."""
    for name, kind in vars(module).items():
        if not (inspect.isclass(kind) and kind.__module__ == module.__name__ and hasattr(kind, "__dataclass_fields__")):
            continue
        rows = [match.groups("") for line in inspect.getsource(kind).splitlines() if (match := _ASSIGNMENT.match(line))]
        if rows:
            yield f"`{name}`: {inspect.cleandoc(kind.__doc__ or '')}\n"
            yield "| parameter | value | |\n|---|---|---|"
            yield from (f"| `{key}` | `{value}` | {comment} |" for key, value, comment in rows if "factory" not in value)
            yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
