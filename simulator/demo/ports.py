"""The ports of the demo: the page's is the visitor's choice; the others give way where something else has them."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant

LOOPBACK = ("127.0.0.1", "localhost")


class PortTaken(KullagerError):
    """Something else listens where the demo's page should."""


class NotOnThisMachine(KullagerError):
    """The plant file leads to a source that the demo cannot start itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePort:
    """Where the demo starts one source of the plant; `wanted` is the port that the plant file names."""

    source: str
    kind: str
    wanted: int
    port: int

    @property
    def variable(self) -> str:
        return f"KULLAGER_SOURCE_{self.source.upper().replace('-', '_')}_URL"

    @property
    def url(self) -> str:
        return f"{'mqtt' if self.kind == 'mqtt' else 'opc.tcp'}://127.0.0.1:{self.port}"


def check_page_port(port: int) -> None:
    """Raises `PortTaken` where the page cannot listen."""
    if not 0 < port < 65536:
        raise PortTaken(f"Port {port} does not exist; 1024 to 65535 are for everybody.")
    if not _is_free(port):
        other = next(candidate for candidate in range(port + 1, 65536) if _is_free(candidate))
        raise PortTaken(f"Port {port} is in use by another program; give the page another one: make demo PORT={other}")


def source_ports(plant: Plant) -> Iterator[SourcePort]:
    """The port of each source: that of the plant file, or another where it is in use.

    Raises `NotOnThisMachine` for a source of another machine.
    """
    given: dict[int, int] = {}
    for name, source in plant.sources.items():
        parts = urlsplit(source.url)
        if parts.hostname not in LOOPBACK:
            raise NotOnThisMachine(
                f"The demo starts source '{name}' itself, on 127.0.0.1, but its address is {source.url}; "
                "for machines elsewhere, start the processes one by one."
            )
        wanted = parts.port or (1883 if source.kind == "mqtt" else 4840)
        if wanted not in given:
            given[wanted] = wanted if _is_free(wanted) else _another()
        yield SourcePort(source=name, kind=source.kind, wanted=wanted, port=given[wanted])


def environment_of(ports: list[SourcePort], environ: Mapping[str, str]) -> dict[str, str]:
    """`environ`, with the address of each source that could not have its own port."""
    return dict(environ) | {port.variable: port.url for port in ports if port.port != port.wanted}


def _is_free(port: int) -> bool:
    try:
        # as the servers themselves do: a port that only waits for late packets counts as free
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _another() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
