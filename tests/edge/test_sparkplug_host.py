"""The edge as a Sparkplug host application on a real broker, by the names of the specification's assertions.

Each test bears the identifiers (`tck-id-…`, Sparkplug Specification 3.0.0) of what it shows; the last one compares them with
the list of all assertions that bind a host.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.check import check
from edge.contracts.plant import Plant, SparkplugSource
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable
from edge.contracts.status import SourceState
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.sparkplug import SparkplugAcquisition
from edge.data_acquisition.sparkplug_nodes import ASK_AGAIN_S, SparkplugNodes
from edge.formats.sparkplug import REBIRTH, Kind, Session, State, Topic
from edge.formats.sparkplug import Message as SparkplugMessage
from edge.formats.sparkplug_payload import QUALITY, DataType, Metric, Payload, QualityCode, decode_payload, quality
from tests.conftest import COUNTERPARTS, Mosquitto, node_program
from tests.edge.test_mqtt import until

GROUP, NODE, DEVICE, HOST = "hall-1", "gateway", "Press 1", "edge-1"
STATE: Final = f"spBv1.0/STATE/{HOST}"
MS: Final = 1_000_000
REORDER_S: Final = 0.5

_HOST_TOPIC = "host-topic-phid"
_HOST_APPLICATION = "operational-behavior-host-application"
_FLOW = "message-flow-phid-sparkplug"
_DEATH = "operational-behavior-edge-node-termination-host-action"
_REORDERING = "operational-behavior-host-reordering"
_COMMANDS = "operational-behavior-data-commands"
_SERVERS = "operational-behavior-primary-application-state-with-multiple-servers"

# all assertions of the specification that bind a host application
HOST_SIDE: Final = {
    *(f"{_HOST_TOPIC}-birth-{x}" for x in ("message", "qos", "retain", "topic", "sub-required", "required", "payload")),
    f"{_HOST_TOPIC}-birth-payload-timestamp",
    *(f"{_HOST_TOPIC}-death-{x}" for x in ("qos", "retain", "topic", "required", "payload")),
    f"{_HOST_TOPIC}-death-payload-timestamp-connect",
    f"{_HOST_TOPIC}-death-payload-timestamp-disconnect-clean",
    f"{_HOST_TOPIC}-death-payload-timestamp-disconnect-with-no-disconnect-packet",
    *(f"{_FLOW}-{x}" for x in ("clean-session-311", "clean-session-50", "subscription")),
    *(f"{_FLOW}-state-publish{x}" for x in ("", "-payload", "-payload-timestamp")),
    "message-flow-hid-sparkplug-state-message-delivered",
    *(f"{_DEATH}-ndeath-{x}" for x in ("node-offline", "node-tags-stale", "devices-offline", "devices-tags-stale")),
    *(f"{_DEATH}-ddeath-{x}" for x in ("devices-offline", "devices-tags-stale")),
    *(f"{_REORDERING}-{x}" for x in ("param", "start", "rebirth", "success")),
    *(f"{_SERVERS}-{x}" for x in ("state-subs", "state")),
    *(f"{_HOST_APPLICATION}-{x}" for x in ("host-id", "multi-server-timestamp", "termination", "disconnect-intentional")),
    *(f"{_HOST_APPLICATION}-connect-will{x}" for x in ("", "-topic", "-payload", "-qos", "-retained")),
    *(f"{_HOST_APPLICATION}-connect-birth{x}" for x in ("", "-topic", "-payload", "-qos", "-retained")),
    *(f"{_HOST_APPLICATION}-death-{x}" for x in ("topic", "payload", "qos", "retained")),
    *(
        f"{_COMMANDS}-ncmd-{x}"
        for x in ("rebirth-verb", "rebirth-name", "rebirth-value", "verb", "metric-name", "metric-value")
    ),
    *(f"{_COMMANDS}-dcmd-{x}" for x in ("verb", "metric-name", "metric-value")),
    *(f"topics-{kind}-{x}" for kind in ("ncmd", "dcmd") for x in ("topic", "mqtt", "timestamp", "payload")),
    *(f"payloads-{kind}-{x}" for kind in ("ncmd", "dcmd") for x in ("timestamp", "seq", "qos", "retain")),
    "payloads-name-cmd-requirement",
    *(f"payloads-state-{x}" for x in ("subscribe", "birth", "birth-payload")),
    *(f"payloads-state-will-message{x}" for x in ("", "-qos", "-retain", "-payload")),
    "conformance-primary-host",
}
NOT_HERE: Final = {
    **{name: "the edge writes nothing to devices" for name in HOST_SIDE if "dcmd" in name},
    **{name: "one source is one broker" for name in HOST_SIDE if "multi" in name},
}
_shown: set[str] = set()


def tck(*names: str) -> Callable[[Any], Any]:
    """The assertions that a test shows, without `tck-id-`."""
    assert set(names) <= HOST_SIDE, set(names) - HOST_SIDE
    _shown.update(names)
    return lambda test: test


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    qos: int
    retained: bool

    @property
    def json(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.payload)
        return said


class Witness:
    """Another client of the broker: hears all there is, and speaks for an edge node."""

    def __init__(self, port: int) -> None:
        self.heard: list[Heard] = []
        self.session = Session(GROUP, NODE)
        self._port, self._subscribed = port, False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        everything = [("spBv1.0/#", SubscribeOptions(qos=1, retainAsPublished=True))]
        self._client.on_connect = lambda client, *_: client.subscribe(everything)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            Heard(message.topic, bytes(message.payload), message.qos, message.retain)
        )

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True

    async def __aenter__(self) -> "Witness":
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
        self._client.loop_start()
        await until("the witness", lambda: self._subscribed)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    @property
    def states(self) -> list[Heard]:
        return [heard for heard in self.heard if heard.topic == STATE]

    @property
    def commands(self) -> list[Heard]:
        return [heard for heard in self.heard if "/NCMD/" in heard.topic]

    def say(self, topic: str, payload: bytes, qos: int = 0, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(10)

    def tell(self, message: SparkplugMessage) -> None:
        self.say(*message.encode())

    def give_birth(self, force: float = 1.0) -> None:
        now = time.time_ns()
        if self.session.state is State.OFFLINE:
            self.session.connect(now)
        load = Metric(name="Load", datatype=DataType.DOUBLE, value=0.5, timestamp=now)
        self.tell(self.session.node_birth(now, [load]))
        self.tell(self.session.device_birth(DEVICE, now, births(force, now)))

    def force(self, value: float) -> SparkplugMessage:
        now = time.time_ns()
        return self.session.data(DEVICE, now, [Metric(name="Force/Main", value=value, timestamp=now)])


def births(force: float, now: int) -> list[Metric]:
    return [
        # taken long ago, and still so
        Metric(name="Force/Main", datatype=DataType.DOUBLE, value=force, timestamp=now - 3600_000 * MS),
        Metric(name="Recipe", datatype=DataType.STRING, value="A", timestamp=now),
    ]


class Acquired:
    """An acquisition that runs, and what it has brought."""

    def __init__(self, plant: Plant) -> None:
        source = plant.sources["line"]
        assert isinstance(source, SparkplugSource)
        self.account = SourceAccount("line", source.clock, time.time_ns, SampleAccount(plant))
        self.batches: list[SampleBatch] = []
        self.kept: list[SampleBatch] = []
        self.rows = {row.name: row.index for row in plant.signal_table}
        self.texts = {row.index: TextTable() for row in plant.signal_table if row.is_text}
        self.acquisition = SparkplugAcquisition(
            "line", source, plant.edge.id, plant.signals_of("line"), self.texts, self.account, self._take, self
        )

    async def _take(self, _source: str, batch: SampleBatch) -> None:
        self.batches.append(batch)

    def recovered(self, batch: SampleBatch) -> None:
        self.kept.append(batch)

    def of(self, name: str) -> list[tuple[float, Quality]]:
        """Value and quality of all samples of a signal, in order."""
        found = []
        for batch in self.batches:
            mine = batch.signal == self.rows[name]
            found += [(value, Quality(q)) for value, q in zip(batch.value[mine].tolist(), batch.quality[mine], strict=True)]
        return found

    @property
    def newest(self) -> SampleBatch:
        return [batch for batch in self.batches if len(batch)][-1]

    def values(self, name: str) -> list[float]:
        return [value for value, grade in self.of(name) if grade is not Quality.BAD]

    def bad(self, name: str) -> int:
        return sum(grade is Quality.BAD for _, grade in self.of(name))


PLANT: Final = """
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-1"
[sources.line]
kind = "sparkplug"
url = "{url}"
reorder_s = {reorder}
[sources.broker]
kind = "mqtt"
url = "{url}"
[assets.press-1]
class = "press"
context = ["recipe"]
[assets.press-1.signals]
force = {{ unit = "kN", source = "line", device = "hall-1/gateway/Press 1", metric = "Force/Main" }}
recipe = {{ unit = "1", source = "line", device = "hall-1/gateway/Press 1", metric = "Recipe" }}
load = {{ unit = "1", source = "line", device = "hall-1/gateway", metric = "Load" }}
"""


@pytest.fixture
def plant(tmp_path: Path, mosquitto: Mosquitto) -> Plant:
    path = tmp_path / "plant.toml"
    path.write_text(PLANT.format(url=mosquitto.url, reorder=REORDER_S))
    return load_plant(path)


@asynccontextmanager
async def acquiring(plant: Plant, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5) -> AsyncIterator[Acquired]:
    acquired = Acquired(plant)
    acquired.acquisition._connection._version = version
    task = asyncio.create_task(acquired.acquisition.run())
    await until("the host", lambda: acquired.account.is_connected)
    yield acquired
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def witness(mosquitto: Mosquitto) -> AsyncIterator[Witness]:
    async with Witness(mosquitto.port) as made:
        yield made


# ---- the host says that it is there


@tck(
    *(f"{_HOST_TOPIC}-birth-{x}" for x in ("message", "qos", "retain", "topic", "required", "payload", "payload-timestamp")),
    *(f"{_HOST_APPLICATION}-connect-birth{x}" for x in ("", "-topic", "-payload", "-qos", "-retained")),
    *(f"{_FLOW}-state-publish{x}" for x in ("", "-payload", "-payload-timestamp")),
    *(f"payloads-state-{x}" for x in ("birth", "birth-payload")),
    "conformance-primary-host",
    f"{_HOST_APPLICATION}-host-id",
)
async def test_its_first_word_is_its_birth(plant: Plant, witness: Witness) -> None:
    begun = time.time_ns() // MS
    async with acquiring(plant):
        await until("a birth", lambda: witness.states)
    assert witness.heard[0].topic == STATE, "before anything else, commands included"
    birth = witness.heard[0]
    assert (birth.qos, birth.retained) == (1, True)
    assert set(birth.json) == {"online", "timestamp"}
    assert birth.json["online"] is True
    assert begun <= birth.json["timestamp"] <= time.time_ns() // MS


@tck(
    f"{_HOST_TOPIC}-birth-sub-required",
    f"{_FLOW}-subscription",
    "payloads-state-subscribe",
    "message-flow-hid-sparkplug-state-message-delivered",
)
async def test_who_says_that_it_is_offline_is_contradicted(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant):
        await until("a birth", lambda: witness.states)
        birth = witness.states[0]
        # as the will of an earlier connection does, when a broker notices late
        witness.say(STATE, json.dumps({"online": False, "timestamp": birth.json["timestamp"] - 1}).encode(), 1, retain=True)
        await until("another birth", lambda: len(witness.states) >= 3)
        assert witness.states[2] == birth, "the same again, with the time of this connection"
        # anything else on that topic says nothing
        for content in (b"", b"OFFLINE", b"[]", b'{"online": true}', b"\xff"):
            witness.say(STATE, content, 1)
        witness.say(STATE, json.dumps({"online": False}).encode(), 1)
        await until("one more birth", lambda: len(witness.states) >= 10)
        assert [heard.payload for heard in witness.states].count(birth.payload) == 3


@tck(
    *(f"{_HOST_TOPIC}-death-{x}" for x in ("qos", "retain", "topic", "required", "payload", "payload-timestamp-connect")),
    *(f"{_HOST_APPLICATION}-connect-will{x}" for x in ("", "-topic", "-payload", "-qos", "-retained")),
    *(f"payloads-state-will-message{x}" for x in ("", "-qos", "-retain", "-payload")),
)
async def test_a_broken_connection_lets_the_broker_say_that_it_is_gone(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        await until("a birth", lambda: witness.states)
        birth = witness.states[0]
        acquired.acquisition._connection.cut()
        await until("its will and another birth", lambda: len(witness.states) >= 3)
        # the new connection's birth and the old one's will come in either order
        will = next(heard for heard in witness.states[1:] if heard.json["online"] is False)
        assert (will.qos, will.retained) == (1, True)
        assert will.json == {"online": False, "timestamp": birth.json["timestamp"]}
        await until("the last word", lambda: witness.states[-1].json["online"])
        assert witness.states[-1].json["timestamp"] > birth.json["timestamp"], "of the connection that it belongs to"


@tck(
    *(f"{_HOST_APPLICATION}-death-{x}" for x in ("topic", "payload", "qos", "retained")),
    f"{_HOST_APPLICATION}-termination",
    f"{_HOST_APPLICATION}-disconnect-intentional",
    f"{_HOST_TOPIC}-death-payload-timestamp-disconnect-clean",
    f"{_HOST_TOPIC}-death-payload-timestamp-disconnect-with-no-disconnect-packet",
)
async def test_it_says_farewell_before_it_goes(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant):
        await until("a birth", lambda: witness.states)
    await until("the farewell", lambda: len(witness.states) >= 2)
    birth, farewell = witness.states
    assert (farewell.qos, farewell.retained) == (1, True)
    assert farewell.json["online"] is False
    assert farewell.json["timestamp"] >= birth.json["timestamp"]
    await asyncio.sleep(0.3)
    assert len(witness.states) == 2, "a DISCONNECT took the will back"


@tck(f"{_FLOW}-clean-session-50", f"{_FLOW}-clean-session-311")
@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311])
async def test_no_session_outlives_a_connection(plant: Plant, witness: Witness, version: MQTTProtocolVersion) -> None:
    async with acquiring(plant, version) as acquired:
        witness.give_birth()
        await until("a value", lambda: acquired.values("force"))
    witness.say("spBv1.0/hall-1/NDEATH/gateway", witness.session.death(0).encode()[1], 1)
    async with acquiring(plant, version) as acquired:
        await asyncio.sleep(0.5)
        assert not acquired.of("force"), "what came at QoS 1 in between was not kept"


# ---- it asks for births


@tck(
    *(
        f"{_COMMANDS}-ncmd-{x}"
        for x in ("rebirth-verb", "rebirth-name", "rebirth-value", "verb", "metric-name", "metric-value")
    ),
    *(f"topics-ncmd-{x}" for x in ("topic", "mqtt", "timestamp", "payload")),
    *(f"payloads-ncmd-{x}" for x in ("timestamp", "seq", "qos", "retain")),
    "payloads-name-cmd-requirement",
)
async def test_it_asks_for_the_births_that_it_has_not_heard(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant):
        await until("a command", lambda: witness.commands)
    (command,) = witness.commands
    assert command.topic == "spBv1.0/hall-1/NCMD/gateway"
    assert (command.qos, command.retained) == (0, False)
    payload = decode_payload(command.payload, command.topic)
    assert payload.seq is None
    assert payload.timestamp is not None
    assert abs(payload.timestamp - time.time_ns()) < 60_000 * MS
    (metric,) = payload.metrics
    assert (metric.name, metric.datatype, metric.value) == (REBIRTH, DataType.BOOLEAN, True)


async def test_births_and_data_become_samples(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        witness.give_birth(force=7.5)
        witness.tell(witness.force(8.0))
        await until("the values", lambda: acquired.values("force") == [7.5, 8.0])
        assert acquired.values("load") == [0.5]
        assert acquired.texts[acquired.rows["recipe"]].texts == ("A",)
        # a birth says what is so now, however old it is
        assert acquired.account.status().rejected == {}
        assert abs(int(acquired.newest.time[0]) - time.time_ns()) < 60_000 * MS
        now = time.time_ns()
        uncertain = Metric(name="Force/Main", value=9.0, timestamp=now, properties={QUALITY: quality(QualityCode.BAD)})
        witness.tell(witness.session.data(DEVICE, now, [uncertain]))
        witness.tell(witness.session.data(DEVICE, now, [Metric(name="Force/Main", is_null=True, timestamp=now)]))
        witness.tell(witness.session.data(DEVICE, now, [Metric(name="Force/Main", value=math.inf, timestamp=now)]))
        await until("the bad ones", lambda: acquired.bad("force") == 3)
        assert acquired.account.status().rejected == {"not-finite": 1}
        assert acquired.account.status().problem is None


async def test_what_an_edge_node_had_kept_is_recorded_and_not_assessed(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        witness.give_birth()
        await until("the birth", lambda: acquired.values("force"))
        then = time.time_ns() - 7200_000 * MS
        old = [Metric(name="Force/Main", value=float(n), timestamp=then + n * 1000 * MS, is_historical=True) for n in range(5)]
        witness.tell(witness.session.data(DEVICE, time.time_ns(), old))
        await until("what was kept", lambda: acquired.kept)
        assert acquired.kept[0].value.tolist() == [0, 1, 2, 3, 4]
        assert np.diff(acquired.kept[0].time).tolist() == [1_000_000_000] * 4
        assert acquired.values("force") == [1.0]
        assert acquired.account.status().recovered == 5


# ---- deaths


@tck(*(f"{_DEATH}-ndeath-{x}" for x in ("node-offline", "node-tags-stale", "devices-offline", "devices-tags-stale")))
async def test_the_death_of_an_edge_node_makes_all_its_values_bad(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        witness.give_birth()
        await until("the birth", lambda: acquired.values("force") and acquired.values("load"))
        # a will that was left an hour ago; and one of an earlier connection, which says nothing of this one
        earlier = Session(GROUP, NODE, first_bd_seq=(witness.session.bd_seq - 1) % 256)
        witness.tell(earlier.connect(time.time_ns()))
        witness.tell(witness.force(2.0))
        await until("life after it", lambda: acquired.values("force") == [1.0, 2.0])
        witness.tell(witness.session.death(time.time_ns() - 3600_000 * MS))
        await until("the death", lambda: acquired.bad("force"))
        assert [acquired.bad(name) for name in ("force", "load", "recipe")] == [1, 1, 1]
        assert abs(int(acquired.newest.time[0]) - time.time_ns()) < 60_000 * MS, "in the host's own time"
        await until("it is told", lambda: acquired.account.status().problem is not None)
        assert "'hall-1/gateway/Press 1' is not there" in str(acquired.account.status().problem)
        witness.give_birth(force=3.0)
        await until("the next life", lambda: acquired.values("force")[-1] == 3.0)
        await until("it is told", lambda: acquired.account.status().problem is None)


@tck(*(f"{_DEATH}-ddeath-{x}" for x in ("devices-offline", "devices-tags-stale")))
async def test_the_death_of_a_device_makes_its_values_bad_at_that_time(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        witness.give_birth()
        await until("the birth", lambda: acquired.values("force"))
        moment = time.time_ns() // MS * MS - 2000 * MS
        witness.tell(witness.session.device_death(DEVICE, moment))
        await until("the death", lambda: acquired.bad("force"))
        assert [acquired.bad(name) for name in ("force", "load", "recipe")] == [1, 0, 1]
        assert set(acquired.newest.time.tolist()) == {moment}


# ---- the sequence


@tck(f"{_REORDERING}-success", f"{_REORDERING}-start", f"{_REORDERING}-param")
async def test_messages_out_of_turn_are_put_in_order(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        witness.give_birth(force=0.0)
        await until("the birth", lambda: acquired.values("force"))
        asked = len(witness.commands)
        first, second, third = (witness.force(value) for value in (1.0, 2.0, 3.0))
        for message in (third, second, first):
            witness.tell(message)
        await until("all of it", lambda: len(acquired.values("force")) == 4)
        assert acquired.values("force") == [0.0, 1.0, 2.0, 3.0]
        await asyncio.sleep(2 * REORDER_S)
        assert len(witness.commands) == asked, "the timer was ended"
        assert acquired.account.status().rejected == {}


@tck(f"{_REORDERING}-rebirth")
async def test_a_gap_that_is_not_filled_asks_for_a_rebirth(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        witness.give_birth(force=0.0)
        await until("the birth", lambda: acquired.values("force"))
        asked = len(witness.commands)
        witness.force(1.0)  # lost on its way
        witness.tell(witness.force(2.0))
        await until("a command", lambda: len(witness.commands) > asked)
        assert acquired.account.status().rejected == {"sequence-gap": 1}
        assert acquired.values("force") == [0.0], "the aliases may be those of a birth that was missed"
        witness.give_birth(force=2.0)
        witness.tell(witness.force(3.0))
        await until("all goes on", lambda: acquired.values("force") == [0.0, 2.0, 3.0])


async def test_data_before_any_birth_is_refused_and_births_are_asked_for(plant: Plant, witness: Witness) -> None:
    witness.session.connect(0)
    witness.session.node_birth(0)
    witness.session.device_birth(DEVICE, 0, births(0.0, 0))
    async with acquiring(plant) as acquired:
        for value in range(3):
            witness.tell(witness.force(float(value)))
        await until("the refusals", lambda: acquired.account.status().rejected == {"no-birth": 3})
        assert not acquired.of("force")


async def test_garbage_is_counted_and_harms_nobody(plant: Plant, witness: Witness) -> None:
    async with acquiring(plant) as acquired:
        witness.give_birth(force=0.0)
        await until("the birth", lambda: acquired.values("force"))
        for payload in (b"", b"\xff" * 100, b"{}", b"\x12" * 3000, bytes(30_000)):
            witness.say(f"spBv1.0/{GROUP}/DDATA/{NODE}/Press 1", payload)
        witness.say(f"spBv1.0/{GROUP}/NONSENSE/{NODE}", b"")
        witness.say(f"spBv1.0/{GROUP}/DDATA/{NODE}/Press 1", b"", 0, retain=True)
        witness.give_birth(force=1.0)
        witness.tell(witness.force(2.0))
        await until("it goes on", lambda: acquired.values("force")[-1] == 2.0)
        assert sum(acquired.account.status().rejected.values()) >= 6
        assert acquired.account.status().state is SourceState.CONNECTED


def test_it_asks_again_until_it_is_answered(plant: Plant) -> None:
    nodes = SparkplugNodes(plant.signals_of("line"), {1: TextTable()}, REORDER_S)
    assert nodes.to_ask(0.0) == []
    nodes.connected()
    assert nodes.to_ask(0.0) == [(GROUP, NODE)]
    assert nodes.to_ask(ASK_AGAIN_S - 0.1) == []
    assert nodes.to_ask(ASK_AGAIN_S) == [(GROUP, NODE)]
    session = Session(GROUP, NODE)
    session.connect(0)
    nodes.take(*session.node_birth(0).encode(), received=0, now=20.0)
    assert nodes.to_ask(100.0) == []
    device, load = nodes.missing()
    assert device.startswith("'hall-1/gateway/Press 1' is not there")
    assert load == "press-1.load: 'hall-1/gateway' has no metric 'Load'; it has 'bdSeq', 'Node Control/Rebirth'"


def test_messages_of_others_say_nothing(plant: Plant) -> None:
    nodes = SparkplugNodes(plant.signals_of("line"), {1: TextTable()}, REORDER_S)
    topics = (Topic("hall-2", Kind.NDATA, NODE), Topic(GROUP, Kind.NCMD, NODE), Topic(GROUP, Kind.DCMD, NODE, DEVICE))
    for topic in topics:
        taken = nodes.take(*SparkplugMessage(topic, Payload(timestamp=0)).encode(), received=0, now=0.0)
        assert (len(taken.now.signal), taken.rejected) == (0, {})


async def test_check_looks_at_births_and_units(plant: Plant, witness: Witness, tmp_path: Path) -> None:
    answering = asyncio.create_task(_answer(witness))
    findings = [(finding.good, finding.text) for finding in await check(plant, tmp_path, {}, 1.5)]
    answering.cancel()
    texts = [text for _, text in findings]
    assert (True, "press-1.force: device 'hall-1/gateway/Press 1', metric 'Force/Main': 4 kN") in findings
    assert (True, "press-1.recipe: device 'hall-1/gateway/Press 1', metric 'Recipe': 'A'") in findings
    assert all(good for good, _ in findings), texts
    silent = [finding.text for finding in await check(plant, tmp_path, {}, 0.5) if not finding.good]
    assert len(silent) == 2
    assert "'hall-1/gateway/Press 1' is not there: no birth of it has come" in silent[0]


async def _answer(witness: Witness) -> None:
    """An edge node that does what it is asked."""
    await until("a command", lambda: witness.commands)
    witness.give_birth(force=4.0)


def test_every_assertion_that_binds_a_host_is_shown_or_has_a_reason() -> None:
    assert not HOST_SIDE - _shown - NOT_HERE.keys()
    assert not _shown & NOT_HERE.keys()


# ---- an edge node that others wrote


async def test_an_edge_node_by_others_is_heard_reborn_and_dies(plant: Plant) -> None:
    """Eclipse Tahu's client for JavaScript."""
    source = plant.sources["line"]
    process = await asyncio.create_subprocess_exec(
        node_program("sparkplug-client"),
        str(COUNTERPARTS / "edge_node.mjs"),
        source.url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with acquiring(plant) as acquired:
        await until("values", lambda: len(acquired.values("force")) > 10)
        assert acquired.values("load")[-1] == 0.5
        assert acquired.texts[acquired.rows["recipe"]].texts == ("A",)
        assert acquired.account.status().problem is None
        # as when the edge was away
        acquired.acquisition._connection.cut()
        seen = len(acquired.values("force"))
        await until("more values", lambda: len(acquired.values("force")) > seen + 10)
        assert not acquired.bad("force")
        process.stdin.close()
        await until("its death", lambda: acquired.bad("force") and acquired.bad("load"))
    rebirths = (await process.stdout.read()).split()
    assert len(rebirths) >= 1, "each connection asks for births"
    assert await process.wait() == 0
