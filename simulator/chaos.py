"""A network and a server that misbehave: what can be wrong, with which source, and for how long. Logic over a clock.

The servers and publishers ask, whenever they show something, what is wrong with them now. What happens is real: sockets
that are cut or silent, a server that is gone and comes back, messages that are held, doubled or not readable.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge.contracts.alarm import BilingualText
from edge.contracts.command import CatalogueChaos
from edge.contracts.plant import OpcuaSource, Plant, SparkplugSource
from simulator.site import CommandRefused

LONGEST_S: Final = 3600.0


class ChaosKind(StrEnum):
    """What can be wrong with a connection, a server, or what it sends."""

    SERVER_RESTART = "server-restart"
    DROPPED_CONNECTION = "dropped-connection"
    HALF_OPEN = "half-open"
    SLOW_ANSWERS = "slow-answers"
    REMOVED_NODE = "removed-node"
    CHANGED_NAMESPACE = "changed-namespace"
    BAD_STATUS = "bad-status"
    CLOCK_JUMP = "clock-jump"
    BURST = "burst"
    DUPLICATES = "duplicates"
    LATE = "late"
    GARBAGE = "garbage"


OPCUA, MQTT = "OPC UA", "MQTT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosForm:
    """What a kind of chaos is called and does.

    protocols: where there is such a thing; for_s: how long it lasts where nobody says otherwise [s];
    amount:    how much of it, in seconds; None where there is no more and no less of it
    """

    name: BilingualText
    description: BilingualText
    protocols: tuple[str, ...]
    for_s: float = 20.0
    amount: float | None = None


FORMS: Final[Mapping[ChaosKind, ChaosForm]] = {
    ChaosKind.SERVER_RESTART: ChaosForm(
        name=BilingualText(sv="Servern startar om", en="Server restart"),
        description=BilingualText(
            sv="OPC UA-servern försvinner och kommer tillbaka tom.", en="The OPC UA server is gone, and comes back empty."
        ),
        protocols=(OPCUA,),
        for_s=5.0,
    ),
    ChaosKind.DROPPED_CONNECTION: ChaosForm(
        name=BilingualText(sv="Avbruten förbindelse", en="Dropped connection"),
        description=BilingualText(sv="Alla förbindelser bryts utan förvarning.", en="All connections are cut without a word."),
        protocols=(OPCUA, MQTT),
        for_s=1.0,
    ),
    ChaosKind.HALF_OPEN: ChaosForm(
        name=BilingualText(sv="Tyst förbindelse", en="Half-open silence"),
        description=BilingualText(
            sv="Förbindelsen står kvar men ingenting kommer längre.", en="The connection stands, but nothing comes any more."
        ),
        protocols=(OPCUA, MQTT),
    ),
    ChaosKind.SLOW_ANSWERS: ChaosForm(
        name=BilingualText(sv="Långsamma svar", en="Slow answers"),
        description=BilingualText(
            sv="Allt som servern säger kommer fram några sekunder senare.",
            en="All that the server says arrives some seconds later.",
        ),
        protocols=(OPCUA,),
        amount=3.0,
    ),
    ChaosKind.REMOVED_NODE: ChaosForm(
        name=BilingualText(sv="Borttagen nod", en="Removed node"),
        description=BilingualText(
            sv="En signals nod tas bort ur servern och kommer tillbaka senare.",
            en="The node of one signal is deleted from the server, and comes back later.",
        ),
        protocols=(OPCUA,),
    ),
    ChaosKind.CHANGED_NAMESPACE: ChaosForm(
        name=BilingualText(sv="Flyttat namnrum", en="Changed namespace index"),
        description=BilingualText(
            sv="Servern startar om och dess namnrum har fått ett annat nummer.",
            en="The server restarts, and its namespace has another index.",
        ),
        protocols=(OPCUA,),
    ),
    ChaosKind.BAD_STATUS: ChaosForm(
        name=BilingualText(sv="Dåliga statuskoder", en="Bad status codes"),
        description=BilingualText(
            sv="Värdena kommer med dålig eller osäker status.", en="Values come with a status that is bad or uncertain."
        ),
        protocols=(OPCUA,),
    ),
    ChaosKind.CLOCK_JUMP: ChaosForm(
        name=BilingualText(sv="Klockan hoppar", en="Clock jump"),
        description=BilingualText(
            sv="Tidsstämplarna hoppar, framåt eller (med minus) bakåt.",
            en="Timestamps jump, forward or (below 0) back.",
        ),
        protocols=(OPCUA, MQTT),
        amount=300.0,
    ),
    ChaosKind.BURST: ChaosForm(
        name=BilingualText(sv="Paketskur", en="Packet burst"),
        description=BilingualText(
            sv="Allt hålls tillbaka och kommer sedan på en gång.", en="Everything is held back, and then comes at once."
        ),
        protocols=(OPCUA, MQTT),
        for_s=10.0,
    ),
    ChaosKind.DUPLICATES: ChaosForm(
        name=BilingualText(sv="Dubbla meddelanden", en="Duplicate messages"),
        description=BilingualText(sv="Varje meddelande kommer två gånger.", en="Each message comes twice."),
        protocols=(MQTT,),
    ),
    ChaosKind.LATE: ChaosForm(
        name=BilingualText(sv="Sena meddelanden", en="Late messages"),
        description=BilingualText(
            sv="Meddelanden kommer för sent och i fel ordning.", en="Messages come late and out of order."
        ),
        protocols=(MQTT,),
        amount=4.0,
    ),
    ChaosKind.GARBAGE: ChaosForm(
        name=BilingualText(sv="Skräp", en="Garbage payloads"),
        description=BilingualText(
            sv="Mellan de riktiga meddelandena kommer sådant som inte går att läsa.",
            en="Between the right messages come some that cannot be read.",
        ),
        protocols=(MQTT,),
    ),
}
CALM: Final = "calm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """`kind` of chaos at `source` until `until_s` of the clock; `amount` in seconds."""

    kind: ChaosKind
    source: str
    until_s: float
    amount: float


class Disturbances:
    """What is wrong with each source now. It ends by itself; the same kind again goes on from now.

    `clock` gives seconds, and is the network's: faster machines do not make it faster.
    """

    def __init__(self, plant: Plant, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._protocols = {
            name: OPCUA if isinstance(source, OpcuaSource) else MQTT
            for name, source in plant.sources.items()
            if not isinstance(source, SparkplugSource)
        }
        self._active: dict[tuple[str, ChaosKind], Disturbance] = {}
        self._told: frozenset[tuple[str, ChaosKind]] = frozenset()
        self._changes = 0

    def begin(self, kind: str, source: str = "", for_s: float | None = None, amount: float | None = None) -> None:
        """Let something be wrong with `source`, or with every source where there is such a thing; `calm` ends all.

        Raises `CommandRefused`.
        """
        if kind == CALM:
            self._active.clear()
            return
        sources = self.meant(kind, source)
        form = FORMS[ChaosKind(kind)]
        if not sources:
            raise CommandRefused(f"'{kind}' is a matter of {' and '.join(form.protocols)}; the plant has no such source")
        if for_s is not None and not 0.0 <= for_s <= LONGEST_S:
            raise CommandRefused(f"for_s {for_s!r} should lie between 0 and {LONGEST_S:.0f} s")
        if amount is not None and not -LONGEST_S * 24 <= amount <= LONGEST_S * 24:
            raise CommandRefused(f"amount {amount!r} should be some seconds, a day at most")
        until_s = self._clock() + (form.for_s if for_s is None else for_s)
        how_much = (form.amount or 0.0) if amount is None else amount
        for name in sources:
            self._active[name, ChaosKind(kind)] = Disturbance(
                kind=ChaosKind(kind), source=name, until_s=until_s, amount=how_much
            )

    def meant(self, kind: str, source: str) -> list[str]:
        """The sources that a kind of chaos would come to; none where the plant has no such source at all.

        Raises `CommandRefused` where there is no such kind, or the source that is named cannot have it.
        """
        if kind not in set(ChaosKind):
            raise CommandRefused(f"there is no chaos '{kind}'; possible: {', '.join([*ChaosKind, CALM])}")
        protocols = FORMS[ChaosKind(kind)].protocols
        fitting = [name for name, protocol in self._protocols.items() if protocol in protocols]
        if source and source not in self._protocols:
            raise CommandRefused(f"the plant has no source '{source}'; possible: {', '.join(self._protocols)}")
        if source and source not in fitting:
            raise CommandRefused(
                f"'{kind}' is a matter of {' and '.join(protocols)}, and '{source}' speaks {self._protocols[source]}"
            )
        return [source] if source else fitting

    def active(self, source: str, kind: ChaosKind) -> Disturbance | None:
        """What of this kind is wrong with a source now."""
        found = self._active.get((source, kind))
        if found is not None and found.until_s <= self._clock():
            del self._active[source, kind]
            return None
        return found

    @property
    def changes(self) -> int:
        """Grows whenever something has begun or ended."""
        now = frozenset(key for key in tuple(self._active) if self.active(*key))
        if now != self._told:
            self._told = now
            self._changes += 1
        return self._changes

    def catalogue(self) -> tuple[CatalogueChaos, ...]:
        """All kinds that this plant can have, with the sources where each is active."""
        entries = []
        for kind, form in FORMS.items():
            if set(form.protocols) & set(self._protocols.values()):
                where = tuple(name for name in self._protocols if self.active(name, kind))
                entries.append(
                    CatalogueChaos(
                        chaos=kind,
                        name=form.name,
                        description=form.description,
                        for_s=form.for_s,
                        amount=form.amount,
                        active=where,
                    )
                )
        return tuple(entries)
