"""ASGI middleware: enters every change that was asked for in the audit log, with what became of it."""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import READING
from api.audit_log import AuditLog
from api.problems import MEDIA_TYPE
from api.roles import Identity

logger = logging.getLogger(__name__)

LARGEST_KEPT: Final = 16 * 1024
# what of a body is entered: never a token, a signature or an address that may hold a password
TOLD: Final = (
    *("asset", "fault", "severity", "over_s", "recipe", "scenario", "chaos", "source", "for_s", "amount"),
    *("rule", "comment", "duration_s", "until", "sha256", "name", "role", "from", "to", "label", "verdict", "alarm_id"),
)
SUBJECTS: Final = ("alarm_id", "asset", "name", "scenario", "chaos")


class Auditing:
    """Requests of nobody are not entered: they change nothing, and could be so many that the log holds nothing else."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app, self._log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        asked, start = b"", dict[str, Any]()
        is_json = Headers(scope=scope).get("content-type", "").startswith("application/json")

        async def receive_and_keep() -> Message:
            nonlocal asked
            message = await receive()
            if is_json and len(asked) <= LARGEST_KEPT:
                asked += message.get("body", b"")
            return message

        async def enter_and_send(message: Message) -> None:
            # the entry is there before the answer is, so that who has the answer finds it
            if message["type"] == "http.response.start":
                start.update(message)
                return
            if start:
                await self._enter(scope, asked, start, message.get("body", b""))
                first = dict(start)
                start.clear()
                await send(first)
            await send(message)

        await self._app(scope, receive_and_keep, enter_and_send)

    async def _enter(self, scope: Scope, asked: bytes, start: Mapping[str, Any], answer: bytes) -> None:
        identity = scope["state"].get("identity")
        route = scope.get("route")
        if not isinstance(identity, Identity) or route is None:
            return
        details = _told(asked)
        subject = next(iter(scope.get("path_params", {}).values()), None)
        if subject is None:
            subject = next((details[key] for key in SUBJECTS if key in details), None)
        problem = None
        if Headers(raw=start["headers"]).get("content-type") == MEDIA_TYPE:
            problem = json.loads(answer)["detail"]
        try:
            await asyncio.to_thread(
                self._log.enter,
                identity,
                action=_action(route),
                subject=str(subject) if subject is not None else None,
                details=details,
                status=start["status"],
                problem=problem,
            )
        except SQLAlchemyError as error:
            # what was asked for has happened or not: the answer must still say so
            logger.error("not in the audit log: %s by %s: %s", _action(route), identity.name, error)


def _action(route: Any) -> str:
    """Such as `alarms.acknowledge`: the kind of thing, and what is done with it."""
    return f"{route.tags[0]}.{route.name.replace('_', '-')}"


def _told(asked: bytes) -> dict[str, Any]:
    try:
        body = json.loads(asked)
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    return {key: body[key] for key in TOLD if isinstance(body.get(key), str | int | float)}
