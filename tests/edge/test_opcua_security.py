"""Security between the edge and real servers: every combination that is offered, and each refusal in a sentence."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge.__main__ import main
from edge.application_certificate import RENEW_BEFORE, VALID_FOR, Application, Identity, ends_in, fingerprint, kept_identity
from edge.check import check
from edge.contracts.errors import ConnectionRefused
from edge.contracts.plant import OpcuaSource, Plant
from edge.contracts.plant_file import load_plant
from edge.data_acquisition.opcua_security import Certificates, Credentials, NotTrusted, certificate_folder, opcua_credentials
from edge.data_acquisition.opcua_session import connected

SERVER_URI = "urn:testbed:plc"
NOW = datetime.now(UTC)
PASSWORD = "KULLAGER_SOURCE_PLC_PASSWORD"  # noqa: S105
SECURED = [
    f"{policy}/{mode}"
    for policy in ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
    for mode in ("Sign", "SignAndEncrypt")
]


class Users:
    """A server's users: `operator` with her password, and whoever the server takes without one."""

    def get_user(self, _server: object, username: str | None = None, password: str | None = None, certificate: object = None):
        right = not username or (username, password) == ("operator", "correct horse")
        return User(role=UserRole.User) if right else None


def made(path: Path, now: datetime = NOW, uri: str = SERVER_URI) -> Identity:
    return kept_identity(path, Application(name="a plc", uri=uri, hosts=("127.0.0.1",), server=True), now)


Serve = Callable[..., "asynccontextmanager"]


@pytest.fixture
def serve(free_port: Callable[[], int], tmp_path: Path) -> Serve:
    @asynccontextmanager
    async def serving(
        shown: Identity,
        *,
        offered: tuple[str, ...] = ("Aes256Sha256RsaPss_SignAndEncrypt",),
        anonymous: bool = True,
        validator: CertificateValidator | None = None,
        application_uri: str = SERVER_URI,
    ) -> AsyncIterator[str]:
        server = Server(user_manager=Users())
        await server.init()
        await server.set_application_uri(application_uri)
        server.iserver.certificate, server.iserver.private_key = shown.certificate, shown.key
        server.set_security_policy([ua.SecurityPolicyType[name] for name in offered])
        if validator is not None:
            server.set_certificate_validator(validator)
        if not anonymous:
            server.set_identity_tokens([ua.UserNameIdentityToken, ua.X509IdentityToken])
        server.set_endpoint(f"opc.tcp://127.0.0.1:{free_port()}")
        async with server:
            yield server.endpoint.geturl()

    return serving


@pytest.fixture
def plant(tmp_path: Path, make_plant: Callable[..., Plant]) -> Plant:
    return make_plant()


def credentials_of(home: Path, **environ: str) -> Credentials:
    return opcua_credentials("plc", home, environ)


def source(url: str, security: str = "Aes256Sha256RsaPss/SignAndEncrypt", user: str = "") -> OpcuaSource:
    return OpcuaSource(kind="opcua", url=url, security=security, user=user)  # type: ignore[arg-type]


async def reads(where: OpcuaSource, credentials: Credentials) -> bool:
    async with connected(where, credentials) as client:
        return bool(await client.get_namespace_array())


async def refused(where: OpcuaSource, credentials: Credentials) -> str:
    with pytest.raises(ConnectionRefused) as caught:
        await reads(where, credentials)
    return str(caught.value)


def trusting(home: Path, certificate: x509.Certificate) -> None:
    folder = certificate_folder(home) / "trusted"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.der").write_bytes(certificate.public_bytes(Encoding.DER))


# -- the edge of the server


async def test_all_that_a_server_offers_is_spoken(serve: Serve, tmp_path: Path) -> None:
    shown = made(tmp_path / "plc.pem")
    trusting(tmp_path, shown.certificate)
    async with serve(shown, offered=tuple(each.replace("/", "_") for each in SECURED)) as url:
        for security in SECURED:
            assert await reads(source(url, security), credentials_of(tmp_path))


