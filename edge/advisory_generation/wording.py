"""The sentences of alarms, in Swedish and English."""

from collections.abc import Mapping, Sequence

from edge.advisory_generation.rules import Rule
from edge.contracts.alarm import BilingualText
from edge.contracts.performance import SpecificEnergy
from edge.contracts.plant import Asset

# how a unit is written for people, where its UCUM code is not that
_SHOWN_UNITS = {
    "Cel": "°C",
    "/min": "r/min",
    "m3/h": "m³/h",
    "m/s2": "m/s²",
    "[g]": "g",
    "kW.h": "kWh",
    "m3": "m³",
    "N.m": "Nm",
    "um": "µm",
    "1": "",
}
N_NAMED_SIGNALS = 3
# a signal is named when its share is at least this part of the largest
NAMED_SHARE = 0.25


def guilty_signals(contribution: Mapping[str, float] | None) -> tuple[str, ...]:
    """The signals with the largest shares of the score, the guiltiest first."""
    shares = sorted((contribution or {}).items(), key=lambda item: (-item[1], item[0]))
    return tuple(name for name, share in shares[:N_NAMED_SIGNALS] if share > 0 and share >= NAMED_SHARE * shares[0][1])


def anomaly_text(
    asset_id: str,
    asset: Asset,
    signals: Sequence[str],
    measured: Mapping[str, float | None],
    expected: Mapping[str, float] | None,
) -> BilingualText:
    """Which machine, which signals, measured against expected."""
    name, facts = asset.display_name(asset_id), measured_text(asset, signals, measured, expected)
    return BilingualText(
        sv=f"{name.sv} avviker från det normala" + (f": {facts.sv}" if facts.sv else ""),
        en=f"{name.en} deviates from normal" + (f": {facts.en}" if facts.en else ""),
    )


def measured_text(
    asset: Asset, signals: Sequence[str], measured: Mapping[str, float | None], expected: Mapping[str, float] | None
) -> BilingualText:
    """What was measured of some signals, against what was expected."""
    facts = [_fact(asset, signal, measured.get(signal), (expected or {}).get(signal)) for signal in signals]
    return BilingualText(sv=", ".join(fact.sv for fact in facts), en=", ".join(fact.en for fact in facts))


def energy_text(asset_id: str, asset: Asset, lot: SpecificEnergy | None) -> BilingualText:
    """Too much energy for what was made. `lot`: the newest that is complete."""
    name = asset.display_name(asset_id)
    if lot is None or lot.ratio is None or lot.expected is None:
        return BilingualText(sv=f"{name.sv} drar mer energi än vanligt", en=f"{name.en} takes more energy than usual")
    unit = f"{_shown(lot.energy_unit)}/{_shown(lot.product_unit) or asset.signals[lot.product].display_name(lot.product).en}"
    enhet = f"{_shown(lot.energy_unit)}/{_shown(lot.product_unit) or asset.signals[lot.product].display_name(lot.product).sv}"
    more = f"{100 * (lot.ratio - 1):.0f}"
    recipe = f" ({lot.recipe})" if lot.recipe else ""
    value, usual = _en(lot.value, ""), _en(lot.expected, "")
    return BilingualText(
        sv=f"{name.sv} drar {more} % mer energi än vanligt{recipe}: "
        f"{value.replace('.', ',')} {enhet} (väntat {usual.replace('.', ',')})",
        en=f"{name.en} takes {more} % more energy than usual{recipe}: {value} {unit} (expected {usual})",
    )


def limit_text(asset_id: str, asset: Asset, rule: Rule, value: float | None, limit: float) -> BilingualText:
    """A fixed limit that was reached."""
    assert rule.signal is not None  # noqa: S101  # a limit rule has its signal
    name, signal = asset.display_name(asset_id), asset.signals[rule.signal]
    label, unit = signal.display_name(rule.signal), signal.unit
    sv = "varningsgränsen" if rule.level == "warning" else "larmgränsen"
    en = "the warning limit" if rule.level == "warning" else "the alarm limit"
    return BilingualText(
        sv=f"{name.sv}: {label.sv} {_sv(value, unit)} har nått {sv} {_sv(limit, unit)}",
        en=f"{name.en}: {label.en} {_en(value, unit)} has reached {en} {_en(limit, unit)}",
    )


def _fact(asset: Asset, signal: str, measured: float | None, expected: float | None) -> BilingualText:
    if signal in asset.waveforms:
        # of a fast signal there is no single value; that it is the reason is what there is to say
        label = asset.waveforms[signal].display_name(signal)
        return BilingualText(sv=f"{label.sv} (vågform)", en=f"{label.en} (waveform)")
    label, unit = asset.signals[signal].display_name(signal), asset.signals[signal].unit
    if expected is None:
        return BilingualText(sv=f"{label.sv} {_sv(measured, unit)}", en=f"{label.en} {_en(measured, unit)}")
    return BilingualText(
        sv=f"{label.sv} {_sv(measured, unit)} (väntat {_sv(expected, unit)})",
        en=f"{label.en} {_en(measured, unit)} (expected {_en(expected, unit)})",
    )


def _shown(unit: str) -> str:
    return _SHOWN_UNITS.get(unit, unit)


def _en(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    number = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {_shown(unit)}".rstrip()


def _sv(value: float | None, unit: str) -> str:
    return _en(value, unit).replace(".", ",") if value is not None else "–"
