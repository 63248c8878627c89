"""Intervals without data: when, why, and what was read back from a real server's history."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from asyncua import Server, ua

from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.opcua import OpcuaAcquisition
from edge.data_acquisition.opcua_security import opcua_credentials
from edge.ledger import NOT_RUNNING, NOTHING_CAME, Gap, Ledger, LedgerError, gaps_of

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000_000
T0 = 1_795_514_400 * SECOND


@pytest.fixture
def plant() -> Plant:
    return load_plant(ROOT / "tests/cases/training/plant.toml")


class Running:
    """A ledger and the clock of an edge; each second brings samples of the signals that are not silent."""

    def __init__(self, path: Path, plant: Plant) -> None:
        self.plant, self.now, self.problem = plant, 0.0, ""
        self.ledger = Ledger(path, plant, lambda _source: self.problem or None)

    def seconds(self, n: int, *names: str) -> None:
        for _ in range(n):
            self.now += 1.0
            signals = [self.plant.signal_index["pump", name] for name in names]
            self.ledger.saw(SampleBatch.of(signals, [self.time] * len(signals), [1.0] * len(signals)), self.now)
            self.ledger.look(self.now, self.now)

    @property
    def time(self) -> int:
        return T0 + round(self.now * SECOND)


def of_pump(gaps: list[Gap]) -> list[Gap]:
    """The plant's fan never brings anything."""
    return [gap for gap in gaps if gap.asset == "pump"]


def of(gaps: list[Gap], signal: str) -> list[tuple[float | None, float | None, str]]:
    def seconds(time: int | None) -> float | None:
        return None if time is None else (time - T0) / SECOND

    return [(seconds(gap.first), seconds(gap.last), gap.cause) for gap in of_pump(gaps) if gap.signal == signal]


def test_a_gap_reaches_from_the_last_sample_to_the_next_and_says_why(plant: Plant, tmp_path: Path) -> None:
    running = Running(tmp_path / "gaps.sqlite", plant)
    every = ("speed", "flow", "pressure", "recipe")
    with running.ledger as ledger:
        running.seconds(20, *every)
        assert of_pump(ledger.gaps()) == []
        # one signal alone, for longer than its ten seconds
        running.seconds(15, "speed", "pressure", "recipe")
        assert of(ledger.gaps(), "flow") == [(20.0, None, NOTHING_CAME)]
        assert ledger.silent("broker") == 2
        running.seconds(5, *every)
        assert of(ledger.gaps(), "flow") == [(20.0, 36.0, NOTHING_CAME)]
        # the whole source
        running.problem = "mqtt://broker was lost"
        running.seconds(30)
        running.problem = ""
        running.seconds(2, *every)
        for name in every:
            assert of(ledger.gaps(), name)[0] == (40.0, 71.0, "mqtt://broker was lost")
        # what is back in time was no gap
        running.seconds(8)
        running.seconds(3, *every)
        assert len(of_pump(ledger.gaps())) == 5
        assert ledger.silent("broker") == 1


def test_a_signal_that_never_came_is_named(plant: Plant, tmp_path: Path) -> None:
    running = Running(tmp_path / "gaps.sqlite", plant)
    with running.ledger as ledger:
        running.seconds(20, "speed", "pressure", "recipe")
        assert of(ledger.gaps(), "flow") == [(None, None, NOTHING_CAME)]
        running.seconds(1, "flow")
        assert of(ledger.gaps(), "flow") == [(None, 21.0, NOTHING_CAME)]


