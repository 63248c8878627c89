"""Who the edge is to OPC UA servers, which servers it trusts, and what it says when one side refuses the other.

KULLAGER_HOME/edge/certificates/own.pem, own.der    the edge's certificate with its key, and alone, for servers to trust
                                trusted/            certificates of servers, or of authorities that issued them
                                rejected/           what servers showed that is not trusted: `python -m edge trust` moves it
"""

import logging
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from asyncua import Client, ua
from asyncua.crypto import security_policies
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from edge.application_certificate import Application, Identity, certificates_in, fingerprint, kept_identity, read_identity
from edge.contracts.errors import ConnectionRefused, KullagerError
from edge.contracts.plant import OpcuaSource
from edge.contracts.plant_file import source_certificate, source_password

logger = logging.getLogger(__name__)

POLICIES: Final = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
MODES: Final = {"Sign": ua.MessageSecurityMode.Sign, "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt}
# enough of a fingerprint to name a certificate on a command line
SHORT: Final = 16

_NOT_TRUSTED: Final = (
    "BadCertificateUntrusted",
    "BadSecurityChecksFailed",
    "BadCertificateChainIncomplete",
    "BadCertificateRevoked",
)
_OUT_OF_DATE: Final = "BadCertificateTimeInvalid", "BadCertificateIssuerTimeInvalid"
_OTHER_NAME: Final = "BadCertificateUriInvalid", "BadCertificateHostNameInvalid"
_WRONG_USER: Final = (
    "BadIdentityTokenRejected",
    "BadIdentityTokenInvalid",
    "BadUserAccessDenied",
    "BadUserSignatureInvalid",
)


class NotTrusted(KullagerError):
    """No certificate, or more than one, is meant by a fingerprint."""


class Certificates:
    """The edge's own certificate, and those it trusts, below `folder`; both are looked at anew for each connection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def own_path(self) -> Path:
        return self.folder / "own.pem"

    @property
    def uri(self) -> str:
        """The edge's application URI: made once, it stays when the certificate is renewed or the host gets another name."""
        return _uris(self.own().certificate)[0]

    def own(self, now: datetime | None = None) -> Identity:
        """The edge's certificate, made or renewed where needed. Raises `CertificateNotKept`."""
        try:
            kept = _uris(read_identity(self.own_path).certificate)
        except (OSError, ValueError):
            kept = []
        host = socket.gethostname()
        # a server that trusts this certificate does not care where its client runs today
        hosts = () if kept else (host,)
        uri = kept[0] if kept else f"urn:{host}:kullager:edge:{uuid.uuid4().hex[:8]}"
        application = Application(name="kullager edge", uri=uri, hosts=hosts, server=False)
        return kept_identity(self.own_path, application, now or datetime.now(UTC))

    def judge(self, certificate: x509.Certificate, application_uri: str, url: str, now: datetime | None = None) -> None:
        """Raise `ConnectionRefused` where a server's certificate is not to be trusted; it says what to do."""
        now = now or datetime.now(UTC)
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begins <= now <= ends:
            raise ConnectionRefused(
                f"this edge refuses {url}: its certificate is valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}, and it is "
                f"{now:%Y-%m-%d} here; renew the server's certificate, or put the clock right"
            )
        known = certificates_in(self.folder / "trusted")
        if certificate not in known:
            if not any(_issued(certificate, authority) for authority in known):
                self._reject(certificate)
                raise ConnectionRefused(
                    f"this edge refuses {url}: its certificate '{certificate.subject.rfc4514_string()}' (valid until "
                    f"{ends:%Y-%m-%d}, SHA-256 {fingerprint(certificate)}) is not trusted; if it is the server's, say: "
                    f"python -m edge trust {fingerprint(certificate)[:SHORT]}"
                )
            if application_uri not in _uris(certificate):
                raise ConnectionRefused(
                    f"this edge refuses {url}: it calls itself '{application_uri}', and its certificate is of "
                    f"'{', '.join(_uris(certificate))}'"
                )

    def trust(self, prefix: str) -> x509.Certificate:
        """Trust the rejected certificate whose fingerprint begins so. Raises `NotTrusted`."""
        rejected = {fingerprint(each): each for each in certificates_in(self.folder / "rejected")}
        wanted = prefix.lower().replace(":", "")
        found = [each for each in rejected if wanted and each.startswith(wanted)]
        if len(found) != 1:
            told = ", ".join(f"{key[:SHORT]} ({each.subject.rfc4514_string()})" for key, each in rejected.items()) or "none"
            raise NotTrusted(f"'{prefix}' means {len(found)} of the certificates that were refused: {told}")
        place = self.folder / "trusted" / f"{found[0][:SHORT]}.der"
        place.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "rejected" / place.name).replace(place)
        return rejected[found[0]]

    def _reject(self, certificate: x509.Certificate) -> None:
        path = self.folder / "rejected" / f"{fingerprint(certificate)[:SHORT]}.der"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
        except OSError as error:
            logger.warning("%s: %s", path, error.strerror or error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the edge shows to one server; `user_certificate`: a PEM file with certificate and key, instead of a password."""

    certificates: Certificates
    password: str | None = None
    user_certificate: Path | None = None

    def user(self, source: OpcuaSource) -> str:
        """Who the server is told that this is."""
        if self.user_certificate is not None:
            return f"the user of {self.user_certificate}"
        return f"user '{source.user}'" if source.user else "anonymous users"


def certificate_folder(home: Path) -> Path:
    return home / "edge" / "certificates"


def opcua_credentials(name: str, home: Path, environ: Mapping[str, str]) -> Credentials:
    """What a source is shown: its password or its user's certificate come from the environment."""
    return Credentials(
        certificates=Certificates(certificate_folder(home)),
        password=source_password(name, environ),
        user_certificate=source_certificate(name, environ),
    )


async def secure(client: Client, source: OpcuaSource, credentials: Credentials) -> None:
    """Ready a client to connect as the plant file says. Raises `ConnectionRefused` where one side does not want to."""
    if credentials.user_certificate is not None:
        try:
            user = read_identity(credentials.user_certificate)
        except (OSError, ValueError) as error:
            raise ConnectionRefused(f"{credentials.user_certificate}: holds no certificate with its key: {error}") from None
        client.user_certificate, client.user_private_key = user.certificate, user.key
    elif source.user:
        client.set_user(source.user)
        client.set_password(credentials.password or "")
    if source.security == "None":
        return
    policy, mode = source.security.split("/")
    endpoints = await client.connect_and_get_server_endpoints()
    wanted = POLICIES[policy].URI, MODES[mode]
    endpoint = next((each for each in endpoints if (each.SecurityPolicyUri, each.SecurityMode) == wanted), None)
    if endpoint is None:
        offered = sorted({_name(each) for each in endpoints})
        raise ConnectionRefused(f"{source.url} does not offer security '{source.security}'; it offers {', '.join(offered)}")
    try:
        certificate = x509.load_der_x509_certificate(_first(endpoint.ServerCertificate or b""))
    except ValueError:
        raise ConnectionRefused(f"{source.url} shows no certificate that can be read") from None
    credentials.certificates.judge(certificate, endpoint.Server.ApplicationUri, source.url)
    own = credentials.certificates.own()
    client.application_uri = credentials.certificates.uri
    client.security_policy = POLICIES[policy](certificate, own.certificate, own.key, MODES[mode])
    client.uaclient.set_security(client.security_policy)


def refusal(error: ua.UaStatusCodeError, source: OpcuaSource, credentials: Credentials) -> str:
    """Which side refused what, and what to do, of a status that a server answers a connection with."""
    name, words = ua.status_codes.get_name_and_doc(error.code)
    own = credentials.certificates.own_path.with_suffix(".der")
    if name in _NOT_TRUSTED:
        why = f"the server does not trust this edge: put {own} into its list of trusted certificates"
    elif name in _OUT_OF_DATE:
        why = f"the server finds this edge's certificate ({own}) out of date: one of both clocks is wrong"
    elif name in _OTHER_NAME:
        why = f"the server finds another name in this edge's certificate ({own}) than '{credentials.certificates.uri}'"
    elif name in _WRONG_USER:
        why = f"the server does not let in {credentials.user(source)}: user, password or certificate are not those it knows"
    else:
        why = words.rstrip(".")
    return f"{source.url} refuses: {why} ({name})"


def closed(source: OpcuaSource, credentials: Credentials) -> str:
    """What it mostly means that a server says nothing and closes, once the connection is to be secured."""
    own = credentials.certificates.own_path.with_suffix(".der")
    return (
        f"{source.url} closed the connection when it was to be secured ({source.security}): mostly the server does not trust "
        f"this edge; put {own} into its list of trusted certificates"
    )


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        if not authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return authority.not_valid_before_utc <= datetime.now(UTC) <= authority.not_valid_after_utc


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return list(names.get_values_for_type(x509.UniformResourceIdentifier))


def _name(endpoint: Any) -> str:
    policy = endpoint.SecurityPolicyUri.rpartition("#")[2].replace("_", "")
    return "None" if policy == "None" else f"{policy}/{endpoint.SecurityMode.name.rstrip('_')}"


def _first(chain: bytes) -> bytes:
    """The first certificate of a chain that is written one after the other (part 6, 6.2.6): a DER sequence says its length."""
    if len(chain) < 4 or chain[:2] != b"\x30\x82":
        return chain
    return chain[: 4 + int.from_bytes(chain[2:4], "big")]
