"""The tutorial, line by line as a reader would type it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from tests.system.conftest import ROOT, wait_for

TUTORIAL = ROOT / "docs" / "tutorial.md"
RESULTS = "kullager/v1/my-company/my-plant/hall-1/assets/pump-101/#"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]


def n_scored(messages: list[dict[str, Any]]) -> int:
    return sum(message.get("score") is not None for message in messages.copy())


def test_a_reader_who_types_it_all_has_a_model_in_service(tmp_path: Path, mosquitto: Any) -> None:
    (plant,) = blocks("toml")
    (tmp_path / "my-plant.toml").write_text(plant.replace(":1883", f":{mosquitto.port}"), encoding="utf-8")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    messages: list[dict[str, Any]] = []
    subscriber = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    subscriber.on_message = lambda _client, _data, message: messages.append(json.loads(message.payload or b"{}"))
    subscriber.connect("127.0.0.1", mosquitto.port)
    subscriber.subscribe(RESULTS, qos=1)
    subscriber.loop_start()
    # one shell for all lines, as a reader has it; the edge goes on in the background until the shell's group is ended
    script = "\n".join(["set -e", *commands(), "sleep 3"])
    # into a file: the edge in the background would keep a pipe open
    with (tmp_path / "said.txt").open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = shell.wait(timeout=300)
        if code == 0:
            wait_for("an hour of scores", lambda: n_scored(messages) > 3000)
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        subscriber.disconnect()
        subscriber.loop_stop()
    said = (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert code == 0, said
    for part in ("false alarms", "model card", "every row anomalous", "today: fixed limit", "today: ISO 20816"):
        assert part in said, part
    assert (tmp_path / "models/pump.html").read_text(encoding="utf-8").count("<svg") >= 4
    assessments = [message for message in messages if message.get("kind") == "assessment"]
    alarms = [message for message in messages if message.get("kind") == "alarm" and message["rule"] == "anomaly"]
    assert any("vibration" in alarm["text"]["en"] for alarm in alarms)
    assert all(message["model"]["name"] == "pump" for message in assessments)
