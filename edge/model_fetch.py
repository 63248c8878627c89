"""Fetches a model file that a command names. Whatever the other side does, it is bounded in size and time."""

import asyncio
import contextlib
import functools
import io
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from edge.contracts.errors import ModelError
from edge.state_detection.onnx_model import MAX_MODEL_BYTES

SILENT_S: Final = 10.0
WITHIN_S: Final = 120.0
_PART: Final = 1 << 16
# of what a server says of itself
_MOST_WORDS: Final = 200


async def fetch_aside(url: str, incoming: Path) -> bytes:
    """`fetch` in a thread that nobody waits for: an edge that is stopped meanwhile ends at once."""
    loop = asyncio.get_running_loop()
    fetched: asyncio.Future[bytes] = loop.create_future()

    def tell(how: Callable[[Any], None], what: Any) -> None:
        if not fetched.done():
            how(what)

    def work() -> None:
        how: Callable[[Any], None] = fetched.set_result
        what: Any
        try:
            what = fetch(url, incoming)
        except Exception as error:
            # raised again where it is waited for
            how, what = fetched.set_exception, error
        # no loop any more: nobody wants it
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, how, what)

    threading.Thread(target=work, name="model fetch", daemon=True).start()
    return await fetched


def fetch(url: str, incoming: Path, *, silent_s: float = SILENT_S, within_s: float = WITHIN_S) -> bytes:
    """The bytes at an address. Raises `ModelError`.

    incoming: the folder below which files may be named
    silent_s: how long a server may say nothing; within_s: how long all of it may take
    """
    try:
        parts = urlsplit(url)
        match parts.scheme:
            case "file":
                return _read(url, unquote(parts.path), incoming)
            case "http" | "https" if parts.hostname:
                return _get(url, parts, silent_s, time.monotonic() + within_s)
    except ValueError as error:
        raise ModelError(f"'{url}' is no address that can be fetched: {error}") from None
    raise ModelError(f"'{url}' should begin with http://, https:// or file://")


def _read(url: str, name: str, incoming: Path) -> bytes:
    try:
        path = Path(name).resolve()
        if not path.is_relative_to(incoming.resolve()):
            raise ModelError(f"{url}: only files below {incoming} can be named so")
        # not blocking: a pipe would keep us waiting for a writer
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ModelError(f"{url}: is no regular file")
            content = file.read(MAX_MODEL_BYTES + 1)
    except (OSError, RuntimeError) as error:
        # RuntimeError for links that lead round in a circle
        raise ModelError(f"{url}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    _check_size(url, len(content))
    return content


def _get(url: str, parts: SplitResult, silent_s: float, ends: float) -> bytes:
    if parts.username is not None:
        # it would stand in the audit
        raise ModelError(f"{parts.scheme}://…@{parts.hostname}: an address should hold no user or password")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection, fetched = kind(parts.hostname or "", parts.port, timeout=silent_s), bytearray()
    connection.response_class = functools.partial(_bounded_response, silent_s=silent_s, ends=ends)  # type: ignore[assignment]
    try:
        connection.request("GET", parts._replace(scheme="", netloc="", fragment="").geturl() or "/")
        with connection.getresponse() as answer:
            if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
                # where a file lies is what the command says, and nobody else
                onwards = (answer.getheader("Location") or "another address")[:_MOST_WORDS]
                raise ModelError(f"{url}: answers {answer.status}, and leads on to {onwards}; name that address instead")
            if answer.status != HTTPStatus.OK:
                raise ModelError(f"{url}: answers {answer.status} {answer.reason[:_MOST_WORDS]}")
            while part := answer.read1(_PART):
                fetched += part
                _check_size(url, len(fetched))
            # read1 says nothing of an end that comes too early
            if answer.length:
                raise IncompleteRead(b"", answer.length)
    except IncompleteRead:
        raise ModelError(f"{url}: breaks off after {len(fetched)} bytes") from None
    except TimeoutError:
        if time.monotonic() >= ends:
            raise ModelError(f"{url}: takes too long, and was given up") from None
        raise ModelError(f"{url}: says nothing for {silent_s:g} s") from None
    except (OSError, HTTPException) as error:
        raise ModelError(f"{url}: cannot be fetched: {str(error)[:_MOST_WORDS] or type(error).__name__}") from None
    finally:
        connection.close()
    return bytes(fetched)


def _bounded_response(sock: socket.socket, *, silent_s: float, ends: float, **more: Any) -> HTTPResponse:
    return HTTPResponse(_Bounded(sock, silent_s, ends), **more)  # type: ignore[arg-type]


class _Bounded(io.RawIOBase):
    """What a socket brings until `ends`: a server that sends a byte now and then is not waited for any longer."""

    def __init__(self, sock: socket.socket, silent_s: float, ends: float) -> None:
        self._sock, self._silent_s, self._ends = sock, silent_s, ends
        # keeps the socket open for as long as it is read
        self._raw = sock.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(min(self._silent_s, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _check_size(url: str, n_bytes: int) -> None:
    if n_bytes > MAX_MODEL_BYTES:
        raise ModelError(f"{url}: has more than {MAX_MODEL_BYTES} bytes, which is the most that a model may have")
