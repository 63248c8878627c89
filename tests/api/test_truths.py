"""What a simulator says is true: the newest fault of each machine, from its beginning to its repair."""

from typing import Any

from edge.contracts.truth import TrueFault, Truth
from edge.formats.json_message import encode
from tests.api.running_api import RunningApi, until
from tests.api.scripted_edge import SECOND, START, ScriptedEdge


def truth(second: int, **severities: float) -> Truth:
    """At this second; every fault is complete a minute after the start."""
    faults = tuple(TrueFault(name=name.replace("_", "-"), severity=severity) for name, severity in severities.items())
    remaining_h = max(0, 60 - second) / 3600 if faults else None
    health = 1.0 - max(severities.values(), default=0.0)
    return Truth(asset="pump-101", time=START + second * SECOND, health=health, faults=faults, rul_h=remaining_h)


async def tell(api: RunningApi, edge: ScriptedEdge, told: Truth) -> Any:
    """Publish it; the pump's item as the api then gives it."""
    edge.send(edge.topics.simulator_truth(told.asset), encode(told), retain=False)

    async def look() -> Any:
        (item,) = (await api.get("/simulator/truth"))["items"] or [{"time": None}]
        seconds = (told.time - START) // SECOND
        return item if item["time"] == f"2026-11-23T10:{seconds // 60:02}:{seconds % 60:02}Z" else None

    return await until(look)


async def test_an_episode_begins_grows_and_is_repaired(api: RunningApi, scripted_edge: ScriptedEdge) -> None:
    await api.until_connected()
    assert (await api.get("/simulator/truth"))["items"] == []
    healthy = await tell(api, scripted_edge, truth(0))
    assert (healthy["health"], healthy["faults"], healthy["episode"]) == (1.0, [], None)

    begun = (await tell(api, scripted_edge, truth(10, bearing_wear=0.0)))["episode"]
    assert begun == {
        "fault": "bearing-wear",
        "began": "2026-11-23T10:00:10Z",
        "severity": 0.0,
        "fails": "2026-11-23T10:01:00Z",
        "repaired": None,
    }
    grown = (await tell(api, scripted_edge, truth(30, bearing_wear=0.3, imbalance=0.9)))["episode"]
    assert grown == {**begun, "severity": 0.3}
    complete = (await tell(api, scripted_edge, truth(60, bearing_wear=1.0)))["episode"]
    assert complete == {**begun, "severity": 1.0}
    # what is complete does not move its end with every further truth
    assert (await tell(api, scripted_edge, truth(80, bearing_wear=1.0)))["episode"] == complete
    repaired = await tell(api, scripted_edge, truth(90))
    assert repaired["episode"] == {**complete, "repaired": "2026-11-23T10:01:30Z"}
    assert (await tell(api, scripted_edge, truth(100)))["episode"] == repaired["episode"]


async def test_a_fault_that_shrinks_has_begun_anew_and_one_that_was_there_before_has_no_beginning(
    api: RunningApi, scripted_edge: ScriptedEdge
) -> None:
    await api.until_connected()
    assert (await tell(api, scripted_edge, truth(0, cavitation=0.8)))["episode"]["began"] is None
    anew = (await tell(api, scripted_edge, truth(10, cavitation=0.1)))["episode"]
    assert (anew["began"], anew["severity"]) == ("2026-11-23T10:00:10Z", 0.1)


async def test_a_truth_that_is_none_is_rejected_and_an_unknown_machine_is_left_out(
    api: RunningApi, scripted_edge: ScriptedEdge
) -> None:
    await api.until_connected()
    topics = scripted_edge.topics
    for topic, payload in (
        (topics.simulator_truth("pump-101"), b'{"asset":"pump-101"}'),
        (topics.simulator_truth("pump-101"), encode(truth(0)).replace(b"pump-101", b"pump-102")),
        (topics.simulator_truth("pump-101"), encode(truth(0)).replace(b"1.0", b'"well"')),
    ):
        scripted_edge.send(topic, payload, retain=False)
    unknown = encode(truth(0)).replace(b"pump-101", b"pump-999")
    scripted_edge.send(topics.simulator_truth("pump-999"), unknown, retain=False)
    await tell(api, scripted_edge, truth(1))
    assert sum((await api.status())["ingest"]["rejected"].values()) == 3
