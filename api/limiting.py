"""ASGI middleware: says 429 to who asks for more than the limits give, before anything is done for the request."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import COOKIE, READING
from api.credentials import digest
from api.guesses import network
from api.problems import ProblemType, problem_answer
from api.rates import TOGETHER, Limits, Rate
from api.twin_answers import give, result

SIGN_IN: Final = "/api/v1/session"
TWIN: Final = "/api/v1/aas/"
# who watches whether the process serves must not be told that it does not
NEVER: Final = "/healthz"
WORDS: Final = {"reads": "questions", "changes": "changes", "sign_ins": "attempts to sign in"}


class Limiting:
    """Each request counts for its token or session, or for its address where it has none; and for the address in any case,
    which may do several times as much: a token that is made up is no way round it. `refused` counts by what it was."""

    def __init__(
        self, app: ASGIApp, limits: Limits, refused: Counter[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._refused, self._clock = app, refused, clock
        self._limits = {"reads": limits.reads, "changes": limits.changes, "sign_ins": limits.sign_ins}
        self._each = {kind: Rate(limit) for kind, limit in self._limits.items()}
        self._together = {kind: Rate(limit * TOGETHER) for kind, limit in self._limits.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == NEVER:
            await self._app(scope, receive, send)
            return
        kind = _kind(scope)
        address = network(scope["client"][0] if scope.get("client") else "")
        now = self._clock()
        wait_s = self._together[kind].take(address, now) or self._each[kind].take(_who(scope) or address, now)
        if not wait_s:
            await self._app(scope, receive, send)
            return
        self._refused[kind] += 1
        detail = f"more than {self._limits[kind]} {WORDS[kind]} in a minute; try again in {wait_s} s"
        headers = {"Retry-After": str(wait_s)}
        if scope["path"].startswith(TWIN):
            answer = give(result(429, detail), 429, headers)
        else:
            answer = problem_answer(Request(scope), ProblemType.TOO_OFTEN, detail, headers)
        await answer(scope, receive, send)


def _kind(scope: Scope) -> str:
    if scope["method"] in READING:
        return "reads"
    return "sign_ins" if scope["path"] == SIGN_IN and scope["method"] == "POST" else "changes"


def _who(scope: Scope) -> str | None:
    """The token or session that the request shows, unread: whether it is anybody's is for others to say."""
    headers = Headers(scope=scope)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return digest(token.strip())
    session = cookie_parser(headers.get("cookie", "")).get(COOKIE)
    return digest(session) if session else None
