"""Drills with certificates: a server whose certificate has expired, and one that nobody trusts yet."""

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from asyncua import Server, ua
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.application_certificate import Application, kept_identity
from edge.contracts.plant_file import load_plant
from edge.drill.drills import Drill, Outcome
from edge.drill.stand import OPCUA, PUMP, DrillError, Stand, free_ports, wait_for

URI: Final = "urn:kullager:drill:server"
LONG_AGO: Final = timedelta(days=4000)


def certificate_drills() -> list[Drill]:
    return [
        Drill("untrusted-certificate", "a server shows a certificate that nobody trusts; then it is trusted", _untrusted),
        Drill("expired-certificate", "a server shows a certificate that has expired", _expired),
    ]


async def _untrusted(stand: Stand, outcome: Outcome) -> None:
    async with _secured(stand, outcome, datetime.now(UTC)) as told:
        fingerprint = re.search(r"python -m edge trust ([0-9a-f]+)", told)
        if fingerprint is None:
            outcome.problem = f"the refusal does not say how to trust it: {told}"
            return
        begun = time.monotonic()
        await _trust(stand, fingerprint[1])
        await wait_for("values of the secured server", lambda: _speaks(stand))
        outcome.seconds = time.monotonic() - begun


async def _expired(stand: Stand, outcome: Outcome) -> None:
    async with _secured(stand, outcome, datetime.now(UTC) - LONG_AGO) as told:
        if "its certificate is valid from" not in told:
            outcome.problem = f"the refusal does not say that it has expired: {told}"


@asynccontextmanager
async def _secured(stand: Stand, outcome: Outcome, made: datetime) -> AsyncIterator[str]:
    """The stand's edge is given another server, secured by a certificate of that age; gives what the edge says of it."""
    (port,) = free_ports(1)
    async with _server(stand.folder / f"secured-{made:%Y}", port, made):
        mark = stand.log_mark()
        text = stand.plant_file.read_text()
        secured = re.sub(r'url = "opc\.tcp://[^"]*"', f'url = "opc.tcp://127.0.0.1:{port}"', text)
        # the edge follows its plant file
        stand.plant_file.write_text(secured.replace('security = "None"', 'security = "Basic256Sha256/SignAndEncrypt"'))
        load_plant(stand.plant_file)
        await wait_for("the refusal", lambda: any("refuse" in line for line in stand.told_since(mark)))
        told = " ".join(line for line in stand.told_since(mark) if "refuse" in line)
        yield told
        outcome.told = stand.told_since(mark)


@asynccontextmanager
async def _server(folder: Path, port: int, made: datetime) -> AsyncIterator[Server]:
    identity = kept_identity(folder / "own.pem", Application(name="drill", uri=URI, hosts=("localhost",), server=True), made)
    (folder / "own.der").write_bytes(identity.certificate.public_bytes(Encoding.DER))
    key = folder / "key.pem"
    key.write_bytes(identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = Server()
    await server.init()
    await server.set_application_uri(URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    await server.load_certificate(str(folder / "own.der"))
    await server.load_private_key(str(key))
    index = await server.register_namespace("urn:kullager:simulator")
    nodes = [await server.nodes.objects.add_variable(ua.NodeId(f"{PUMP}.{name}", index), name, 1.0) for name in OPCUA]

    async def run() -> None:
        value = 1.0
        while True:
            await asyncio.sleep(0.5)
            value += 1.0
            for node in nodes:
                await node.write_value(value)

    async with server:
        running = asyncio.create_task(run())
        yield server
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _trust(stand: Stand, fingerprint: str) -> None:
    command = sys.executable, "-m", "edge", "trust", fingerprint
    process = await asyncio.create_subprocess_exec(*command, env=stand.environ, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait() != 0:
        raise DrillError(f"{' '.join(command[1:])} failed")


async def _speaks(stand: Stand) -> bool:
    with contextlib.suppress(ValueError):
        used = await stand.used()
        return all(used.get(name, 0) > 0 for name in OPCUA)
    return False
