"""A running api, and what tests need to talk to it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from api.server import Settings, listen, serve
from edge.contracts.plant_file import load_plant
from tests.api.described_answers import as_described
from tests.conftest import PLAIN_HTTP

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
TOKEN = "the-operator-of-the-tests"  # noqa: S105  # a test's
ENGINEER_TOKEN = "the-engineer-of-the-tests"  # noqa: S105
ADMIN_TOKEN = "the-admin-of-the-tests"  # noqa: S105
T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]], limit_s: float = LIMIT_S) -> T:
    """The first true answer of `look`."""
    last: Any = None
    try:
        async with asyncio.timeout(limit_s):
            while not (last := await look()):  # noqa: ASYNC110  # what is waited for is in another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"did not come true within {limit_s} s; the last answer was {last!r}") from None
    return last  # type: ignore[no-any-return]


@dataclass(frozen=True)
class StreamEvent:
    kind: str
    event_id: int
    data: str


class RunningApi:
    """Start and stop it as often as a test needs; its state stays in `home`. This one is a task beside the test."""

    def __init__(self, plant: Path, port: int, home: Path, **environment: str) -> None:
        self.plant, self.port, self.home, self.url = plant, port, home, f"http://127.0.0.1:{port}"
        self.host = "127.0.0.1"
        given = {"OPERATOR": TOKEN, "ENGINEER": ENGINEER_TOKEN, "ADMIN": ADMIN_TOKEN}
        tokens = {f"KULLAGER_{role}_TOKEN": token for role, token in given.items()}
        self.environment = {"KULLAGER_HOME": str(home), **tokens, **environment}
        self.client = httpx.AsyncClient(
            base_url=self.url,
            timeout=LIMIT_S,
            trust_env=False,
            verify=PLAIN_HTTP,
            event_hooks={"response": [as_described]},
        )
        self.operator = {"Authorization": f"Bearer {TOKEN}"}
        self.engineer = {"Authorization": f"Bearer {ENGINEER_TOKEN}"}
        self.admin = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        plant = load_plant(self.plant, self.environment)
        settings = Settings.load(plant, self.environment)
        self._stop = asyncio.Event()
        listener = listen(self.host, self.port)
        self._task = asyncio.create_task(serve(plant, settings, listener, self._stop), name="the api")
        await until(self._is_up)

    async def stop(self) -> None:
        if self._task is not None:
            self._stop.set()
            await asyncio.wait_for(self._task, LIMIT_S)
            self._task = None

    async def close(self) -> None:
        await self.client.aclose()
        await self.stop()

    async def _is_up(self) -> bool:
        assert self._task is None or not self._task.done(), self._task
        try:
            return (await self.client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    async def get(self, path: str, **parameters: str | int) -> Any:
        answer = await self.client.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.client.post(f"/api/v1{path}", json=body, headers=self.operator)

    async def status(self) -> Any:
        return await self.get("/status")

    async def numbers(self, asset: str = "pump-101") -> list[int]:
        """The journal numbers of all assessments of an asset."""
        items = (await self.get(f"/assets/{asset}/assessments", points=10_000))["items"]
        return [item["seq"] for item in items]

    async def until_connected(self) -> None:
        """What is sent without being retained is heard from now on."""

        async def look() -> bool:
            return bool((await self.status())["broker"]["connected"])

        await until(look)

    async def until_edges(self, *names: str) -> None:
        """The api has heard the status of these edges; that it has their results says nothing of it."""

        async def look() -> bool:
            return {edge["edge"] for edge in (await self.status())["edges"]} >= set(names)

        await until(look)

    async def until_contiguous(self, number: int) -> Any:
        async def look() -> Any:
            status = await self.status()
            reached = [journal["contiguous"] for journal in status["journals"]]
            return status if reached and max(reached) >= number else None

        return await until(look)

    @asynccontextmanager
    async def stream(self, last_event_id: int | None = None) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        async with self.client.stream("GET", "/api/v1/stream", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            assert (await anext(lines)).startswith(":")
            events = _events(lines)
            try:
                yield events
            finally:
                await events.aclose()


class ApiProcess(RunningApi):
    """The same as `python -m api run`, a process of its own."""

    def __init__(self, plant: Path, port: int, home: Path, **environment: str) -> None:
        super().__init__(plant, port, home, **environment)
        self.log = home.parent / "api.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        arguments = [sys.executable, "-W", "error", "-m", "api", "run", "--plant", str(self.plant), "--port", str(self.port)]
        with self.log.open("ab") as log:
            # its end is waited for in a thread
            self._process = subprocess.Popen(  # noqa: ASYNC220
                arguments, cwd=ROOT, env={**os.environ, **self.environment}, stderr=log
            )
        await until(self._is_up)

    async def end(self, number: signal.Signals) -> int:
        """Its exit code after this signal."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(number)
        return await asyncio.to_thread(process.wait, LIMIT_S)

    async def stop(self) -> None:
        if self._process is not None:
            await self.end(signal.SIGTERM)

    async def close(self) -> None:
        await self.client.aclose()
        if self._process is not None:
            await self.end(signal.SIGKILL)

    async def _is_up(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the api ended at its start with {code}:\n{self.log.read_text()}"
        return await super()._is_up()


async def _events(lines: AsyncIterator[str]) -> Any:
    fields: dict[str, str] = {}
    async for line in lines:
        if line and not line.startswith(":"):
            key, _, value = line.partition(": ")
            fields[key] = value
        elif "data" in fields:
            yield StreamEvent(fields["event"], int(fields["id"]), fields["data"])
            fields = {}


async def take(events: AsyncIterator[StreamEvent], count: int) -> list[StreamEvent]:
    async with asyncio.timeout(LIMIT_S):
        return [await anext(events) for _ in range(count)]
