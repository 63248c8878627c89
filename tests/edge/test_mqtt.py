"""Acquisition from a real broker: what comes while the edge is away is kept for it, and it shows who it is."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.application_certificate import Application, Identity, kept_identity
from edge.check import check
from edge.contracts.plant import MqttSource, Plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch
from edge.contracts.status import SourceState
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.mqtt import MqttAcquisition
from edge.mqtt_connection import Connected, MqttConnection
from tests.conftest import Mosquitto
from tests.simulator.test_mqtt_security import write_certificates

LIMIT_S = 60.0
TOPIC = "press"


@pytest.fixture
def plant(make_plant: Callable[..., Plant], mosquitto: Mosquitto) -> Plant:
    return at(make_plant(), mosquitto)


def at(plant: Plant, broker: Mosquitto) -> Plant:
    source = plant.sources["broker"]
    assert isinstance(source, MqttSource)
    return replace(plant, sources={**plant.sources, "broker": replace(source, url=broker.url)})


class Acquired:
    def __init__(self, plant: Plant) -> None:
        source = plant.sources["broker"]
        assert isinstance(source, MqttSource)
        self.account = SourceAccount("broker", source.clock, time.time_ns, SampleAccount(plant))
        self.values: list[float] = []
        self.plant, self.source = plant, source

    async def take(self, _source: str, batch: SampleBatch) -> None:
        self.values += batch.value.tolist()

    @property
    def state(self) -> SourceState:
        return self.account.status().state


async def until(what: str, condition: Callable[[], object]) -> None:
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():  # noqa: ASYNC110  # conditions of many kinds
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"in vain waited for {what}") from None


@asynccontextmanager
async def acquiring(acquired: Acquired, certificate: Path | None = None) -> AsyncIterator[None]:
    acquisition = MqttAcquisition(
        "broker", acquired.source, acquired.plant, {}, acquired.account, acquired.take, certificate=certificate
    )
    task = asyncio.create_task(acquisition.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def publishing(url: str, version: str = "5") -> AsyncIterator[MqttConnection]:
    async with MqttConnection(url=url, client_id="plant") as connection:
        async for event in connection:
            if isinstance(event, Connected):
                break
        yield connection


def say(connection: MqttConnection, force: float) -> None:
    assert connection.publish(TOPIC, json.dumps({"force": force, "time": time.time()}).encode()) is not None


async def test_what_comes_while_the_edge_is_away_is_kept_for_it(plant: Plant, mosquitto: Mosquitto) -> None:
    acquired = Acquired(plant)
    async with publishing(mosquitto.url) as connection:
        async with acquiring(acquired):
            await until("the edge", lambda: acquired.state is SourceState.CONNECTED)
            say(connection, 1.0)
            await until("the first", lambda: acquired.values == [1.0])
        for number in range(2, 102):
            say(connection, float(number))
        await until("the broker to have all", lambda: connection.unacknowledged == 0)
        async with acquiring(acquired):
            await until("the rest", lambda: len(acquired.values) >= 101)
            say(connection, 102.0)
            await until("the last", lambda: acquired.values[-1] == 102.0)
    assert acquired.values == [float(number) for number in range(1, 103)]


class Busy(Acquired):
    """Takes the first batch when it is told to stop, as a pipeline does whose queue is full."""

    stuck = False

    async def take(self, source: str, batch: SampleBatch) -> None:
        if not self.stuck:
            self.stuck = True
            try:
                await asyncio.Event().wait()
            finally:
                await super().take(source, batch)
        await super().take(source, batch)


async def test_a_stop_loses_nothing_of_what_the_broker_was_told_that_it_has_come(plant: Plant, mosquitto: Mosquitto) -> None:
    acquired = Busy(plant)
    async with publishing(mosquitto.url) as connection:
        async with acquiring(acquired):
            await until("the edge", lambda: acquired.state is SourceState.CONNECTED)
            say(connection, 1.0)
            await until("the first", lambda: acquired.stuck)
            for number in range(2, 12):
                say(connection, float(number))
            await until("the broker to have all", lambda: connection.unacknowledged == 0)
            await asyncio.sleep(1.0)
        # and nothing of it is with the broker any more
        async with acquiring(acquired):
            say(connection, 12.0)
            await until("the last", lambda: 12.0 in acquired.values)
    assert acquired.values == [float(number) for number in range(1, 13)]


async def test_a_topic_that_the_plant_file_no_longer_has_is_given_up(plant: Plant, mosquitto: Mosquitto) -> None:
    (old,) = plant.signals_of("broker")
    moved = {old.name: replace(old.signal, topic="press/other")}
    asset = plant.assets[old.asset]
    other = replace(plant, assets={**plant.assets, old.asset: replace(asset, signals={**asset.signals, **moved})})
    async with acquiring(first := Acquired(plant)):
        await until("the edge", lambda: first.state is SourceState.CONNECTED)
    acquired = Acquired(other)
    async with publishing(mosquitto.url) as connection, acquiring(acquired):
        await until("the edge", lambda: acquired.state is SourceState.CONNECTED)
        say(connection, 1.0)
        await until("the old topic", lambda: acquired.account.status().rejected.get("unknown-topic"))
        await asyncio.sleep(0.2)
        for _ in range(3):
            say(connection, 2.0)
        connection.publish("press/other", json.dumps({"force": 3.0, "time": time.time()}).encode())
        await until("the new topic", lambda: acquired.values == [3.0])
    assert acquired.account.status().rejected == {"unknown-topic": 1}


async def test_a_message_too_large_stays_at_the_broker(plant: Plant, mosquitto: Mosquitto) -> None:
    acquired = Acquired(plant)
    async with publishing(mosquitto.url) as connection, acquiring(acquired):
        await until("the edge", lambda: acquired.state is SourceState.CONNECTED)
        connection.publish(TOPIC, b"[" * (3 << 20))
        say(connection, 1.0)
        await until("the small one", lambda: acquired.values == [1.0])
    assert acquired.account.status().rejected == {}
    assert acquired.state is SourceState.CONNECTED


@pytest.fixture
def demanding(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Mosquitto]:
    """A broker that lets in who shows a certificate of the plant's authority, and calls clients by its name."""
    if shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists():
        pytest.skip("mosquitto is not installed; `apt-get install mosquitto` brings it")
    write_certificates(tmp_path)
    files = {"cafile": "ca.pem", "certfile": "broker.pem", "keyfile": "broker.key"}
    settings = "".join(f"{key} {tmp_path / name}\n" for key, name in files.items())
    broker = Mosquitto(free_port(), tmp_path, f"{settings}require_certificate true\nuse_identity_as_username true\n")
    broker.url = f"mqtts://127.0.0.1:{broker.port}"
    broker.start()
    yield broker
    broker.stop()


