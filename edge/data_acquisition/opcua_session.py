"""A session with an OPC UA server: opened, its nodes found, and what goes wrong said in words."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from asyncua import Client, ua

from edge.contracts.errors import ConnectionRefused
from edge.contracts.plant import OpcuaSource
from edge.data_acquisition.opcua_bounds import bound
from edge.data_acquisition.opcua_security import Credentials, closed, refusal, secure

logger = logging.getLogger(__name__)

bound()

REQUEST_TIMEOUT_S: Final = 5.0
SESSION_TIMEOUT_MS: Final = 30_000
CONNECTION_ERRORS: Final = (OSError, TimeoutError, ua.UaError, ConnectionError, asyncio.IncompleteReadError)


@asynccontextmanager
async def connected(source: OpcuaSource, credentials: Credentials) -> AsyncIterator[Client]:
    """A session with a server. Raises `ConnectionRefused` when one side does not want the other."""
    client = Client(source.url, timeout=REQUEST_TIMEOUT_S)
    client.name = client.description = "kullager edge"
    client.session_timeout = SESSION_TIMEOUT_MS
    await secure(client, source, credentials)
    try:
        await client.connect()
    except ua.UaStatusCodeError as error:
        raise ConnectionRefused(refusal(error, source, credentials)) from None
    except CONNECTION_ERRORS:
        # it was there a moment ago, and said what it offers
        if source.security != "None":
            raise ConnectionRefused(closed(source, credentials)) from None
        raise
    try:
        yield client
    finally:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await client.disconnect()
        except CONNECTION_ERRORS as error:
            logger.debug("%s: the session did not end in order: %s", source.url, describe(error))


async def resolve(client: Client, nodes: Sequence[str]) -> list[ua.NodeId | str]:
    """Node ids with namespace URIs as the server numbers them now; in place of one that it has not, what is wrong."""
    uris = await client.get_namespace_array()
    resolved: list[ua.NodeId | str] = []
    for node in nodes:
        uri, _, identifier = node.removeprefix("nsu=").partition(";")
        if uri not in uris:
            own = ", ".join(uris[1:])
            resolved.append(f"node '{node}': the server has no namespace '{uri}'; it has {own}")
            continue
        try:
            resolved.append(ua.NodeId.from_string(f"ns={uris.index(uri)};{identifier}"))
        except ua.UaStringParsingError:
            resolved.append(f"node '{node}': '{identifier}' should be such as 's=pump-101.speed' or 'i=2042'")
    return resolved


def status_words(status: Any) -> str:
    """A StatusCode, or the error made of one, by name and in words."""
    code = status.code if isinstance(status, ua.UaStatusCodeError) else status.value
    name, words = ua.status_codes.get_name_and_doc(code)
    return f"{name} ({words.rstrip('.')})"


def describe(error: BaseException) -> str:
    """An error of the network in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
