"""The simulator at a broker that asks for TLS and a password, with an authority of the plant's own."""

import ipaddress
import json
import logging
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from edge.contracts.plant import Plant
from simulator import live
from tests.conftest import Mosquitto
from tests.simulator.clients import ENVIRON, in_background, until

USER, PASSWORD = "press-cell", "correct horse"
PUMP = "plant/hall-1/pump-101"


def write_certificates(folder: Path) -> None:
    """An authority, and a certificate of it for 127.0.0.1: `ca.pem`, `broker.pem`, `broker.key`."""
    now = datetime.now(UTC)

    def certificate(name: str, key: Any, issuer: str, signer: Any, *, authority: bool) -> x509.Certificate:
        subject, issued_by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issued_by).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return builder.add_extension(x509.SubjectAlternativeName([address]), critical=False).sign(signer, hashes.SHA256())

    ca_key, broker_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    ca = certificate("plant authority", ca_key, "plant authority", ca_key, authority=True)
    broker = certificate("broker", broker_key, "plant authority", ca_key, authority=False)
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "broker.pem").write_bytes(broker.public_bytes(pem))
    (folder / "broker.key").write_bytes(
        broker_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture
def secured(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Mosquitto]:
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto is not installed; `apt-get install mosquitto` brings it")
    write_certificates(tmp_path)
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(tmp_path / "passwords"), USER, PASSWORD], check=True)
    files = {"cafile": "ca.pem", "certfile": "broker.pem", "keyfile": "broker.key", "password_file": "passwords"}
    settings = "".join(f"{key} {tmp_path / name}\n" for key, name in files.items())
    broker = Mosquitto(free_port(), tmp_path, f"allow_anonymous false\n{settings}")
    broker.url = f"mqtts://127.0.0.1:{broker.port}"
    broker.start()
    yield broker
    broker.stop()


def at(plant: Plant, broker: Mosquitto) -> Plant:
    source = replace(plant.sources["broker"], url=broker.url, user=USER)
    return replace(plant, sources={**plant.sources, "broker": source})


async def test_it_publishes_with_tls_and_a_password(
    plant: Plant, secured: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    heard: list[paho.MQTTMessage] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="independent")
    client.tls_set_context(ssl.create_default_context(cafile=str(tmp_path / "ca.pem")))
    client.username_pw_set(USER, PASSWORD)
    client.on_message = lambda _client, _userdata, message: heard.append(message)
    client.on_connect = lambda client, *_: client.subscribe("#")
    client.connect("127.0.0.1", secured.port)
    client.loop_start()
    try:
        environ = {**ENVIRON, "KULLAGER_SOURCE_BROKER_PASSWORD": PASSWORD}
        async with in_background(live.run(at(plant, secured), environ, seed=1, speed=1.0)):
            message = await until(lambda: [each for each in heard if each.topic == PUMP], "the pump's signals")
        assert isinstance(json.loads(message[0].payload)["vibration"], float)
        assert any(each.topic.endswith("/simulator/catalogue") and each.payload for each in heard)
    finally:
        client.disconnect()
        client.loop_stop()


# paho leaves a socket whose handshake failed to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("password", "authority", "said"),
    [("wrong", True, "refuses user 'press-cell'"), (PASSWORD, False, "certificate verify failed")],
)
async def test_what_keeps_it_out_is_said(
    password: str,
    authority: bool,
    said: str,
    plant: Plant,
    secured: Mosquitto,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if authority:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    caplog.set_level(logging.WARNING)
    environ = {**ENVIRON, "KULLAGER_SOURCE_BROKER_PASSWORD": password}
    async with in_background(live.run(at(plant, secured), environ, seed=1, speed=1.0)) as work:
        await until(lambda: said in caplog.text.lower().replace("_", " "), "the reason")
        assert not work.done(), "it goes on, over OPC UA"
    assert "mqtts://127.0.0.1" in caplog.text
