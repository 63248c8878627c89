"""The drills: what is done to an edge, one after the other, and what is measured each time."""

import asyncio
import contextlib
import random
import resource
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge.drill.proxy import Cable
from edge.drill.stand import DrillError, Stand, wait_for

# HistoryRead follows a reconnection by two seconds, and the recorder writes once a second
SETTLE_S: Final = 5.0
TMPFS_MB: Final = 700
BAD_PER_S: Final = 100


@dataclass(slots=True)
class Outcome:
    """What one drill showed. seconds: from the end of the fault until every signal flows again

    lost:    values that are missing in the recordings, of the worst OPC UA and the worst MQTT signal
    allowed: of these, how many nobody can give back: there was nobody who kept them
    told:    warnings and errors in the edge's log
    """

    name: str
    what: str
    seconds: float | None = None
    lost: tuple[int, int] = (0, 0)
    allowed: tuple[int, int] = (0, 0)
    lost_results: int = 0
    unaccounted: float = 0.0
    told: list[str] = field(default_factory=list)
    remark: str = ""
    problem: str = ""
    skipped: str = ""

    @property
    def passed(self) -> bool:
        within = all(lost <= allowed for lost, allowed in zip(self.lost, self.allowed, strict=True))
        return not self.problem and within and self.lost_results == 0 and self.unaccounted == 0


