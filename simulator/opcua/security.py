"""Who may connect to a server, and the certificate by which it shows who it is.

Below `KULLAGER_HOME/simulator/certificates` lie, for each source, `<source>.pem` (certificate and private key, readable by
its owner alone) and `<source>.der` (the certificate, for clients to trust); and in `users/` the certificates of people.
"""

import hmac
import ipaddress
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.contracts.errors import KullagerError

logger = logging.getLogger(__name__)

VALID_FOR: Final = timedelta(days=5 * 365)
# a certificate that ends within this is replaced at the next start
RENEW_BEFORE: Final = timedelta(days=30)
KEY_BITS: Final = 2048
SUFFIXES: Final = (".der", ".pem", ".crt", ".cer")
_PEM: Final = serialization.Encoding.PEM


class CertificateNotKept(KullagerError):
    """The folder of the certificates cannot be read or written."""


def certificate_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("KULLAGER_HOME", ".kullager")) / "simulator" / "certificates"


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificate of a server, and its private key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def identity(folder: Path, source: str, application_uri: str, host: str, now: datetime) -> Identity:
    """The kept identity of a server; a new one where there is none, it ends soon, or it names another host or application."""
    path = folder / f"{source}.pem"
    names = _names(application_uri, host)
    try:
        kept = _read(path)
        if kept is not None and _fits(kept.certificate, names, now):
            return kept
        made = _make(names, now)
        folder.joinpath("users").mkdir(parents=True, exist_ok=True)
        private = made.key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _write(path, private + made.certificate.public_bytes(_PEM), 0o600)
        _write(folder / f"{source}.der", made.certificate.public_bytes(serialization.Encoding.DER), 0o644)
    except OSError as error:
        raise CertificateNotKept(
            f"{path}: {error.strerror or error}; KULLAGER_HOME names a folder that can be written"
        ) from None
    except ValueError as error:
        raise CertificateNotKept(
            f"{path}: holds no certificate with its key ({error}); delete it, and a new one is made"
        ) from None
    logger.info("%s: made a certificate that is valid until %s", path, made.certificate.not_valid_after_utc.date())
    return made


def _read(path: Path) -> Identity | None:
    if not path.exists():
        return None
    content = path.read_bytes()
    key = serialization.load_pem_private_key(content, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the key is no RSA key")
    return Identity(x509.load_pem_x509_certificate(content), key)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and at no moment readable by others than in the end."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    part.replace(path)


def _names(application_uri: str, host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(application_uri)]
    for each in dict.fromkeys((host, socket.gethostname(), "localhost", "127.0.0.1")):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(each)))
        except ValueError:
            names.append(x509.DNSName(each))
    return names


def _fits(certificate: x509.Certificate, names: Sequence[x509.GeneralName], now: datetime) -> bool:
    known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    in_time = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE
    return in_time and set(names) <= set(known)


def _make(names: Sequence[x509.GeneralName], now: datetime) -> Identity:
    """An application instance certificate, signed by itself, as OPC UA part 6, 6.2.2 wants it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kullager simulator")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # clocks of clients differ
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


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

    def verify_x509_token(self, session: Any, token: Any, signature: Any) -> bytes:
        """The user's certificate, after its signature has been checked and it was found among the known ones."""
        shown: bytes = super().verify_x509_token(session, token, signature)
        if shown not in _known(self._users):
            name = x509.load_der_x509_certificate(shown).subject.rfc4514_string()
            logger.warning("source '%s': user '%s' was refused: the certificate is not in %s", self._source, name, self._users)
            raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
        return shown


def _known(folder: Path) -> set[bytes]:
    """All certificates of a folder, as DER; read anew each time, so that a user is added without a restart."""
    known: set[bytes] = set()
    for path in sorted(folder.glob("*")):
        if path.suffix not in SUFFIXES:
            continue
        try:
            content = path.read_bytes()
            load = x509.load_pem_x509_certificate if content.startswith(b"-----") else x509.load_der_x509_certificate
            known.add(load(content).public_bytes(serialization.Encoding.DER))
        except (OSError, ValueError) as error:
            logger.warning("%s is no certificate that can be read: %s", path, error)
    return known