async def test_an_unknown_certificate_is_refused_with_the_command_that_trusts_it(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, credentials = made(tmp_path / "plc.pem"), credentials_of(tmp_path)
    async with serve(shown) as url:
        said = await refused(source(url), credentials)
        assert f"this edge refuses {url}: its certificate 'CN=a plc'" in said
        assert fingerprint(shown.certificate) in said
        *_, command = said.partition("say: python -m edge ")
        monkeypatch.setenv("KULLAGER_HOME", str(tmp_path))
        monkeypatch.setattr("sys.argv", ["edge", *command.split()])
        assert main() == 0
        assert "'CN=a plc' is trusted" in capsys.readouterr().out
        # at once, without a restart
        assert await reads(source(url), credentials)
    assert not list((certificate_folder(tmp_path) / "rejected").iterdir())


def certified(key: rsa.RSAPrivateKey, name: str, by: Identity | None, *extensions: x509.ExtensionType) -> Identity:
    """A certificate of `key` that `by` signed, or the key itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=90))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Identity(builder.sign((by.key if by else key), SHA256()), key)


async def test_whom_an_authority_vouches_for_is_trusted_and_nobody_else(serve: Serve, tmp_path: Path) -> None:
    keys = [made(tmp_path / f"{number}.pem").key for number in range(3)]
    is_authority = x509.BasicConstraints(ca=True, path_length=None)
    authority, other = (certified(key, "the plant's authority", None, is_authority) for key in keys[:2])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(SERVER_URI)])
    trusting(tmp_path, authority.certificate)
    credentials = credentials_of(tmp_path)
    async with serve(certified(keys[2], "a plc", authority, names)) as url:
        assert await reads(source(url), credentials)
    async with serve(certified(keys[2], "a plc", other, names)) as url:
        assert "is not trusted" in await refused(source(url), credentials)
    another = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:somebody:else")])
    async with serve(certified(keys[2], "a plc", authority, another)) as url:
        said = await refused(source(url), credentials)
    assert f"it calls itself '{SERVER_URI}', and its certificate is of 'urn:somebody:else'" in said
    # a plc that is trusted itself vouches for nobody
    plain = certified(keys[1], "another plc", None, names)
    trusting(tmp_path, plain.certificate)
    async with serve(certified(keys[2], "a plc", plain, names)) as url:
        assert "is not trusted" in await refused(source(url), credentials)


async def test_a_certificate_out_of_its_time_is_refused(serve: Serve, tmp_path: Path) -> None:
    for number, made_at in enumerate((NOW - 2 * VALID_FOR, NOW + timedelta(days=2))):
        shown = made(tmp_path / f"{number}.pem", made_at)
        trusting(tmp_path, shown.certificate)
        async with serve(shown) as url:
            earliest = datetime.now(UTC)
            said = await refused(source(url), credentials_of(tmp_path))
        assert f"this edge refuses {url}: its certificate is valid from {made_at - timedelta(hours=1):%Y-%m-%d}" in said
        # a run over midnight has two days
        assert any(f"it is {day:%Y-%m-%d} here" in said for day in (earliest, datetime.now(UTC)))


async def test_what_is_not_offered_is_told_with_what_is(serve: Serve, tmp_path: Path) -> None:
    async with serve(made(tmp_path / "plc.pem"), offered=("NoSecurity", "Basic256Sha256_Sign")) as url:
        said = await refused(source(url), credentials_of(tmp_path))
    assert said.endswith("does not offer security 'Aes256Sha256RsaPss/SignAndEncrypt'; it offers Basic256Sha256/Sign, None")


# -- the server of the edge


async def test_a_server_that_does_not_trust_the_edge_is_told_what_to_trust(serve: Serve, tmp_path: Path) -> None:
    """Its operator puts the edge's certificate where it says, and the next attempt gets in."""
    shown, credentials = made(tmp_path / "plc.pem"), credentials_of(tmp_path)
    trusting(tmp_path, shown.certificate)
    servers_own = tmp_path / "servers-trusted"
    servers_own.mkdir()
    (servers_own / "somebody.der").write_bytes(shown.certificate.public_bytes(Encoding.DER))
    store = TrustStore([servers_own], [])
    await store.load()
    options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
    async with serve(shown, validator=CertificateValidator(options, store)) as url:
        said = await refused(source(url), credentials)
        own = certificate_folder(tmp_path) / "own.der"
        assert f"put {own} into its list of trusted certificates" in said
        (servers_own / "edge.der").write_bytes(own.read_bytes())
        await store.load()
        assert await reads(source(url), credentials)


@pytest.mark.parametrize("security", ["None", "Basic256Sha256/SignAndEncrypt"])
async def test_users_are_let_in_by_password(serve: Serve, tmp_path: Path, security: str) -> None:
    shown = made(tmp_path / "plc.pem")
    trusting(tmp_path, shown.certificate)
    offered = ("NoSecurity", "Basic256Sha256_SignAndEncrypt")
    async with serve(shown, offered=offered, anonymous=False) as url:
        right = credentials_of(tmp_path, **{PASSWORD: "correct horse"})
        assert await reads(source(url, security, "operator"), right)
        wrong = credentials_of(tmp_path, **{PASSWORD: "battery staple"})
        assert "refuses: the server does not let in user 'operator'" in await refused(source(url, security, "operator"), wrong)
        assert "the server does not let in anonymous users" in await refused(source(url, security), right)


async def test_users_are_let_in_by_certificate(serve: Serve, tmp_path: Path) -> None:
    shown, user = made(tmp_path / "plc.pem"), made(tmp_path / "user.pem", uri="urn:user")
    trusting(tmp_path, shown.certificate)
    async with serve(shown, anonymous=False) as url:
        right = credentials_of(tmp_path, KULLAGER_SOURCE_PLC_CERTIFICATE_FILE=str(tmp_path / "user.pem"))
        assert await reads(source(url), right)
        only_key = tmp_path / "key.pem"
        only_key.write_bytes(user.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        wrong = replace(right, user_certificate=only_key)
        assert f"{only_key}: holds no certificate with its key" in await refused(source(url), wrong)


# -- the edge's own certificate


def test_it_is_made_kept_and_renewed_before_it_ends(tmp_path: Path) -> None:
    certificates = credentials_of(tmp_path).certificates
    first = certificates.own(NOW)
    names = first.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [certificates.uri]
    assert certificates.own_path.stat().st_mode & 0o777 == 0o600
    later = NOW + VALID_FOR - RENEW_BEFORE
    assert certificates.own(later - timedelta(days=2)).certificate == first.certificate
    uri = certificates.uri
    assert certificates.own(later + timedelta(days=2)).certificate != first.certificate
    assert certificates.uri == uri


def test_a_fingerprint_that_means_none_or_many_is_told(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with pytest.raises(NotTrusted, match="'abc' means 0 of the certificates that were refused: none"):
        certificates.trust("abc")
    with pytest.raises(ConnectionRefused):
        certificates.judge(made(tmp_path / "plc.pem").certificate, SERVER_URI, "opc.tcp://plc")
    with pytest.raises(NotTrusted, match=r"'' means 0 of .*: [0-9a-f]{16} \(CN=a plc\)"):
        certificates.trust("")


async def test_check_tells_security_and_the_days_that_are_left(serve: Serve, tmp_path: Path, plant: Plant) -> None:
    shown = made(tmp_path / "plc.pem", NOW - VALID_FOR + timedelta(days=20))
    trusting(tmp_path, shown.certificate)
    async with serve(shown) as url:
        path = tmp_path / "plant.toml"
        secured = 'opc.tcp://127.0.0.1:4840"\nsecurity = "Aes256Sha256RsaPss/SignAndEncrypt'
        path.write_text(path.read_text().replace("opc.tcp://127.0.0.1:4840", secured))
        secured_plant = load_plant(path, {"KULLAGER_SOURCE_PLC_URL": url})
        found = await check(secured_plant, tmp_path, {}, listen_s=0.1)
    told = {finding.text.partition("; ")[2]: finding.good for finding in found if "secured by Aes256" in finding.text}
    (servers, servers_good), (own, own_good) = told.items()
    assert servers.startswith("the server's certificate is valid for 19 more days")
    assert own.startswith("this edge's certificate is valid for 18")
    assert (servers_good, own_good) == (False, True)


def test_the_ends_of_certificates_are_told_by_name_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    own = made(certificate_folder(tmp_path) / "own.pem").certificate
    trusting(tmp_path, made(tmp_path / "plc.pem", NOW - timedelta(days=400)).certificate)
    (certificate_folder(tmp_path) / "trusted" / "broken.der").write_bytes(b"no certificate")
    found = ends_in(certificate_folder(tmp_path))
    assert list(found) == ["own", "trusted/server"]
    assert found["own"] == int(own.not_valid_after_utc.timestamp()) * 1_000_000_000
    assert found["own"] - found["trusted/server"] == 400 * 86_400 * 1_000_000_000
    assert ends_in(tmp_path / "nowhere") == {}