Run = Callable[[Stand, Outcome], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Drill:
    """run: does it to a stand and fills in the outcome; simulator: only the simulator can misbehave so"""

    name: str
    what: str
    run: Run
    simulator: bool = False


@asynccontextmanager
async def _measured(stand: Stand, outcome: Outcome, absent_s: tuple[float, float] = (0.0, 0.0)) -> AsyncIterator[None]:
    """What is done inside is the fault; its end is where the clock begins. absent_s: how long a source itself was gone."""
    mark = stand.log_mark()
    await asyncio.sleep(2.0)
    begun = time.time() - 2.0
    yield
    outcome.seconds = await stand.flowing()
    await asyncio.sleep(SETTLE_S)
    outcome.lost = stand.lost(begun)
    # a second that has begun counts
    outcome.allowed = (_whole(absent_s[0]), _whole(absent_s[1]))
    outcome.told = stand.told_since(mark)
    outcome.unaccounted = await stand.unaccounted()
    outcome.lost_results = stand.lost_results()


def _whole(seconds: float) -> int:
    return int(seconds) + 2 if seconds else 0


# ---- connections


def _cable(state: Cable, for_s: float, which: str = "both", cut: bool = False) -> Run:
    async def run(stand: Stand, outcome: Outcome) -> None:
        cables = {"plc": [stand.plc_cable], "broker": [stand.broker_cable], "both": [stand.plc_cable, stand.broker_cable]}[
            which
        ]
        async with _measured(stand, outcome):
            for cable in cables:
                cable.become(state)
                if cut:
                    cable.cut()
            await asyncio.sleep(for_s)
            for cable in cables:
                cable.become(Cable.SOUND)

    return run


async def _server_restart(stand: Stand, outcome: Outcome) -> None:
    begun = time.monotonic()
    gone = [0.0, 0.0]
    async with _measured(stand, outcome):
        await stand.server.kill()
        await asyncio.sleep(3.0)
        await stand.server.start()
    # what the machines did while their server was gone nobody has seen; the simulator is the MQTT side, too
    gone[0] = time.monotonic() - begun
    outcome.allowed = _whole(gone[0]), _whole(gone[0]) if stand.is_simulator else 0
    outcome.remark = "the server is a process that is killed: its values of that time exist nowhere"


async def _broker_restart(stand: Stand, outcome: Outcome) -> None:
    async with _measured(stand, outcome):
        begun = time.monotonic()
        await stand.broker.stop()
        await asyncio.sleep(2.0)
        await stand.broker.start()
        gone = time.monotonic() - begun
    # and until the publisher has noticed
    outcome.allowed = 0, _whole(gone + 2.0)
    outcome.remark = "what a publisher says while there is no broker is that publisher's to keep"


def _broker_away(for_s: float) -> Run:
    async def run(stand: Stand, outcome: Outcome) -> None:
        """The edge's cable to the broker is gone: the broker keeps what comes for it, and the journal what leaves it."""
        async with _measured(stand, outcome):
            stand.broker_cable.become(Cable.REFUSED)
            stand.broker_cable.cut()
            await asyncio.sleep(for_s)
            stand.broker_cable.become(Cable.SOUND)
        outcome.remark = f"{for_s:.0f} s; the broker keeps the session, the journal the results"

    return run


# ---- what a server does otherwise


def _chaos(kind: str, for_s: float, amount: float | None = None, absent: bool = False) -> Run:
    async def run(stand: Stand, outcome: Outcome) -> None:
        begun = time.monotonic()
        async with _measured(stand, outcome):
            stand.chaos(kind, for_s)
            await asyncio.sleep(for_s)
        if absent:
            outcome.allowed = _whole(time.monotonic() - begun), 0

    return run


async def _clock_jump(stand: Stand, outcome: Outcome) -> None:
    async with _measured(stand, outcome):
        stand.chaos("clock-jump", 10.0, 3600.0)
        await asyncio.sleep(10.0)
    # times of reception are no whole seconds: two may fall into one
    outcome.allowed = 2, 2
    outcome.remark = "times of reception stand in for an hour that is wrong"


async def _bad_messages(stand: Stand, outcome: Outcome) -> None:
    topic = "plant/pump-101"
    kinds = (
        b"",
        b"{",
        b"\xff\xfe",
        b'{"vibration": "much"}',
        b'{"vibration": NaN}',
        b"[" * 200,
        b'{"time": "never"}',
        b"{}" * 5000,
    )
    async with _measured(stand, outcome):
        for number in range(15 * BAD_PER_S):
            stand.publish(topic, kinds[number % len(kinds)])
            if number % 10 == 9:
                await asyncio.sleep(10 / BAD_PER_S)
    outcome.remark = f"{BAD_PER_S} a second for 15 s"


# ---- the edge itself


def _kills(number: int) -> Run:
    async def run(stand: Stand, outcome: Outcome) -> None:
        moments = random.Random(7)  # noqa: S311  # moments to die at
        longest = 0.0
        async with _measured(stand, outcome):
            for _ in range(number):
                await asyncio.sleep(moments.uniform(0.0, 2.5))
                await stand.edge.kill()
                await stand.edge.start()
                longest = max(longest, await stand.flowing())
        # what was taken from the broker and had not been written when the kill came; a server with a history gives it again
        outcome.allowed = 0, number
        journal = stand.home / "edge" / "journal.sqlite"
        with contextlib.closing(sqlite3.connect(journal)) as db:
            first, last, count = db.execute("SELECT min(seq), max(seq), count(*) FROM entry").fetchone()
        if last - first + 1 != count:
            outcome.problem = f"the journal has {count} results for the numbers {first} to {last}"
        if stand.twice:
            outcome.problem = f"{stand.twice} results came with two contents"
        outcome.seconds = longest
        outcome.remark = f"{number} kills, each may cost a second of raw values; every file opens; the longest return is shown"

    return run


async def _failing_writes(stand: Stand, outcome: Outcome) -> None:
    async with _measured(stand, outcome):
        _, hard = resource.prlimit(stand.edge.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(stand.edge.pid, resource.RLIMIT_FSIZE, (0, hard))
        await asyncio.sleep(12.0)
        said = await _said_without_a_disk(stand)
        resource.prlimit(stand.edge.pid, resource.RLIMIT_FSIZE, (hard, hard))
    # the recorder says how much it could not write; results wait in memory
    outcome.allowed = 16, 16
    outcome.told = [*said, *outcome.told]
    outcome.remark = "no write to any file succeeds for 12 s: raw samples of that time are not recorded, results wait"
    if not stand.edge.runs:
        outcome.problem = "the edge ended"


async def _said_without_a_disk(stand: Stand) -> list[str]:
    """What is told while no log can be written: by `/readyz` and in the status."""
    journal = [line for line in (await stand.ask("/readyz")).splitlines() if "journal" in line]
    recording = (stand.status.get("recording") or {}).get("problem")
    return journal + ([recording] if recording else [])


async def _full_disk(stand: Stand, outcome: Outcome) -> None:
    ballast = stand.home / "ballast"
    async with _measured(stand, outcome):
        free = shutil.disk_usage(stand.home).free
        _fill(ballast, free)
        await asyncio.sleep(12.0)
        said = await _said_without_a_disk(stand)
        ballast.unlink()
    outcome.allowed = 16, 16
    outcome.told = [*said, *outcome.told]
    outcome.remark = "the disk has no byte left for 12 s: raw samples of that time are not recorded, results wait"
    if not stand.edge.runs:
        outcome.problem = "the edge ended"


def _fill(path: Path, n_bytes: int) -> None:
    chunk = bytes(1 << 20)
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while n_bytes > 0 and file.write(chunk):
            n_bytes -= len(chunk)
        while file.write(b"\0" * 512):
            pass


async def _bit_flips(stand: Stand, outcome: Outcome) -> None:
    """Bits of results are changed while the edge is away, as a bad disk does."""
    await wait_for("some results", lambda: len(stand.results) > 40)
    async with _measured(stand, outcome):
        await stand.edge.stop()
        folder = stand.home / "edge"
        with contextlib.closing(sqlite3.connect(folder / "journal.sqlite")) as db:
            (last,) = db.execute("SELECT max(seq) FROM entry").fetchone()
            for seq in range(last - 20, last - 10):
                (payload,) = db.execute("SELECT payload FROM entry WHERE seq = ?", (seq,)).fetchone()
                changed = bytearray(payload)
                changed[len(changed) // 2] ^= 4
                db.execute("UPDATE entry SET payload = ? WHERE seq = ?", (bytes(changed), seq))
            # the broker is to get them again
            db.execute("UPDATE fact SET content = CAST(? AS BLOB), crc = NULL WHERE name = 'published'", (str(last - 25),))
            db.commit()
        before = {key: payload for key, payload in stand.results.items() if key[1] > last - 25}
        await stand.edge.start()
    wrong = sum(stand.results[key] != payload for key, payload in before.items())
    if wrong or stand.twice:
        outcome.problem = f"{wrong + stand.twice} results came with another content"
    if not any("not what was written" in line for line in outcome.told):
        outcome.problem = "nobody was told"
    # the edge was away as long as it takes to start
    outcome.allowed = 0, 1
    outcome.remark = "10 results; none is said with another content"


def all_drills(kills: int, away_s: float) -> list[Drill]:
    """In the order in which they are done."""
    return [
        Drill("server-restart", "the OPC UA server is killed and started again", _server_restart),
        Drill(
            "removed-node", "a node is deleted, and another of its name comes", _chaos("removed-node", 8.0, absent=True), True
        ),
        Drill("changed-namespace", "restarts move a namespace's index", _chaos("changed-namespace", 8.0, absent=True), True),
        Drill("bad-status", "values with bad and uncertain status", _chaos("bad-status", 8.0, absent=True), True),
        Drill("clock-jump", "the source's clock jumps by an hour", _clock_jump, True),
        Drill("silent-connection", Cable.HALF_OPEN.value, _cable(Cable.HALF_OPEN, 12.0)),
        Drill("cut-connection", "all connections are cut without a word", _cable(Cable.REFUSED, 3.0, cut=True)),
        Drill("cut-short", Cable.CUT_SHORT.value, _cable(Cable.CUT_SHORT, 8.0)),
        Drill("dripping", Cable.DRIPPING.value, _cable(Cable.DRIPPING, 10.0)),
        Drill("packet-loss", Cable.LOSSY.value, _cable(Cable.LOSSY, 20.0)),
        Drill("broker-restart", "the broker is stopped and started again", _broker_restart),
        Drill("broker-away", "the way to the broker is gone", _broker_away(away_s)),
        Drill("bad-messages", "messages that cannot be read, between the good ones", _bad_messages),
        Drill("kill", "kill -9 of the edge at random moments", _kills(kills)),
        Drill("failing-writes", "every write to a file fails", _failing_writes),
        Drill("full-disk", "the disk is full", _full_disk),
        Drill("bit-flips", "a disk changes bits in the journal", _bit_flips),
    ]


async def perform(drill: Drill, folder: Path, server: str) -> Outcome:
    """Build a stand, do it, and say what came of it."""
    outcome = Outcome(drill.name, drill.what)
    if drill.simulator and server:
        outcome.skipped = "only the simulator can misbehave so"
        return outcome
    async with contextlib.AsyncExitStack() as stack:
        home = None
        if drill.name == "full-disk":
            home = folder / "small-disk"
            home.mkdir(parents=True)
            if (why := await _mount(home)) is not None:
                outcome.skipped = f"a disk of its own cannot be made here: {why}"
                return outcome
            stack.push_async_callback(_said, "umount", str(home))
        try:
            async with Stand(folder / "stand", server, home=home) as stand:
                await drill.run(stand, outcome)
        except DrillError as error:
            outcome.problem = str(error)
        except Exception as error:
            # one that goes wrong does not cost the results of the others
            outcome.problem = f"the drill itself failed: {type(error).__name__}: {error}"
    # where the stand was is of no interest, and another place each time
    outcome.told = [line.replace(str(home or folder / "stand" / "home"), "KULLAGER_HOME") for line in outcome.told]
    return outcome


async def _mount(folder: Path) -> str | None:
    """A small disk there; why not, where it cannot be had."""
    try:
        return await _said("mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "drill", str(folder))
    except OSError as error:
        return str(error)


async def _said(*command: str) -> str | None:
    """What a command complains of; None where it did what it should."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    return None if process.returncode == 0 else said.decode(errors="replace").strip() or f"{command[0]} refuses"
