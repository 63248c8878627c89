"""`python -m edge check PLANT`: tries every source, node, topic and model, and says in words what is wrong."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from edge.check.finding import Finding
from edge.check.mqtt import check_mqtt
from edge.check.opcua import check_opcua
from edge.check.sparkplug import check_sparkplug
from edge.contracts.plant import OpcuaSource, Plant, SignalEntry, SparkplugSource, WaveformEntry
from edge.contracts.plant_file import source_certificate, source_password
from edge.contracts.sample_batch import TextTable
from edge.data_acquisition.opcua_security import opcua_credentials
from edge.pipeline import load_models

LISTEN_S: Final = 10.0


async def check(plant: Plant, home: Path, environ: Mapping[str, str], listen_s: float = LISTEN_S) -> list[Finding]:
    """Try everything that the plant file names; nodes and topics are listened to for `listen_s`."""
    texts = {row.index: TextTable() for row in plant.signal_table if row.is_text}
    checks = []
    for name, source in plant.sources.items():
        waves = tuple(entry for entry in plant.waveform_table if entry.signal.source == name)
        if isinstance(source, OpcuaSource):
            rows: list[SignalEntry | WaveformEntry] = [*plant.signals_of(name), *waves]
            checks.append(check_opcua(name, source, rows, texts, opcua_credentials(name, home, environ), listen_s))
            continue
        shown = source_password(name, environ), source_certificate(name, environ)
        if isinstance(source, SparkplugSource):
            checks.append(check_sparkplug(name, source, plant.edge.id, plant.signals_of(name), texts, shown, listen_s))
        else:
            checks.append(check_mqtt(name, source, plant, waves, texts, shown, listen_s))
    findings = [finding for part in await asyncio.gather(*checks) for finding in part]
    return [*findings, *_check_models(plant, home)]


def _check_models(plant: Plant, home: Path) -> Iterator[Finding]:
    models, problems = load_models(plant, home / "models")
    for name, model in models.items():
        yield Finding(True, f"model '{name}': version {model.spec.version}, fits its assets")
    for name, problem in problems.items():
        yield Finding(False, f"model '{name}': {problem}")
