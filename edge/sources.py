"""The acquisitions of all sources of a plant, each with its account."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Final

from edge.contracts.plant import MqttSource, OpcuaSource, Plant, SignalEntry, SparkplugSource, WaveformEntry
from edge.contracts.plant_file import source_certificate, source_password
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch, TextTable, WaveformBlock
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.mqtt import MqttAcquisition
from edge.data_acquisition.opcua import OpcuaAcquisition, Past
from edge.data_acquisition.opcua_security import opcua_credentials
from edge.data_acquisition.sparkplug import SparkplugAcquisition

POLL_S: Final = 0.1
Bring = Callable[[str, SampleBatch | WaveformBlock], Awaitable[None]]


class Sources:
    """What a plant file names as sources. `bring` takes what they hand over; `past` knows what has come before."""

    def __init__(
        self,
        plant: Plant,
        home: Path,
        environ: Mapping[str, str],
        texts: Mapping[int, TextTable],
        account: SampleAccount,
        bring: Bring,
        past: Past,
    ) -> None:
        self._plant, self._home, self._environ, self._texts = plant, home, environ, texts
        self._bring, self._past = bring, past
        self.accounts = {
            name: SourceAccount(name, source.clock, time.time_ns, account) for name, source in plant.sources.items()
        }
        self._opcua: list[OpcuaAcquisition] = []
        self._warm: dict[str, asyncio.Task[None]] = {}

    async def warm_up(self, patience_s: float) -> None:
        """Connect the OPC UA sources, and wait until they are there, but not for longer than `patience_s`."""
        for name, source in self._plant.sources.items():
            if isinstance(source, OpcuaSource) and (run := self._acquisition(name)) is not None:
                self._warm[name] = asyncio.create_task(run, name=f"source {name}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not all(self.accounts[name].is_connected for name in self._warm):  # noqa: ASYNC110  # accounts tell no one
                    await asyncio.sleep(POLL_S)

    def runs(self) -> list[tuple[str, Coroutine[None, None, None]]]:
        """By name of the source what is to be run; what has been warmed up goes on."""
        runs = []
        for name in self._plant.sources:
            if (warm := self._warm.pop(name, None)) is not None:
                runs.append((name, _the_same(warm)))
            elif (run := self._acquisition(name)) is not None:
                runs.append((name, run))
            else:
                self.accounts[name].connected()
        return runs

    @property
    def owed(self) -> dict[int, int]:
        """By number of the signal from when on its history has still to be read back [ns UTC]."""
        return {index: since for each in self._opcua for index, since in each.owed.items()}

    def cause_of(self, source: str) -> str | None:
        """Why a source brings nothing, where it is known."""
        account = self.accounts[source]
        return None if account.is_connected else account.status().problem or "the source was not connected yet"

    def _acquisition(self, name: str) -> Coroutine[None, None, None] | None:
        """None where nothing comes from the source."""
        plant, texts, bring = self._plant, self._texts, self._bring
        source, signals, account = plant.sources[name], plant.signals_of(name), self.accounts[name]
        waves = tuple(entry for entry in plant.waveform_table if entry.signal.source == name)
        if not signals and not waves:
            return None
        password, certificate = source_password(name, self._environ), source_certificate(name, self._environ)
        held = plant.on_change_of(name)
        match source:
            case OpcuaSource():
                credentials = opcua_credentials(name, self._home, self._environ)
                periods = {asset_id: asset.period_s for asset_id, asset in plant.assets.items()}
                rows: list[SignalEntry | WaveformEntry] = [*signals, *waves]
                acquisition = OpcuaAcquisition(
                    name, source, rows, texts, account, bring, credentials, periods, self._past, held
                )
                self._opcua.append(acquisition)
                return acquisition.run()
            case SparkplugSource():
                return SparkplugAcquisition(
                    name, source, plant.edge.id, signals, texts, account, bring, self._past, password, certificate, held
                ).run()
            case MqttSource():
                return MqttAcquisition(name, source, plant, texts, account, bring, password, waves, certificate).run()


async def _the_same(task: asyncio.Task[None]) -> None:
    """A task that has begun before, as one of a group: it ends with it."""
    await task
