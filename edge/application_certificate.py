"""The certificate by which an OPC UA application shows who it is, and folders of certificates of others.

After OPC UA part 6, 6.2.2. A certificate is made when it is first needed, and anew before it ends.
"""

import contextlib
import ipaddress
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.contracts.errors import KullagerError

logger = logging.getLogger(__name__)

VALID_FOR: Final = timedelta(days=5 * 365)
# a certificate that ends within this is replaced the next time it is asked for
RENEW_BEFORE: Final = timedelta(days=30)
KEY_BITS: Final = 2048
SUFFIXES: Final = (".der", ".pem", ".crt", ".cer")
_PEM: Final = serialization.Encoding.PEM
_DER: Final = serialization.Encoding.DER


class CertificateNotKept(KullagerError):
    """The folder of the certificates cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate, and its private key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Who a certificate is of: its name, its application URI, the hosts at which it is found, and whether it is a server."""

    name: str
    uri: str
    hosts: Sequence[str]
    server: bool

    @property
    def names(self) -> list[x509.GeneralName]:
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(self.uri)]
        for each in dict.fromkeys(self.hosts):
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(each)))
            except ValueError:
                names.append(x509.DNSName(each))
        return names


def kept_identity(path: Path, application: Application, now: datetime) -> Identity:
    """The identity in `path` (PEM, readable by its owner alone); a new one where there is none, it ends soon, or is of another.

    Beside it lies the certificate alone, `.der`, for others to trust. Raises `CertificateNotKept`.
    """
    try:
        kept = read_identity(path) if path.exists() else None
        if kept is not None and _fits(kept.certificate, application.names, now):
            return kept
        made = _make(application, now)
        path.parent.mkdir(parents=True, exist_ok=True)
        private = made.key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _write(path, private + made.certificate.public_bytes(_PEM), 0o600)
        _write(path.with_suffix(".der"), made.certificate.public_bytes(_DER), 0o644)
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


def read_identity(path: Path) -> Identity:
    """A PEM file with a certificate and its RSA key, without a password. Raises `OSError` or `ValueError`."""
    content = path.read_bytes()
    key = serialization.load_pem_private_key(content, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the key is no RSA key")
    return Identity(x509.load_pem_x509_certificate(content), key)


def certificates_in(folder: Path) -> list[x509.Certificate]:
    """All certificates of a folder; read anew each time, so that one is added without a restart."""
    found = []
    for path in sorted(folder.glob("*")):
        if path.suffix not in SUFFIXES:
            continue
        try:
            found.append(_read(path))
        except (OSError, ValueError) as error:
            logger.warning("%s is no certificate that can be read: %s", path, error)
    return found


def ends_in(folder: Path) -> dict[str, int]:
    """When the certificates of a folder and those below it end [ns since 1970 UTC], by their paths without the suffix."""
    ends: dict[str, int] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
        # what cannot be read is told where it is used
        with contextlib.suppress(OSError, ValueError):
            end = _read(path).not_valid_after_utc
            ends[path.relative_to(folder).with_suffix("").as_posix()] = int(end.timestamp()) * 1_000_000_000
    return ends


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as people compare it."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _read(path: Path) -> x509.Certificate:
    content = path.read_bytes()
    load = x509.load_pem_x509_certificate if content.startswith(b"-----") else x509.load_der_x509_certificate
    return load(content)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and at no moment readable by others than in the end."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    part.replace(path)


def _fits(certificate: x509.Certificate, names: Sequence[x509.GeneralName], now: datetime) -> bool:
    known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    in_time = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE
    return in_time and set(names) <= set(known)


def _make(application: Application, now: datetime) -> Identity:
    """An application instance certificate, signed by itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, application.name)])
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
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if application.server else ExtendedKeyUsageOID.CLIENT_AUTH
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # clocks of others differ
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(application.names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)