# paho leaves a socket whose handshake failed to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_edge_shows_its_certificate(
    demanding: Mosquitto, make_plant: Callable[..., Plant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    plant = at(make_plant(), demanding)
    own = tmp_path / "edge.pem"
    # the authority's certificate for the broker serves as one for the edge: it is of the same authority
    own.write_bytes((tmp_path / "broker.key").read_bytes() + (tmp_path / "broker.pem").read_bytes())
    acquired = Acquired(plant)
    async with acquiring(acquired, own):
        await until("the edge", lambda: acquired.state is SourceState.CONNECTED)
    environ = {"KULLAGER_SOURCE_BROKER_CERTIFICATE_FILE": str(own)}
    found = [each for each in await check(plant, tmp_path, environ, listen_s=0.1) if "source 'broker'" in each.text]
    assert any("connected by MQTT 5" in each.text for each in found)
    # it was made for a day
    assert any("its certificate is valid for 0 more days" in each.text and not each.good for each in found)
    # one that nobody vouches for, and none
    stranger = kept_identity(
        tmp_path / "stranger.pem", Application(name="stranger", uri="urn:x", hosts=(), server=False), time_now()
    )
    for certificate in (written(stranger, tmp_path / "own.pem"), None):
        refused = Acquired(plant)
        async with acquiring(refused, certificate):
            await until("the refusal", lambda: refused.account.status().problem)  # noqa: B023  # waited for at once
            assert refused.state is not SourceState.CONNECTED


def time_now():
    from datetime import UTC, datetime

    return datetime.now(UTC)


def written(identity: Identity, path: Path) -> Path:
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key + identity.certificate.public_bytes(Encoding.PEM))
    return path
