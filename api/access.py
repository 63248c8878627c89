"""Who asks, and may they: by the token of a program, or by the cookie of a browser that signed in with one."""

import hmac
import time
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from api.credentials import digest
from api.guesses import Guesses
from api.problems import Problem, ProblemType
from api.roles import VISITOR, Identity, Role
from api.sessions import Sessions, csrf_of
from api.tokens import Tokens

COOKIE: Final = "kullager_session"
CSRF_HEADER: Final = "X-CSRF-Token"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HOW_TO_SIGN_IN: Final = (
    "send the header 'Authorization: Bearer TOKEN', or sign in; a token is what KULLAGER_OPERATOR_TOKEN (or …_ADMIN_TOKEN) "
    "says, was printed once when the api was started for the first time, or comes from an admin"
)


def note(request: Request, identity: Identity) -> Identity:
    """Keep with the request who makes it, for the audit log."""
    request.state.identity = identity
    return identity


class Access:
    """Methods block."""

    def __init__(
        self, tokens: Tokens, sessions: Sessions, guesses: Guesses, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tokens, self.sessions = tokens, sessions
        self._guesses, self._clock = guesses, clock

    def require(self, request: Request, role: Role) -> Identity:
        """Who asks; raises a `Problem` that names the role: 401 for nobody or a wrong token, 403 for too low a role."""
        identity = self.identify(request)
        if identity is None:
            detail = f"this needs the {role} role: {HOW_TO_SIGN_IN}"
            raise Problem(ProblemType.SIGN_IN, detail, {"WWW-Authenticate": "Bearer"}, role=role.value)
        if not identity.role.may(role):
            detail = f"this needs the {role} role; '{identity.name}' has the role {identity.role}"
            raise Problem(ProblemType.ROLE_TOO_LOW, detail, role=role.value)
        return identity

    def identify(self, request: Request) -> Identity | None:
        """Who asks; None where nobody says it. Raises a `Problem` for what is wrong: a token, a session that has ended, and
        a change by a session without its second secret."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return note(request, self.check_token(request, token.strip()))
        session = request.cookies.get(COOKIE)
        if not session:
            return None
        identity = self.of_session(session)
        if identity is None:
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            text = f"this session has ended, or its token was revoked: {HOW_TO_SIGN_IN}"
            raise Problem(ProblemType.SESSION_ENDED, text, challenge)
        given = request.headers.get(CSRF_HEADER, "")
        if request.method not in READING and not hmac.compare_digest(given.encode(), csrf_of(session).encode()):
            text = f"a change by a session needs the header '{CSRF_HEADER}' as GET /api/v1/session tells it"
            raise Problem(ProblemType.CSRF, text)
        return note(request, identity)

    def visitor_or_better(self, request: Request) -> Identity:
        """For what every visitor may do: who asks where that is known, and a visitor otherwise."""
        try:
            return self.identify(request) or note(request, VISITOR)
        except Problem:
            return note(request, VISITOR)

    def of_session(self, session: str) -> Identity | None:
        token_digest = self.sessions.token_digest(session)
        return self.tokens.find(token_digest) if token_digest is not None else None

    def check_token(self, request: Request, token: str) -> Identity:
        """Whose token it is. Raises a `Problem`: 401 where it is nobody's, 429 where too many wrong ones came from there."""
        address = request.client.host if request.client is not None else ""
        if (wait_s := self._guesses.wait_s(address, self._clock())) > 0:
            detail = f"too many wrong tokens came from {address}; try again in {wait_s} s"
            raise Problem(ProblemType.TOO_MANY_GUESSES, detail, {"Retry-After": str(wait_s)})
        identity = self.tokens.find(digest(token))
        if identity is None:
            self._guesses.note(address, self._clock())
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            text = f"nobody has this token, or it was revoked: {HOW_TO_SIGN_IN}"
            raise Problem(ProblemType.WRONG_TOKEN, text, challenge)
        return identity
