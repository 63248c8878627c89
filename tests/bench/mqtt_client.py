"""Receives what `mqtt_source` publishes: `python -m tests.bench.mqtt_client URL HOW N_TOPICS N_VALUES`.

HOW: `bare`, paho that counts messages; `edge`, the edge's acquisition, from the socket to batches of samples.
Prints "ready", and then JSON: messages (`bare`) or values, CPU seconds from the first to the last, and whether all came in
order.
"""

import asyncio
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.contracts.plant import MqttSource
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_account import SampleAccount
from edge.contracts.sample_batch import SampleBatch, WaveformBlock
from edge.data_acquisition.account import SourceAccount
from edge.data_acquisition.mqtt import MqttAcquisition
from tests.bench.plants import mqtt_plant


def bare(url: str, n_messages: int) -> dict[str, Any]:
    host, _, port = url.removeprefix("mqtt://").partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    done, count, begun = threading.Event(), 0, 0.0

    def on_message(_client: Any, _userdata: Any, _message: Any) -> None:
        nonlocal count, begun
        if not count:
            begun = time.process_time()
        count += 1
        if count == n_messages:
            done.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect(host, int(port))
    client.subscribe("press/+", qos=1)
    client.loop_start()
    done.wait(120)
    return {"units": count, "cpu_s": time.process_time() - begun, "whole": count == n_messages}


async def edge(url: str, n_topics: int, n_values: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        plant = load_plant(mqtt_plant(Path(folder) / "plant.toml", n_topics, url, n_signals=1))
    source = plant.sources["broker"]
    assert isinstance(source, MqttSource)
    account = SourceAccount("broker", source.clock, time.time_ns, SampleAccount(plant))
    batches: list[SampleBatch] = []
    done, begun, count = asyncio.Event(), 0.0, 0

    async def take(_source: str, batch: SampleBatch | WaveformBlock) -> None:
        nonlocal begun, count
        if isinstance(batch, SampleBatch):
            if not batches:
                begun = time.process_time()
            batches.append(batch)
            count += len(batch)
            if count >= n_values:
                done.set()

    task = asyncio.create_task(MqttAcquisition("broker", source, plant, {}, account, take).run())
    while not account.is_connected:  # noqa: ASYNC110  # it tells no one
        await asyncio.sleep(0.05)
    # subscribed, too
    await asyncio.sleep(0.5)
    print("ready", flush=True)
    async with asyncio.timeout(120):
        await done.wait()
    cpu_s = time.process_time() - begun
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    signal, times = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("signal", "time"))
    order = np.argsort(signal, kind="stable")
    steps = np.diff(times[order])[np.diff(signal[order]) == 0]
    return {"units": count, "cpu_s": cpu_s, "whole": bool((steps == 1_000_000).all()) and count == n_values}


if __name__ == "__main__":
    to, how, topics, number = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    print(json.dumps(bare(to, number) if how == "bare" else asyncio.run(edge(to, topics, number))), flush=True)
