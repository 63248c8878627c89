"""Tokens: what a program or a browser shows to be more than a visitor. Only their SHA-256 are kept."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from api.credentials import FIRST_NAME, digest, first_token, new_token
from api.database import tokens
from api.problems import ProblemType
from api.reception import new_identifier
from api.roles import Identity, Role
from api.store import Store
from edge.contracts.errors import KullagerError

logger = logging.getLogger(__name__)

FIRST_ID: Final = "first-start"
MOST_TOKENS: Final = 1000
# the last use is written no more often than this
NOTED_EVERY_NS: Final = 60_000_000_000
NAME_PATTERN: Final = r"^[\w][\w .@+-]{0,63}$"


class TokenRefused(KullagerError):
    """A token cannot be made or revoked as was asked; the text says why, and `type` is that of the problem."""

    def __init__(self, type: ProblemType, text: str) -> None:  # noqa: A002  # its name there
        super().__init__(text)
        self.type = type


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; `made` and `used` in ns since 1970 UTC. `kind` is `made`, `first-start` or `environment`."""

    token_id: str
    name: str
    role: Role
    kind: str
    made: int | None
    made_by: str | None
    used: int | None


class Tokens:
    """`given` are those of the environment, by digest: they stand beside those of the database. Methods block."""

    def __init__(self, store: Store, given: Mapping[str, Identity], *, now: Callable[[], int] = time.time_ns) -> None:
        self._store, self._given, self._now = store, given, now
        self._given_used: dict[str, int] = {}

    def take_first(self, first: str) -> None:
        """Enter the token of the first start, unless it was entered before and perhaps revoked since."""
        with self._store.begin() as connection:
            known = connection.scalar(sql.select(tokens.c.digest).where(tokens.c.token_id == FIRST_ID))
            if known == first:
                return
            connection.execute(tokens.delete().where(tokens.c.token_id == FIRST_ID))
            self._insert(connection, FIRST_ID, FIRST_NAME, Role.ADMIN, first, by="the first start")

    def find(self, token_digest: str) -> Identity | None:
        """Whose token it is; it counts as used now."""
        now = self._now()
        if (given := self._given.get(token_digest)) is not None:
            self._given_used[token_digest] = now
            return given
        with self._store.connect() as connection:
            row = connection.execute(
                sql.select(tokens).where(tokens.c.digest == token_digest, tokens.c.revoked.is_(None))
            ).one_or_none()
        if row is None:
            return None
        if row.used is None or now - row.used > NOTED_EVERY_NS:
            with self._store.begin() as connection:
                connection.execute(tokens.update().where(tokens.c.token_id == row.token_id).values(used=now))
        return Identity(name=row.name, role=Role(row.role))

    def all(self) -> list[Token]:
        """Those of the environment first, then the oldest first."""
        found = [
            Token(
                token_id=f"environment-{identity.role}",
                name=identity.name,
                role=identity.role,
                kind="environment",
                made=None,
                made_by=None,
                used=self._given_used.get(given),
            )
            for given, identity in self._given.items()
        ]
        with self._store.connect() as connection:
            rows = connection.execute(sql.select(tokens).where(tokens.c.revoked.is_(None)).order_by(tokens.c.made)).all()
        return found + [
            Token(
                token_id=row.token_id,
                name=row.name,
                role=Role(row.role),
                kind="first-start" if row.token_id == FIRST_ID else "made",
                made=row.made,
                made_by=row.made_by,
                used=row.used,
            )
            for row in rows
        ]

    def make(self, name: str, role: Role, *, by: str) -> tuple[Token, str]:
        """A new token, and the only time that it is told. Raises `TokenRefused`."""
        if not re.fullmatch(NAME_PATTERN, name):
            text = f"'{name}' should be 1 to 64 letters, digits, spaces and .@+-, as 'anna' or 'line-2 display'"
            raise TokenRefused(ProblemType.INVALID_REQUEST, text)
        token, token_id = new_token(), new_identifier()
        present = self.all()
        if name in {each.name for each in present}:
            text = f"there is a token named '{name}' already; names are those under which changes are told"
            raise TokenRefused(ProblemType.NAME_TAKEN, text)
        if len(present) >= MOST_TOKENS:
            text = f"there are {MOST_TOKENS} tokens, which is the most that are kept; revoke one first"
            raise TokenRefused(ProblemType.FULL, text)
        with self._store.begin() as connection:
            made = self._insert(connection, token_id, name, role, digest(token), by=by)
        return Token(token_id=token_id, name=name, role=role, kind="made", made=made, made_by=by, used=None), token

    def revoke(self, token_id: str) -> Token:
        """Raises `KeyError` where there is none, and `TokenRefused` where it cannot be done here."""
        present = {each.token_id: each for each in self.all()}
        token = present[token_id]
        if token.kind == "environment":
            text = f"'{token.name}' comes from the environment: take it away there and start the api again"
            raise TokenRefused(ProblemType.FROM_ENVIRONMENT, text)
        others = (each for each in present.values() if each.token_id != token_id)
        if not any(each.role.may(Role.ADMIN) for each in others):
            raise TokenRefused(ProblemType.LAST_ADMIN, f"'{token.name}' is the last token of an admin; make another one first")
        with self._store.begin() as connection:
            this = tokens.c.token_id == token_id
            if token_id == FIRST_ID:
                connection.execute(tokens.update().where(this).values(revoked=self._now()))
            else:
                connection.execute(tokens.delete().where(this))
        return token

    def _insert(self, connection: Connection, token_id: str, name: str, role: Role, token_digest: str, *, by: str) -> int:
        made = self._now()
        connection.execute(
            tokens.insert().values(token_id=token_id, name=name, role=role.value, digest=token_digest, made=made, made_by=by)
        )
        return made


def open_tokens(store: Store, home: Path, given: Mapping[str, Identity], *, alone: bool) -> Tokens:
    """The tokens of the environment and the database; where there are none, the first one is made and printed, once.

    alone: only this machine reaches the api. Who lets others reach it has to know beforehand who may change what, so then
    none is made, and `KullagerError` says so.
    """
    tokens = Tokens(store, given)
    if (kept := first_token(home, make=alone and not tokens.all())) is not None:
        tokens.take_first(kept)
    if not tokens.all():
        if not alone:
            raise KullagerError(
                "--host: others would reach this address, and nobody has a token yet: set KULLAGER_ADMIN_TOKEN or "
                "KULLAGER_ADMIN_TOKEN_FILE, or make one with: python -m api token admin --role admin"
            )
        logger.warning("nobody has a token: python -m api token NAME --role admin makes one")
    return tokens
