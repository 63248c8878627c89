"""The same job in Node-RED, by those of its nodes that people use for it, beside the edge.

OPC UA in, a window of each asset, the model in onnxruntime, and a message for each asset and second at QoS 1. Node-RED has less
to do: no journal, no recording, no quality, no health and no alarms. Its load is one that it can bear on a core.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.opcua_rows import EDGE_HZ, MEASURED_S, check_source, served, whole_edge
from tests.bench.plants import N_SAMPLES, N_SIGNALS, model_file
from tests.bench.processes import START_S, BenchError, Running, broker, ended, free_port, node
from tests.bench.table import Row

FOLDER: Final = Path(__file__).parent / "node_red"
N_ASSETS: Final = 25
FILLED_S: Final = 2 * START_S


def rows() -> Iterator[Row]:
    executable = node()
    if executable is None or not (FOLDER / "node_modules" / "node-red").exists():
        raise BenchError("Node-RED is not installed; `requirements/setup.sh node-red` brings it")
    theirs, ours = node_red(executable, N_ASSETS), whole_edge("double", N_ASSETS, EDGE_HZ).us
    rate = N_ASSETS * N_SIGNALS * EDGE_HZ
    yield Row(
        what=f"CPU per OPC UA value, whole edge, {rate / 1000:.0f}k/s of {N_ASSETS} assets",
        unit="µs",
        ours=ours,
        peer="Node-RED with its OPC UA and MQTT nodes and onnxruntime-node",
        peer_value=theirs,
        ratio_at_most=0.2,
        note="Node-RED without journal, recording, health and alarms",
    )


def node_red(executable: str, n_assets: int) -> float:
    """µs of CPU of a value. Raises `BenchError` where one was lost, or not every asset was scored each second."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kullager-bench-")))
        url, source = stack.enter_context(served(n_assets * N_SIGNALS, EDGE_HZ, "double"))
        address = broker(stack, folder)
        counted = _counts(stack, address)
        (folder / "flows.json").write_text(json.dumps(_flow(url, address, n_assets)))
        arguments = [str(FOLDER / "node_modules/node-red/red.js"), "--settings", str(FOLDER / "settings.js")]
        process = stack.enter_context(
            Running(
                [executable, *arguments, "--userDir", str(folder), str(folder / "flows.json")],
                cpu=1,
                environment={"BENCH_PORT": str(free_port())},
            )
        )
        end = time.monotonic() + FILLED_S
        while not counted.get("scored"):
            if time.monotonic() > end:
                raise BenchError(f"Node-RED has scored nothing within {FILLED_S:.0f} s; it counted {counted}")
            time.sleep(0.1)
        before, cpu_s, wall = dict(counted), process.cpu_s(), time.monotonic()
        time.sleep(MEASURED_S)
        cpu_s, wall, after = process.cpu_s() - cpu_s, time.monotonic() - wall, dict(counted)
        check_source(ended(source), "beside Node-RED")
    values = n_assets * N_SIGNALS * EDGE_HZ * wall
    if after["missing"]:
        raise BenchError(f"Node-RED missed {after['missing']:,} values")
    seconds = after["ticks"] - before["ticks"]
    if after["scored"] - before["scored"] != n_assets * seconds or abs(seconds - MEASURED_S) > 1:
        raise BenchError(f"Node-RED scored {after['scored'] - before['scored']:,} windows in {MEASURED_S:.0f} s")
    return 1e6 * cpu_s / values


def _counts(stack: ExitStack, address: str) -> dict[str, int]:
    """What the flow last said of itself."""
    found: dict[str, int] = {}
    host, _, port = address.removeprefix("mqtt://").partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe("bench/counted", 1)
    client.on_message = lambda _client, _userdata, message: found.update(json.loads(message.payload))
    client.connect(host, int(port))
    client.loop_start()
    stack.callback(client.loop_stop)
    return found


def _flow(url: str, address: str, n_assets: int) -> list[dict[str, Any]]:
    """Nodes and wires: one message subscribes to all signals, and each second one asks for the scores."""
    settings = {
        "model": str(model_file()),
        "nAssets": n_assets,
        "nSignals": N_SIGNALS,
        "nSamples": N_SAMPLES,
        "periodMs": round(1000 / EDGE_HZ),
        "site": "kullager/example/works/hall",
    }

    def code(name: str) -> str:
        return (FOLDER / name).read_text(encoding="utf-8").replace("SETTINGS", json.dumps(settings))

    items = [{"nodeId": f"ns=2;s=s{number}"} for number in range(n_assets * N_SIGNALS)]
    host, _, port = address.removeprefix("mqtt://").partition(":")
    # what has no place on the page is taken for a configuration
    placed = {"z": "tab", "x": 100, "y": 100}
    return [
        {"id": "tab", "type": "tab", "label": "bench"},
        {"id": "endpoint", "type": "OpcUa-Endpoint", "endpoint": url, "secpol": "None", "secmode": "None", "none": True},
        {"id": "broker", "type": "mqtt-broker", "broker": host, "port": port, "protocolVersion": "5", "clientid": "node-red"},
        placed | _inject("begin", "items", onceDelay=3),
        {"id": "items", **placed, "type": "function", "outputs": 1, "wires": [["opcua"]]}
        | {"func": f'return {{topic: "multiple", interval: 100, payload: {json.dumps(items)}}};'},
        {"id": "opcua", **placed, "type": "OpcUa-Client", "endpoint": "endpoint", "action": "subscribe"}
        | {"time": 100, "timeUnit": "ms", "securitymode": "None", "securitypolicy": "None", "wires": [["score"], [], []]},
        placed | _inject("beat", "score", onceDelay=1, repeat="1"),
        {"id": "score", **placed, "type": "function", "outputs": 1, "wires": [["mqtt"]]}
        | {"func": code("score.js"), "initialize": code("begin.js")},
        {"id": "mqtt", **placed, "type": "mqtt out", "broker": "broker", "topic": "", "qos": "", "retain": "", "wires": []},
    ]


def _inject(name: str, to: str, **more: Any) -> dict[str, Any]:
    """A message with the node's name as its topic, once and, with `repeat` [s], again and again."""
    node = {"id": name, "type": "inject", "once": True, "props": [{"p": "topic", "vt": "str"}], "topic": name}
    return node | {"repeat": "", "crontab": "", "wires": [[to]]} | more
