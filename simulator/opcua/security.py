"""Who may connect to a server, and the certificate by which it shows who it is.

Below `KULLAGER_HOME/simulator/certificates` lie, for each source, `<source>.pem` (certificate and private key, readable by
its owner alone) and `<source>.der` (the certificate, for clients to trust); and in `users/` the certificates of people.
"""

import hmac
import logging
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from cryptography import x509

from edge.application_certificate import Application, Identity, certificates_in, kept_identity

logger = logging.getLogger(__name__)


def certificate_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("KULLAGER_HOME", ".kullager")) / "simulator" / "certificates"


def identity(folder: Path, source: str, application_uri: str, host: str, now: datetime) -> Identity:
    """The kept identity of a server. Raises `CertificateNotKept`."""
    application = Application(
        name="kullager simulator",
        uri=application_uri,
        hosts=(host, socket.gethostname(), "localhost", "127.0.0.1"),
        server=True,
    )
    made = kept_identity(folder / f"{source}.pem", application, now)
    folder.joinpath("users").mkdir(parents=True, exist_ok=True)
    return made


class GuardedServer(InternalServer):  # type: ignore[misc]  # asyncua is taken as untyped
    """A server that knows its users: by name and password where the source has a user, and by certificate.

    Whoever is let in may read and call methods; nobody may change the address space.
    """

    def __init__(self, source: str, user: str, password: str, users: Path) -> None:
        self._source, self._user, self._password, self._users = source, user, password, users
        super().__init__(user_manager=self)
        named = ua.UserNameIdentityToken if user else ua.AnonymousIdentityToken
        self.supported_tokens = (named, ua.X509IdentityToken)
        self.allow_remote_admin = False

    def get_user(
        self, _server: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        """Called when a session is activated. No name: it is anonymous or has a certificate, and both have been judged."""
        if username is not None:
            right_name = hmac.compare_digest(username.encode(), self._user.encode())
            right_password = hmac.compare_digest((password or "").encode(), self._password.encode())
            if not (right_name and right_password):
                logger.warning("source '%s': user '%s' was refused: name or password is wrong", self._source, username)
                return None
        return User(role=UserRole.User, name=username)

    def decrypt_user_token(self, session: Any, token: Any) -> tuple[str, str | None]:
        """Name and password; whoever shows a password and no name is not taken for one without either."""
        username, password = super().decrypt_user_token(session, token)
        return username or "", password

    def verify_x509_token(self, session: Any, token: Any, signature: Any) -> bytes:
        """The user's certificate, after its signature has been checked and it was found among the known ones."""
        shown: bytes = super().verify_x509_token(session, token, signature)
        certificate = x509.load_der_x509_certificate(shown)
        if certificate not in certificates_in(self._users):
            name = certificate.subject.rfc4514_string()
            logger.warning("source '%s': user '%s' was refused: the certificate is not in %s", self._source, name, self._users)
            raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
        return shown
