"""A plant file from what was found. Whatever was guessed carries a remark that asks to be confirmed."""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from edge.browse.found import FoundAsset, FoundSignal, Kind, identifier, role_of

ASK: Final = "# ?"
DEFAULT_BROKER: Final = "mqtt://127.0.0.1:1883"
_HEAD: Final = """\
# A draft from {url}: {n_assets} machines, {n_signals} signals; listened to for {listen_s:g} s.
# Each "{ask}" is a guess: confirm or change it, then remove the remark. edge/plants/README.md explains every key, and
# `python -m edge check FILE` tries all of it.
schema = 1

[site]
enterprise = "my-enterprise"  {ask}
site = "my-site"  {ask}
area = "my-area"  {ask}

[edge]
id = "edge-1"
"""


def draft(url: str, assets: Sequence[FoundAsset], listen_s: float, *, user: str = "", security: str = "None") -> str:
    """The text of a plant file that can be loaded."""
    is_opcua = urlsplit(url).scheme == "opc.tcp"
    source = "plc" if is_opcua else "broker"
    n_signals = sum(len(asset.signals) for asset in assets)
    lines = [_HEAD.format(url=url, n_assets=len(assets), n_signals=n_signals, listen_s=listen_s, ask=ASK)]
    lines += [f"[sources.{source}]", f'kind = "{"opcua" if is_opcua else "mqtt"}"', f"url = {_text(url)}"]
    if is_opcua:
        lines.append(f"security = {_text(security)}")
    if user:
        lines.append(f"user = {_text(user)}")
    if is_opcua:
        broker = f"url = {_text(DEFAULT_BROKER)}  {ASK} the broker that takes the results"
        lines += ["", "[sources.broker]", 'kind = "mqtt"', broker]
    if any("device" in signal.where for asset in assets for signal in asset.signals):
        lines += ["", "[sources.sparkplug]", 'kind = "sparkplug"', f"url = {_text(url)}"]
        lines += [f"user = {_text(user)}"] if user else []
    taken: set[str] = set()
    for asset in assets:
        lines += _asset(asset, source, _unique(identifier(asset.path[-1:], "-"), "-", taken), listen_s)
    return "\n".join(lines) + "\n"


def _asset(asset: FoundAsset, source: str, asset_id: str, listen_s: float) -> list[str]:
    kind = asset_id.rstrip("0123456789-") or asset_id
    lines = ["", f"[assets.{asset_id}]  {ASK} told by {asset.how}: {'/'.join(asset.path)}", f"class = {_text(kind)}  {ASK}"]
    if asset.plate:
        plate = ", ".join(f"{key} = {_text(value)}" for key, value in asset.plate.items())
        lines.append(f"nameplate = {{ {plate} }}")
    names: set[str] = set()
    named = [(_unique(identifier(signal.path, "_"), "_", names), signal) for signal in asset.signals]
    texts = [name for name, signal in named if signal.kind is Kind.TEXT]
    if texts:
        lines.append(f"context = {json.dumps(texts)}  {ASK} texts; a recipe or product among them conditions the model")
    numbers = [(name, signal) for name, signal in named if signal.kind is Kind.NUMBER]
    lines += [
        f"# running = {{ signal = {_text(name)}, above = … }}  {ASK} when it counts as running" for name in _speeds(numbers)
    ]
    rates = [signal.count / listen_s for _, signal in numbers if signal.count] if listen_s > 0 else []
    if rates and (slowest := min(rates)) < 0.5:
        lines.append(f"period_s = {float(f'{1 / slowest:.2g}')}  {ASK} the slowest signal came {slowest:.2g} times a second")
    lines += ["", f"[assets.{asset_id}.signals]"]
    lines += [_signal(name, signal, source, listen_s) for name, signal in named if signal.kind is not Kind.BLOCK]
    blocks = [(name, signal) for name, signal in named if signal.kind is Kind.BLOCK]
    if blocks:
        lines += ["", f"# blocks of {blocks[0][1].points} numbers, which may be waveforms: give their rate, and remove the #"]
        lines.append(f"# [assets.{asset_id}.waveforms]")
        lines += [f"# {_block(name, signal, source)}" for name, signal in blocks]
    if len(blocks) == len(named):
        return [f"# {line}" if line else line for line in lines]
    return lines


def _signal(name: str, signal: FoundSignal, source: str, listen_s: float) -> str:
    role = role_of(signal)
    remarks = []
    unit = signal.unit
    if signal.kind is Kind.TEXT:
        unit = "1"
    elif unit is None:
        unit = role.unit if role and role.unit else "1"
        said = f"the server says '{signal.said_unit}', which is not known here" if signal.said_unit else "no unit is stated"
        remarks.append(f"unit: {said}")
    if role:
        remarks.append(f"{role.name}, by {role.reason}")
    if signal.low is not None and signal.high is not None and signal.low < signal.high:
        remarks.append(f"range {signal.low:g} to {signal.high:g}")
    if signal.least is not None:
        seen = f"{signal.least:.6g}" if signal.least == signal.most else f"{signal.least:.6g} to {signal.most:.6g}"
        remarks.append(f"seen {seen}")
    if listen_s > 0:
        remarks.append(f"{signal.count / listen_s:.2g} a second" if signal.count else "did not change while listened to")
    keys = {"unit": unit, "source": "sparkplug" if "device" in signal.where else source, **signal.where}
    text = ", ".join(f"{key} = {_text(value)}" for key, value in keys.items())
    if role and role.name == "energy" and signal.counts_up:
        text += ", counter = true"
    if "node" in signal.where and listen_s > 0 and not signal.count:
        text += ", on_change = true"
    return f"{name} = {{ {text} }}  {ASK} {'; '.join(remarks)}"


def _block(name: str, signal: FoundSignal, source: str) -> str:
    keys = {"unit": signal.unit or "m/s2", "source": source, **signal.where}
    text = ", ".join(f"{key} = {_text(value)}" for key, value in keys.items())
    return f"{name} = {{ {text}, rate_hz = …, points = {signal.points}, every_s = … }}  {ASK}"


def _speeds(numbers: Sequence[tuple[str, FoundSignal]]) -> list[str]:
    return [name for name, signal in numbers if (role := role_of(signal)) is not None and role.name == "speed"][:1]


def _unique(name: str, joint: str, taken: set[str]) -> str:
    number, found = 2, name
    while found in taken:
        found = f"{name}{joint}{number}"
        number += 1
    taken.add(found)
    return found


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
