"""The tokens that are there before the api starts: those of the environment, and the one made at the first start."""

import hashlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from api.roles import Identity, Role
from edge.contracts.errors import KullagerError

SHORTEST_TOKEN: Final = 16
FIRST_NAME: Final = "admin"
GIVEN_ROLES: Final = (Role.OPERATOR, Role.ENGINEER, Role.ADMIN)


def digest(token: str) -> str:
    """What is kept of a token: it has far too many possible values for anything slower to be needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    return secrets.token_urlsafe(32)


def given_tokens(environ: Mapping[str, str]) -> dict[str, Identity]:
    """By digest: what `KULLAGER_OPERATOR_TOKEN`, `KULLAGER_ENGINEER_TOKEN` and `KULLAGER_ADMIN_TOKEN` say, or the files
    that the same names with `_FILE` name. Where two are one token, the higher role has it."""
    return {
        digest(token): Identity(name=role.value, role=role)
        for role in GIVEN_ROLES
        if (token := _given_token(f"KULLAGER_{role.upper()}_TOKEN", environ)) is not None
    }


def _given_token(variable: str, environ: Mapping[str, str]) -> str | None:
    token = environ.get(variable)
    if (file := environ.get(f"{variable}_FILE")) is not None:
        variable += "_FILE"
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KullagerError(f"{variable}: {file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise KullagerError(f"{variable}: the token has {len(token)} characters; {SHORTEST_TOKEN} or more would be right")
    return token


def first_token(home: Path, *, make: bool) -> str | None:
    """The digest of the token of the first start, which is an admin's; None where there is none and `make` is false.

    It is printed to stderr, once; `home` keeps only its SHA-256.
    """
    kept = home / "operator-token.sha256"
    try:
        if not kept.exists():
            if not make:
                return None
            home.mkdir(parents=True, exist_ok=True)
            token = new_token()
            with os.fdopen(os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(digest(token) + "\n")
            print(  # noqa: T201
                f"The first operator's token, which may do everything (role admin), shown only this once: {token}",
                file=sys.stderr,
                flush=True,
            )
        text = kept.read_text(encoding="ascii").strip()
        if len(bytes.fromhex(text)) != hashlib.sha256().digest_size:
            raise ValueError("is not a SHA-256 in hexadecimal")
    except (OSError, ValueError) as error:
        raise KullagerError(f"{kept}: cannot be used: {error}; delete it to get a new operator's token") from None
    return text.lower()
