"""What protects a browser: only JSON changes something, and every answer carries the headers that say what a page may do."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, ProblemType

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


async def json_only(request: Request) -> None:
    """A browser lets foreign pages send forms but not JSON, so this keeps them from changing anything."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(ProblemType.CONTENT_TYPE, "send the body as JSON, with the header 'Content-Type: application/json'")


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
