"""Who may do what: reading is open, changing needs the operator's token. And the headers that every answer carries."""

import hashlib
import hmac
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem
from edge.contracts.errors import KullagerError

SHORTEST_TOKEN: Final = 16
# attributes of style are needed by charts; scripts and styles themselves come from here alone
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
HOW_TO_SIGN_IN: Final = (
    "send the header 'Authorization: Bearer TOKEN' with the operator's token; "
    "it is what KULLAGER_OPERATOR_TOKEN says, or was printed once when the api was started for the first time"
)


class OperatorToken:
    """Knows the token by its SHA-256 alone."""

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def require(self, request: Request) -> str:
        """The name under which a request changes something; raises a 401 `Problem` without the right token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(401, f"this needs the operator role: {HOW_TO_SIGN_IN}", {"WWW-Authenticate": "Bearer"})
        if not hmac.compare_digest(_digest(token.strip()), self._digest):
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Problem(401, f"this token is not the operator's: {HOW_TO_SIGN_IN}", challenge)
        return "operator"


def load_operator_token(home: Path, environ: Mapping[str, str]) -> OperatorToken:
    """The token from `KULLAGER_OPERATOR_TOKEN` or the file `KULLAGER_OPERATOR_TOKEN_FILE` names.

    Without either, one is made at the first start and printed to stderr, once; `home` keeps only its SHA-256.
    """
    if (token := _given_token(environ)) is not None:
        return OperatorToken(_digest(token))
    kept = home / "operator-token.sha256"
    try:
        if not kept.exists():
            home.mkdir(parents=True, exist_ok=True)
            token = secrets.token_urlsafe(32)
            with os.fdopen(os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(_digest(token).hex() + "\n")
            print(f"The operator's token, shown only this once: {token}", file=sys.stderr, flush=True)  # noqa: T201
        return OperatorToken(bytes.fromhex(kept.read_text(encoding="ascii").strip()))
    except (OSError, ValueError) as error:
        raise KullagerError(f"{kept}: cannot be used: {error}; delete it to get a new operator's token") from None


def _given_token(environ: Mapping[str, str]) -> str | None:
    variable, token = "KULLAGER_OPERATOR_TOKEN", environ.get("KULLAGER_OPERATOR_TOKEN")
    if (file := environ.get(f"{variable}_FILE")) is not None:
        variable += "_FILE"
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise KullagerError(f"{variable}: {file} cannot be read: {error.strerror or error}") from None
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise KullagerError(f"{variable}: the token has {len(token)} characters; {SHORTEST_TOKEN} or more would be right")
    return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def json_only(request: Request) -> None:
    """A browser lets foreign pages send forms but not JSON, so this keeps them from changing anything."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "send the body as JSON, with the header 'Content-Type: application/json'")


class SecurityHeaders:
    """ASGI middleware: the headers above, and how long a file of the dashboard may be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                # Vite names files below assets/ by their content; the page itself answers at other paths there
                page = headers.get("content-type", "").startswith("text/html")
                hashed = scope["path"].startswith("/assets/") and message["status"] == 200 and not page
                headers.setdefault("cache-control", "public, max-age=31536000, immutable" if hashed else "no-cache")
            await send(message)

        await self._app(scope, receive, send_with_headers)