def test_an_absence_of_the_edge_is_a_gap_of_all_signals(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "gaps.sqlite"
    running = Running(path, plant)
    with running.ledger:
        running.seconds(20, "speed", "flow", "pressure", "recipe")
        running.ledger.save()
    again = Running(path, plant)
    again.now = 500.0
    with again.ledger as ledger:
        assert ledger.newest[plant.signal_index["pump", "flow"]] == T0 + 20 * SECOND
        again.seconds(1, "speed", "flow", "pressure", "recipe")
        assert of(ledger.gaps(), "flow") == [(20.0, 501.0, NOT_RUNNING)]
        ledger.save()
        # a quick restart is none
    quick = Running(path, plant)
    quick.now = 503.0
    with quick.ledger as ledger:
        quick.seconds(1, "speed", "flow", "pressure", "recipe")
        assert len(of(ledger.gaps(), "flow")) == 1
    assert len(gaps_of(path, "pump")) == 4
    assert [gap.signal for gap in gaps_of(path, "nobody")] == []


def test_what_was_read_back_is_counted_in_its_gap(plant: Plant, tmp_path: Path) -> None:
    running = Running(tmp_path / "gaps.sqlite", plant)
    flow = plant.signal_index["pump", "flow"]
    with running.ledger as ledger:
        running.seconds(20, "speed", "flow")
        running.seconds(15, "speed")
        running.seconds(2, "speed", "flow")
        ledger.recovered(SampleBatch.of([flow] * 3, [T0 + (21 + number) * SECOND for number in range(3)], [1.0] * 3))
        assert [gap.recovered for gap in ledger.gaps() if gap.signal == "flow"] == [3]


def test_a_disk_that_fails_is_told_and_the_edge_goes_on(plant: Plant, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "folder").write_text("a file where a folder should be")
    running = Running(tmp_path / "folder" / "gaps.sqlite", plant)
    with running.ledger as ledger:
        running.seconds(20, "speed")
        assert ledger.problem is not None or "gaps cannot be written down" in caplog.text
        assert len(of(ledger.gaps(), "flow")) == 1
    with pytest.raises(LedgerError, match="an edge makes it when it runs"):
        gaps_of(tmp_path / "none.sqlite")


# -- read back from a real server


class Past:
    """What an edge has had, and gets back."""

    def __init__(self) -> None:
        self.had: dict[int, int] = {}
        self.live: list[float] = []
        self.back: list[float] = []

    def newest(self) -> Mapping[int, int]:
        return dict(self.had)

    def recovered(self, batch: SampleBatch) -> None:
        self.back += batch.value.tolist()

    async def take(self, _source: str, batch: SampleBatch) -> None:
        self.live += batch.value.tolist()
        for index, moment in zip(batch.signal.tolist(), batch.time.tolist(), strict=True):
            self.had[index] = max(self.had.get(index, 0), moment)


@asynccontextmanager
async def acquiring(plant: Plant, home: Path, past: Past) -> AsyncIterator[SourceAccount]:
    source = plant.sources["plc"]
    assert isinstance(source, OpcuaSource)
    account = SourceAccount("plc", source.clock, time.time_ns, SampleAccount(plant))
    acquisition = OpcuaAcquisition(
        "plc",
        source,
        plant.signals_of("plc"),
        {},
        account,
        past.take,
        opcua_credentials("plc", home, {}),
        {"press-1": 1.0},
        past,
    )
    task = asyncio.create_task(acquisition.run())
    yield account
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(what: str, condition: Callable[[], object]) -> None:
    try:
        async with asyncio.timeout(60.0):
            while not condition():  # noqa: ASYNC110  # conditions of many kinds
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"in vain waited for {what}") from None


@pytest.mark.parametrize("keeps", [True, False])
async def test_what_a_server_kept_is_read_back_once(
    free_port: Callable[[], int], make_plant: Callable[..., Plant], tmp_path: Path, keeps: bool
) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{free_port()}")
    make_plant()
    path = tmp_path / "plant.toml"
    path.write_text(path.read_text().replace("opc.tcp://127.0.0.1:4840", server.endpoint.geturl()))
    plant = load_plant(path)
    index = await server.register_namespace("urn:x")
    node = await server.nodes.objects.add_variable(ua.NodeId("speed", index), "speed", 0.0)
    count = 0

    async def write(n: int) -> None:
        nonlocal count
        for _ in range(n):
            count += 1
            await node.write_value(ua.DataValue(ua.Variant(float(count)), SourceTimestamp=datetime.now(UTC)))
            await asyncio.sleep(0.002)

    past = Past()
    async with server:
        if keeps:
            await server.historize_node_data_change(node, period=None, count=100_000)
        async with acquiring(plant, tmp_path, past):
            await until("the connection", lambda: past.live)
            await write(10)
            await until("the first", lambda: past.live[-1] == 10.0)
        # more than a server gives in one answer
        await write(2500)
        async with acquiring(plant, tmp_path, past) as account:
            await until("the newest", lambda: past.live[-1] == 2510.0)
            await write(10)
            await until("the last", lambda: past.live[-1] == 2520.0)
            if keeps:
                await until("the past", lambda: account.status().recovered)
            else:
                await asyncio.sleep(3.0)
    assert sorted(np.unique([*past.live, *past.back])) == (
        [float(number) for number in range(2521)] if keeps else [float(number) for number in [*range(11), *range(2510, 2521)]]
    )
    assert not set(past.live) & set(past.back)
    assert len(past.back) == len(set(past.back)) == (2499 if keeps else 0)


def test_what_comes_after_newer_samples_of_its_signal_is_counted(plant: Plant, tmp_path: Path) -> None:
    with Ledger(tmp_path / "gaps.sqlite", plant, lambda _source: None) as ledger:
        for times in ([3, 3], [2, 4], [4, 4], [5, 1]):
            ledger.saw(SampleBatch.of([0, 1], [T0 + each * SECOND for each in times], [1.0, 1.0]), 0.0)
        assert ledger.out_of_order == 2
