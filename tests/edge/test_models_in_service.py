"""A model comes by command, scores in shadow, is promoted, put back or withdrawn: no instant is missed."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import itertools
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge.contracts.alarm import Alarm, AlarmState
from edge.contracts.assessment import Assessment
from edge.contracts.audit import ModelAudit, ModelStep
from edge.contracts.command import ModelCommand, ModelVerb
from edge.contracts.errors import ModelError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import SampleBatch
from edge.model_fetch import fetch, fetch_aside
from edge.models_in_service import CommandRefused, ModelsInService
from edge.pipeline import OnnxModel, Pipeline
from edge.state_detection import deadline, watch
from models.signing import make_keys
from tests.edge.conftest import PLANT, tensor
from tests.edge.hostile_models import CASES, loops, press

S = 1_000_000_000
START = 1_700_000_000 * S
SPEED, FORCE, RECIPE = 0, 1, 2

MakePlant = Callable[..., Plant]


# -- models: each with a score that is easy to tell --------------------------------------------------------------------------


def golden(score: float, n_samples: int = 3, **inputs: np.ndarray) -> dict[str, Any]:
    """Vectors of windows of a force of 5."""
    window = np.tile(np.float32([[100, 5]]), (2, n_samples, 1))
    return {
        "inputs": {"window": tensor(window), **{name: tensor(value) for name, value in inputs.items()}},
        "outputs": {"score": tensor(np.float32([score] * 2))},
    }


def times(factor: float, version: str, *, n_samples: int = 3, **spec: object) -> bytes:
    """The mean force in a window of `n_samples`, times a factor."""
    return press(
        "score = Mul(mean_force, factor)",
        inputs=f"float[n, {n_samples}, 2] window",
        constants={"factor": np.array(factor, np.float32)},
        golden=golden(5 * factor, n_samples),
        n_samples=n_samples,
        version=version,
        **spec,
    ).SerializeToString()


def by_recipe(codes: list[str], version: str, *, n_samples: int = 3) -> bytes:
    """A tenth of the mean force, and the model's number of the recipe."""
    return press(
        "plain = Mul(mean_force, tenth) code = ReduceSum<keepdims = 0>(context, axis_1) score = Add(plain, code)",
        inputs=f"float[n, {n_samples}, 2] window, float[n, 1] context",
        golden=golden(0.5, n_samples, context=np.zeros((2, 1), np.float32)),
        n_samples=n_samples,
        version=version,
        context=[{"name": "recipe", "codes": codes}],
    ).SerializeToString()


# for a force of 200 or more it looks where there is nothing
FAILS = """
    top = ReduceMax<keepdims = 0>(column)
    level = Mul(top, hundredth)
    is_missing = IsNaN(level)
    known_level = Where(is_missing, zero, level)
    place = Cast<to = 7>(known_level)
    picked = Gather(pair, place)
    nought = Mul(picked, zero)
    plain = Mul(mean_force, tenth)
    score = Add(plain, nought)
"""


def failing(version: str = "fails") -> bytes:
    stored = {"hundredth": np.array(0.01, np.float32), "pair": np.zeros(2, np.float32)}
    return press(FAILS, constants=stored, version=version).SerializeToString()


# -- a site ------------------------------------------------------------------------------------------------------------------


class Clock:
    """Processor seconds: each look at it costs `step`."""

    def __init__(self) -> None:
        self.now, self.step = 0.0, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Edge:
    """An edge's models and pipeline, without its sockets; `start` again is a restart. Signs with a key that it trusts."""

    def __init__(self, plant: Plant, home: Path, trained: bytes | None) -> None:
        self.plant, self.home, self.clock = plant, home, Clock()
        self.told: list[ModelAudit] = []
        self.assessments: list[Assessment] = []
        self.alarms: list[Alarm] = []
        self._command = 0
        (home / "models").mkdir(parents=True)
        (home / "edge" / "model-keys").mkdir(parents=True)
        (home / "edge" / "incoming").mkdir()
        if trained is not None:
            self.train(trained)
        self.key = home / "team.key"
        make_keys(self.key).rename(home / "edge" / "model-keys" / "team.pem")
        self.start()

    def start(self, plant: Plant | None = None) -> list[str]:
        """Gives the assets that begin anew."""
        state = {key: a.copy() for key, a in self.pipeline.state().items()} if hasattr(self, "pipeline") else None
        reached = self.pipeline.reached if state is not None else []
        self.plant = plant or self.plant
        self.models = ModelsInService(self.plant, self.home, self.told.append)
        self.pipeline = Pipeline(self.plant, self.models.champions, clock=self.clock)
        self.models.serve(self.pipeline)
        return self.pipeline.restore(state, reached) if state is not None else []

    def train(self, content: bytes) -> None:
        (self.home / "models" / "press.onnx").write_bytes(content)

    def feed(self, force: list[float], *, recipe: str | None = None, speed: float = 100.0) -> list[Assessment]:
        """One instant each, and the look that follows every second; the assessments that are new."""
        first = len(self.assessments)
        for value in force:
            now = self.time
            samples = [(SPEED, speed), (FORCE, value)]
            if recipe is not None:
                samples.append((RECIPE, self.pipeline.texts[RECIPE].code(recipe)))
            self.pipeline.feed(SampleBatch.of([s for s, _ in samples], [now] * len(samples), [v for _, v in samples]))
            results = self.pipeline.advance(now + round(self.plant.assets["press-1"].lateness_s * S) + 1)
            self.assessments += results.assessments
            self.alarms += results.alarms
            self.models.look()
            self.time += S
        return self.assessments[first:]

    time = START

    def order(self, verb: ModelVerb, **more: str) -> ModelCommand:
        self._command += 1
        command = ModelCommand(command_id=str(self._command), by="anna", time=self._command, name="press", **more)
        self.models.command(verb, command)
        return command

    def signed(self, content: bytes) -> str:
        key: Any = load_pem_private_key(self.key.read_bytes(), None)
        return base64.b64encode(key.sign(content)).decode()

    async def bring(self, content: bytes, **others: str) -> ModelAudit:
        """Send a model by a file in `incoming`; the step that came of it."""
        path = self.home / "edge" / "incoming" / "model.onnx"
        path.write_bytes(content)
        said = {"url": path.as_uri(), "sha256": sha(content), "signature": self.signed(content)} | others
        self.order(ModelVerb.MODEL, **said)
        await self.models.settled()
        return self.told[-1]

    def put_in_shadow(self, content: bytes) -> None:
        """Without a trial, as a model would be that has got through one."""
        registry = self.models.registry
        registry.put("press", replace(registry.of("press"), shadow=registry.keep(content), shadow_since=1))
        self.start()

    def promote(self) -> None:
        self.order(ModelVerb.PROMOTE)

    @property
    def steps(self) -> list[tuple[str, str | None]]:
        return [(step.step.value, step.version) for step in self.told]

    @property
    def files(self) -> set[str]:
        return {path.stem for path in (self.home / "edge" / "models").glob("*.onnx")}

    def check_each_instant_once(self) -> None:
        instants = [(found.time - START) // S for found in self.assessments]
        assert instants == list(range(len(instants)))


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def scores(found: list[Assessment]) -> list[float | None]:
    return [None if a.score is None else round(float(a.score), 4) for a in found]


def reasons(found: list[Assessment]) -> list[str | None]:
    return [a.reason.value if a.reason else None for a in found]


ONE, TWO = times(0.1, "1"), times(0.2, "2")


@pytest.fixture
def edge(make_plant: MakePlant, tmp_path: Path) -> Edge:
    return Edge(make_plant(), tmp_path / "home", ONE)


@pytest.fixture
def recipe_plant(tmp_path: Path) -> Plant:
    """Two presses, whose recipe conditions their model."""
    path = tmp_path / "recipes.toml"
    text = PLANT.format(lateness=0.5, more="").replace("[assets.press-1]", '[assets.press-1]\ncontext = ["recipe"]')
    text += 'recipe = { unit = "1", source = "plc", node = "nsu=urn:x;s=recipe", stale_s = 100.0 }\n'
    head, machine = text.split("[assets.press-1]", 1)
    path.write_text(head + "[assets.press-1]" + machine + "[assets.press-2]" + machine.replace("press-1", "press-2"))
    return load_plant(path)


# -- fetching ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "served"
    made.mkdir()
    return made


@pytest.fixture
def files_at(folder: Path) -> Iterator[str]:
    """The address of a real HTTP server with a folder of files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


Answer = Callable[[asyncio.StreamWriter, asyncio.Event], Awaitable[None]]


@contextlib.asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """The address of a server that takes one request, and answers as no server should, until the test is over."""
    over, taken = asyncio.Event(), set[asyncio.Task[None]]()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.update({task} if (task := asyncio.current_task()) else ())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer, over)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/model.onnx"
        over.set()
        await asyncio.gather(*taken)


def saying(*parts: bytes, then_hang: bool = False, again: bool = False) -> Answer:
    async def answer(writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        while again and not over.is_set():
            writer.write(parts[-1])
            await writer.drain()
            await asyncio.sleep(0.0 if len(parts[-1]) > 1 else 0.02)
        if then_hang:
            await over.wait()

    return answer


async def fetched(url: str, folder: Path) -> bytes:
    return await asyncio.to_thread(fetch, url, folder, silent_s=0.3, within_s=1.0)


async def test_a_file_is_fetched_over_http_and_from_the_folder_of_incoming_ones(files_at: str, folder: Path) -> None:
    (folder / "a model.onnx").write_bytes(ONE)
    assert await fetch_aside(f"{files_at}/a%20model.onnx?of=today#part", folder) == ONE
    assert await fetch_aside((folder / "a model.onnx").as_uri(), folder) == ONE


async def test_what_comes_without_a_length_or_in_chunks_is_whole(folder: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\n"
    for answer in (
        saying(head + b"\r\n", b"mod", b"el"),
        saying(head + b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nmod\r\n", b"2\r\nel\r\n0\r\n\r\n"),
        # who keeps the connection open is not waited for
        saying(head + b"Content-Length: 5\r\n\r\nmodel", then_hang=True),
    ):
        async with answering(answer) as url:
            assert await fetched(url, folder) == b"model"


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "answers 404 Not Found"),
        (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), "answers 204 No Content"),
        (
            saying(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/other\r\nContent-Length: 0\r\n\r\n"),
            "leads on to http://127.0.0.1:1/other; name that address instead",
        ),
        (saying(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "leads on to another address"),
        (saying(then_hang=True), r"says nothing for 0\.3 s"),
        (saying(OK + b"Content-Length: 9\r\n\r\nmod", then_hang=True), r"says nothing for 0\.3 s"),
        (saying(OK + b"X-", b"x", again=True), "takes too long, and was given up"),
        (saying(OK + b"Content-Length: 999999\r\n\r\n", b"x", again=True), "takes too long, and was given up"),
        (saying(OK + b"Content-Length: 9\r\n\r\nmod"), "breaks off after 3 bytes"),
        (saying(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nmod"), "breaks off after"),
        (saying(b""), "cannot be fetched: Remote end closed connection without response"),
        (saying(b"hello\r\n\r\n"), "cannot be fetched: hello"),
        (saying(OK + b"A: 1\r\n" * 200 + b"\r\n"), "cannot be fetched: got more than 100 headers"),
        (saying(OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n"), "cannot be fetched: got more than 65536 bytes"),
        (saying(OK + b"\r\n", b"x" * (1 << 20), again=True), "has more than 67108864 bytes"),
    ],
)
async def test_whatever_a_server_does_it_is_told_in_a_sentence(answer: Answer, words: str, folder: Path) -> None:
    # a server that sends much is not silent, however busy the machine is
    silent_s, within_s = (30.0, 60.0) if "67108864" in words else (0.3, 1.0)
    async with answering(answer) as url:
        with pytest.raises(ModelError, match=words) as refused:
            await asyncio.to_thread(fetch, url, folder, silent_s=silent_s, within_s=within_s)
    assert url in str(refused.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1/model.onnx", "should begin with http://, https:// or file://"),
        ("data:,model", "should begin with"),
        ("http:///model.onnx", "should begin with"),
        ("", "should begin with"),
        ("http://[", "no address that can be fetched"),
        ("http://127.0.0.1:port/", "no address that can be fetched"),
        ("http://127.0.0.1:99999/", "no address that can be fetched"),
        ("http://127.0.0.1:1/ü", "no address that can be fetched"),
        ("http://127.0.0.1:1/a b", "cannot be fetched: URL can't contain control characters"),
        ("http://127.0.0.1:1/model.onnx", "cannot be fetched: .*refused"),
        ("http://" + "x" * 300 + "/", "no address that can be fetched"),
        ("http://anna:hunter2@127.0.0.1:1/", "should hold no user or password"),
        ("file:///%00", "no address that can be fetched"),
        ("file:///etc/hostname", "only files below"),
        ("file:model.onnx", "only files below"),
    ],
)
async def test_what_is_no_address_is_told_in_a_sentence(url: str, words: str, folder: Path) -> None:
    with pytest.raises(ModelError, match=words) as refused:
        await fetch_aside(url, folder)
    assert "hunter2" not in str(refused.value)


async def test_only_files_below_the_folder_of_incoming_ones_can_be_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "round").symlink_to(folder / "round")
    os.mkfifo(folder / "pipe")
    with (folder / "large").open("wb") as file:
        file.truncate((64 << 20) + 1)
    for name, words in (
        ("../secret", "only files below"),
        ("%2e%2e/secret", "only files below"),
        ("link", "only files below"),
        ("round", "cannot be read"),
        ("none", "cannot be read: No such file or directory"),
        ("pipe", "is no regular file"),
        ("", "is no regular file|Is a directory"),
        ("large", "has more than 67108864 bytes"),
    ):
        with pytest.raises(ModelError, match=words):
            fetch(f"{folder.as_uri()}/{name}", folder)


async def test_an_edge_that_is_stopped_does_not_wait_for_a_server_that_hangs(edge: Edge) -> None:
    asked = asyncio.Event()

    async def answer(_: asyncio.StreamWriter, over: asyncio.Event) -> None:
        asked.set()
        await over.wait()

    async with answering(answer) as url:
        command = edge.order(ModelVerb.MODEL, url=url, sha256=sha(TWO), signature="x")
        await asked.wait()
        edge.models.command(ModelVerb.MODEL, command)
        with pytest.raises(CommandRefused, match="another model is being tried; try again in a minute"):
            edge.order(ModelVerb.MODEL, url=url, sha256=sha(ONE), signature="x")
        edge.models.cancel()
        edge.models.cancel()
        await edge.models.settled()
    # `asyncio.run` ends without waiting for it
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "model fetch")
    (step,) = edge.told
    assert (step.step, step.reason) == (
        ModelStep.REFUSED,
        "the edge was stopped before the trial was over; send it again",
    )


# -- refused -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"sha256": sha(b"another")}, f"its sha256 is {sha(TWO)}, not '{sha(b'another')}' as the command says"),
        ({"sha256": "åäö"}, "not 'åäö' as the command says"),
        ({"sha256": ""}, "not '' as the command says"),
        ({"signature": base64.b64encode(bytes(64)).decode()}, "of none of the trusted keys (team)"),
        ({"signature": "åäö"}, "its signature is not base64"),
        ({"signature": ""}, "is not signed"),
        ({"url": "http://["}, "is no address that can be fetched"),
    ],
)
async def test_what_is_not_as_the_command_says_is_refused_and_the_champion_goes_on(
    edge: Edge, others: dict[str, str], words: str
) -> None:
    edge.feed([5.0] * 4)
    step = await edge.bring(TWO, **others)
    assert (step.step, step.name, step.by, step.edge) == (ModelStep.REFUSED, "press", "anna", "edge-1")
    assert words in (step.reason or "")
    assert scores(edge.feed([5.0] * 2)) == [0.5, 0.5]
    assert edge.models.status()["press"].shadow is None
    assert edge.files == set()


async def test_without_a_key_nobody_is_trusted(edge: Edge) -> None:
    (edge.home / "edge" / "model-keys" / "team.pem").unlink()
    step = await edge.bring(TWO)
    assert step.reason == "no model is trusted: there is no public key (*.pem) in KULLAGER_HOME/edge/model-keys"


@pytest.mark.parametrize("name", ["loop-endless", "random-noise", "depends-on-neighbours"])
async def test_a_signed_model_that_its_trial_refuses_never_scores(edge: Edge, name: str, tmp_path: Path) -> None:
    edge.feed([5.0] * 4)
    made = CASES[name].make(tmp_path)
    step = await edge.bring(made if isinstance(made, bytes) else made.SerializeToString())
    assert (step.step, step.key) == (ModelStep.REFUSED, "team")
    assert CASES[name].words in (step.reason or "")
    assert scores(edge.feed([5.0])) == [0.5]
    # it may be sent again, and so may others
    assert (await edge.bring(TWO)).step is ModelStep.SHADOW


async def test_one_that_does_not_fit_the_plant_file_is_refused(edge: Edge) -> None:
    step = await edge.bring(times(0.2, "2", signals=[{"name": "speed", "unit": "/min"}, {"name": "load", "unit": "kN"}]))
    assert "needs the signal 'load'" in (step.reason or "")


async def test_a_model_that_cannot_be_kept_is_refused(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "press.onnx")

    monkeypatch.setattr("edge.model_registry._write", full)
    step = await edge.bring(TWO)
    assert (step.step, "No space left on device" in (step.reason or "")) == (ModelStep.REFUSED, True)
    assert edge.models.status()["press"].shadow is None


async def test_whatever_goes_wrong_in_a_trial_each_command_has_an_outcome(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no process")

    monkeypatch.setattr("edge.models_in_service.examine_content", broken)
    step = await edge.bring(TWO)
    assert (step.step, step.reason) == (ModelStep.REFUSED, "no process")


def test_a_name_that_no_asset_has_is_refused(edge: Edge) -> None:
    command = ModelCommand(command_id="1", by="anna", time=1, name="../../etc/passwd")
    for verb in ModelVerb:
        with pytest.raises(CommandRefused, match=r"no asset has the model '\.\./\.\./etc/passwd'; possible: press"):
            edge.models.command(verb, command)


# -- shadow and promotion ----------------------------------------------------------------------------------------------------


def stream(n: int, seed: int = 1) -> list[float]:
    return np.random.default_rng(seed).uniform(1, 12, n).round(1).tolist()


def fresh(edge: Edge, model: bytes, force: list[float], **more: Any) -> list[Assessment]:
    """What a pipeline that has had this model from the beginning says of the same data."""
    pipeline = Pipeline(edge.plant, {"press": OnnxModel.of(model, "fresh.onnx")})
    other = object.__new__(Edge)
    other.__dict__ |= edge.__dict__ | {"pipeline": pipeline, "time": START, "assessments": [], "alarms": []}
    return other.feed(force, **more)


def judged(found: list[Assessment]) -> list[object]:
    return [(a.time, a.score, a.reason, a.state, a.coverage, a.measured, a.model) for a in found]


async def test_a_model_comes_over_http_scores_in_shadow_and_is_promoted_without_missing_an_instant(
    edge: Edge, files_at: str, folder: Path
) -> None:
    (folder / "two.onnx").write_bytes(TWO)
    force = stream(40)
    edge.feed(force[:10])
    step = await edge.bring(TWO, url=f"{files_at}/two.onnx", sha256=sha(TWO).upper())
    assert (step.step, step.version, step.sha256, step.key, step.by) == (ModelStep.SHADOW, "2", sha(TWO), "team", "anna")
    in_shadow = edge.feed(force[10:20])
    assert {a.model.version for a in in_shadow if a.model} == {"1"}
    assert judged(in_shadow) == judged(fresh(edge, ONE, force[:20])[10:])
    shadow = edge.models.status()["press"].shadow
    assert shadow is not None
    ours, theirs = np.array(scores(in_shadow)), np.array(scores(fresh(edge, TWO, force[:20])[10:]))
    assert (shadow.version, shadow.instants, shadow.scored) == ("2", 10, 10)
    assert (shadow.anomalous, shadow.champion_anomalous) == ((theirs >= 1).sum(), (ours >= 1).sum())
    assert shadow.agreed == ((ours >= 1) == (theirs >= 1)).sum()
    assert shadow.difference == pytest.approx((theirs - ours).mean(), abs=1e-3)
    edge.promote()
    after = edge.feed(force[20:])
    assert judged(after) == judged(fresh(edge, TWO, force)[20:])
    edge.check_each_instant_once()
    status = edge.models.status()["press"]
    assert (status.version, status.sha256, status.previous, status.shadow, status.problem) == ("2", sha(TWO), 1, None, None)
    assert edge.steps == [("shadow", "2"), ("promoted", "2")]


@pytest.mark.parametrize("n_samples", [2, 7])
async def test_a_longer_or_shorter_window_fills_in_shadow(edge: Edge, n_samples: int) -> None:
    force, other = stream(40), times(0.2, "2", n_samples=n_samples, persistence=3)
    edge.feed(force[:10])
    assert (await edge.bring(other)).step is ModelStep.SHADOW
    assert judged(edge.feed(force[10:20])) == judged(fresh(edge, ONE, force[:20])[10:]), "a shadow has no say"
    edge.promote()
    assert judged(edge.feed(force[20:30])) == judged(fresh(edge, other, force[:30])[20:])
    edge.order(ModelVerb.ROLLBACK)
    assert judged(edge.feed(force[30:])) == judged(fresh(edge, ONE, force)[30:])
    edge.check_each_instant_once()


async def test_how_long_an_asset_may_be_silent_follows_the_champion_alone(edge: Edge) -> None:
    force = stream(30)
    # the largest force of the window: what is missing does not count
    nodes = """
        gap = IsNaN(column)
        known_force = Where(gap, zero, column)
        top = ReduceMax<keepdims = 0>(known_force, axis_1)
        score = Mul(top, tenth)
    """
    more = {"inputs": "float[n, 12, 2] window", "golden": golden(0.5, 12), "n_samples": 12, "min_coverage": 0.1}
    other = press(nodes, version="2", **more).SerializeToString()

    def with_gap(who: Edge) -> list[str | None]:
        who.time += 9 * S
        return reasons(who.feed(force[:5]))

    edge.feed(force)
    edge.put_in_shadow(other)
    edge.feed(force[:12])
    assert with_gap(edge)[-5:] == ["warming-up", "warming-up", None, None, None]
    edge.feed(force)
    edge.promote()
    edge.feed(force[:3])
    assert with_gap(edge)[-5:] == [None] * 5, "nine seconds are no silence to a window of twelve"


async def test_an_alarm_and_the_health_go_on_through_a_promotion(edge: Edge) -> None:
    edge.feed([5.0] * 5 + [20.0] * 5)
    (raised,) = edge.alarms
    before = edge.assessments[-1].health
    await edge.bring(TWO)
    edge.feed([20.0] * 2)
    edge.promote()
    after = edge.feed([20.0] * 5)
    edge.order(ModelVerb.ROLLBACK)
    after += edge.feed([20.0] * 5)
    assert edge.alarms == [raised]
    assert [alarm.alarm_id for alarm in edge.pipeline.alarms.open] == [raised.alarm_id]
    health = [before, *(a.health for a in after)]
    assert all(0 < earlier - later < 0.2 for earlier, later in itertools.pairwise(health))
    edge.feed([5.0] * 10)
    returned = edge.alarms[-1]
    assert (returned.alarm_id, returned.state) == (raised.alarm_id, AlarmState.RETURNED_UNACKNOWLEDGED)


async def test_the_anomaly_that_a_shadow_has_found_stays_found(edge: Edge) -> None:
    patient = times(0.2, "2", persistence=6)
    await edge.bring(patient)
    force = [6.0] * 10
    edge.feed(force[:8])
    edge.promote()
    found = edge.feed(force[8:])
    assert judged(found) == judged(fresh(edge, patient, force)[8:])
    assert {a.state.value for a in found} == {"anomalous"}


async def test_several_promotions_and_as_many_ways_back(edge: Edge) -> None:
    force, contents = stream(90), [times(0.1 * k, str(k)) for k in range(2, 6)]
    edge.feed(force[:5])
    for content in contents:
        await edge.bring(content)
        edge.feed(stream(3))
        edge.promote()
        edge.feed(stream(3))
    assert edge.models.status()["press"].previous == 4
    assert edge.files == {sha(content) for content in contents}
    for left, version in ((3, "4"), (2, "3"), (1, "2"), (0, "1")):
        edge.order(ModelVerb.ROLLBACK)
        (found,) = edge.feed([5.0])
        assert found.model is not None
        assert (found.model.version, found.reason, edge.models.status()["press"].previous) == (version, None, left)
    with pytest.raises(CommandRefused, match="there is no model before the one in service for 'press'"):
        edge.order(ModelVerb.ROLLBACK)
    assert edge.steps[-4:] == [("rolled-back", version) for version in ("4", "3", "2", "1")]
    assert edge.files == set(), "files that nobody needs are removed"
    edge.check_each_instant_once()


async def test_there_are_five_to_go_back_to_at_most(edge: Edge) -> None:
    contents = [times(0.1 * k, str(k)) for k in range(2, 10)]
    for content in contents:
        edge.put_in_shadow(content)
        edge.promote()
    assert edge.models.status()["press"].previous == 5
    assert edge.files == {sha(content) for content in contents[2:]}
    # one that was there before is not gone back to twice
    edge.put_in_shadow(contents[5])
    edge.promote()
    assert edge.models.registry.of("press").previous == tuple(sha(contents[k]) for k in (7, 6, 4, 3, 2))


async def test_a_shadow_is_dismissed_or_gives_way_to_another(edge: Edge) -> None:
    await edge.bring(TWO)
    await edge.bring(times(0.3, "3"))
    assert edge.files == {sha(times(0.3, "3"))}
    edge.order(ModelVerb.DISMISS)
    edge.order(ModelVerb.DISMISS)
    assert [(s.step.value, s.version, s.by, s.reason) for s in edge.told[1:]] == [
        ("withdrawn", "2", "anna", "in shadow: another takes its place"),
        ("shadow", "3", "anna", None),
        ("withdrawn", "3", "anna", "in shadow: dismissed"),
    ]
    assert edge.files == set()
    with pytest.raises(CommandRefused, match="there is no model in shadow for 'press'; send one first"):
        edge.promote()
    assert scores(edge.feed([5.0] * 4))[-1] == 0.5


# -- commands that come twice, or to nobody ----------------------------------------------------------------------------------


async def test_which_is_meant_can_be_said_by_its_hash(edge: Edge) -> None:
    await edge.bring(TWO)
    with pytest.raises(CommandRefused, match=f"in shadow for 'press' is {sha(TWO)}, not {sha(ONE[:-1])}"):
        edge.order(ModelVerb.PROMOTE, sha256=sha(ONE[:-1]))
    edge.order(ModelVerb.PROMOTE, sha256=sha(TWO).upper())
    edge.order(ModelVerb.PROMOTE, sha256=sha(TWO))
    with pytest.raises(CommandRefused, match=f"in service for 'press' is {sha(TWO)}, not {sha(ONE)}"):
        edge.order(ModelVerb.ROLLBACK, sha256=sha(ONE))
    edge.order(ModelVerb.ROLLBACK, sha256=sha(TWO))
    assert edge.steps == [("shadow", "2"), ("promoted", "2"), ("rolled-back", "1")]


async def test_a_command_that_comes_twice_is_carried_out_once(edge: Edge) -> None:
    three = times(0.3, "3")
    for content in (TWO, three):
        await edge.bring(content)
        brought = edge.told[-1]
        edge.feed([5.0] * 4)
        # the same model once more goes on where it is
        assert await edge.bring(content) is brought
        shadow = edge.models.status()["press"].shadow
        assert shadow is not None
        assert shadow.instants == 4
        promotion = edge.order(ModelVerb.PROMOTE)
    with pytest.raises(CommandRefused, match="this model is in service for 'press' already"):
        await edge.bring(three)
    back = edge.order(ModelVerb.ROLLBACK)
    steps = edge.steps
    for _ in range(2):
        edge.models.command(ModelVerb.ROLLBACK, back)
        edge.models.command(ModelVerb.PROMOTE, promotion)
        # not even after a restart
        edge.start()
    assert edge.steps == steps
    assert edge.models.status()["press"].version == "2"
    assert edge.models.status()["press"].previous == 1


# -- restarts ----------------------------------------------------------------------------------------------------------------


async def test_champion_shadow_and_those_before_survive_a_restart(edge: Edge) -> None:
    force, three = stream(40), times(0.3, "3", n_samples=5)
    edge.feed(force[:10])
    await edge.bring(TWO)
    edge.promote()
    await edge.bring(three)
    edge.feed(force[10:20])
    since = edge.models.registry.of("press").shadow_since
    assert edge.start() == [], "windows go on"
    status = edge.models.status()["press"]
    assert (status.version, status.previous) == ("2", 1)
    assert status.shadow is not None
    assert (status.shadow.version, status.shadow.since) == ("3", since)
    assert judged(edge.feed(force[20:30])) == judged(fresh(edge, TWO, force[:30])[20:])
    edge.promote()
    edge.start()
    assert judged(edge.feed(force[30:])) == judged(fresh(edge, three, force)[30:])
    edge.order(ModelVerb.ROLLBACK)
    edge.order(ModelVerb.ROLLBACK)
    assert scores(edge.feed([5.0] * 3))[-1] == 0.5
    edge.check_each_instant_once()


@pytest.mark.parametrize("n_samples", [2, 7])
async def test_an_edge_that_dies_right_after_a_promotion_keeps_its_windows(edge: Edge, n_samples: int) -> None:
    """The state on the disk is of the model before."""
    force, other = stream(40), times(0.2, "2", n_samples=n_samples)
    edge.feed(force[:20])
    saved, reached = {key: a.copy() for key, a in edge.pipeline.state().items()}, edge.pipeline.reached
    edge.put_in_shadow(other)
    edge.promote()
    edge.start()
    assert edge.pipeline.restore(saved, reached) == []
    after = edge.feed(force[20:])
    assert judged(after)[n_samples:] == judged(fresh(edge, other, force))[20 + n_samples :]
    assert reasons(after)[0] == (None if n_samples < 3 else "warming-up")
    # three instants were in the window: what a longer one lacks is what it waits for
    assert reasons(after).count("warming-up") == max(0, n_samples - 4)


async def test_a_damaged_registry_has_a_copy(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    await edge.bring(TWO)
    edge.promote()
    await edge.bring(times(0.3, "3"))
    path = edge.home / "edge" / "models" / "registry.json"
    whole = path.read_bytes()
    for damaged in (
        *(b"", b"\0" * 100, whole[:20], b"[]", b'{"press": 1}', b'{"press": {"champion": 5}}'),
        *(b'{"press": {"champion": "../../x"}}', b'{"press": {"previous": "abc"}}', b"\xff" + whole),
    ):
        path.write_bytes(damaged)
        edge.start()
        status = edge.models.status()["press"]
        assert (status.version, status.previous) == ("2", 1)
        assert status.shadow is not None
        assert str(path) in caplog.text
    steps = len(edge.told)
    path.write_bytes(b"")
    path.with_name("registry-copy.json").unlink()
    edge.start()
    assert edge.models.status()["press"].version == "1", "the file of training is what is left"
    (step,) = edge.told[steps:]
    assert step.step is ModelStep.WITHDRAWN
    assert "what served is lost" in (step.reason or "")
    assert str(path) in (step.reason or "")
    # and all works as before
    assert (await edge.bring(TWO)).step is ModelStep.SHADOW
    edge.start()
    assert edge.models.status()["press"].shadow is not None


async def test_of_a_damaged_file_the_last_good_one_serves(edge: Edge) -> None:
    three = times(0.3, "3")
    for content in (TWO, three):
        await edge.bring(content)
        edge.promote()
    edge.feed([5.0] * 4)
    (edge.home / "edge" / "models" / f"{sha(three)}.onnx").write_bytes(three[:-10] + bytes(10))
    assert edge.start() == []
    step = edge.told[-1]
    assert (step.step, step.sha256, step.by) == (ModelStep.WITHDRAWN, sha(three), "edge")
    assert "cannot be used" in (step.reason or "")
    assert scores(edge.feed([5.0] * 2)) == [1.0, 1.0]
    status = edge.models.status()["press"]
    assert (status.version, status.previous, status.problem) == ("2", 1, None)
    assert edge.files == {sha(TWO)}
    # another model in its place is not what was tried
    (edge.home / "edge" / "models" / f"{sha(TWO)}.onnx").write_bytes(three)
    edge.start()
    assert edge.models.status()["press"].version == "1"
    assert "is not what was tried" in (edge.told[-1].reason or "")
    n_steps = len(edge.told)
    edge.start()
    assert len(edge.told) == n_steps, "said once"


async def test_a_damaged_shadow_is_taken_out(edge: Edge) -> None:
    await edge.bring(TWO)
    (edge.home / "edge" / "models" / f"{sha(TWO)}.onnx").unlink()
    edge.start()
    step = edge.told[-1]
    assert (step.step, step.sha256) == (ModelStep.WITHDRAWN, sha(TWO))
    assert "there is no such model" in (step.reason or "")
    assert edge.models.status()["press"].shadow is None


async def test_a_file_that_is_trained_after_a_promotion_wins(edge: Edge) -> None:
    await edge.bring(TWO)
    edge.promote()
    edge.start()
    assert edge.models.status()["press"].version == "2"
    edge.train(times(0.4, "trained"))
    for _ in range(2):
        edge.start()
        assert edge.models.status()["press"].version == "trained"
    edge.order(ModelVerb.ROLLBACK)
    assert edge.models.status()["press"].version == "2"
    edge.start()
    assert edge.models.status()["press"].version == "2", "what an operator wants later is meant"


async def test_a_file_of_training_that_is_gone_replaces_nothing(edge: Edge) -> None:
    await edge.bring(TWO)
    edge.promote()
    (edge.home / "models" / "press.onnx").unlink()
    edge.start()
    assert edge.models.status()["press"].version == "2"
    assert edge.steps == [("shadow", "2"), ("promoted", "2")]


async def test_one_that_is_trained_where_there_was_none_wins_though_shadows_came_meanwhile(
    make_plant: MakePlant, tmp_path: Path
) -> None:
    edge = Edge(make_plant(), tmp_path / "home", None)
    assert "there is no such model" in (edge.models.status()["press"].problem or "")
    assert reasons(edge.feed([5.0] * 4)) == ["no-model"] * 4
    await edge.bring(TWO)
    edge.promote()
    assert edge.models.status()["press"].problem is None
    # the window was there all the time
    assert scores(edge.feed([5.0])) == [1.0]
    with pytest.raises(CommandRefused):
        edge.order(ModelVerb.ROLLBACK)
    edge.train(times(0.4, "trained"))
    await edge.bring(times(0.3, "3"))
    edge.start()
    assert edge.models.status()["press"].version == "trained"


async def test_a_plant_file_that_a_champion_does_not_fit_costs_it_nothing(edge: Edge, tmp_path: Path) -> None:
    await edge.bring(TWO)
    edge.promote()
    mistake = tmp_path / "mistake.toml"
    mistake.write_text(PLANT.format(lateness=0.5, more="").replace('unit = "kN"', 'unit = "N"'))
    good = edge.plant
    edge.start(load_plant(mistake))
    assert "expects 'force' in kN, the plant file says N" in (edge.models.status()["press"].problem or "")
    edge.start(good)
    assert edge.models.status()["press"].version == "2"
    assert edge.steps == [("shadow", "2"), ("promoted", "2")]


async def test_what_one_service_did_another_takes_over(edge: Edge) -> None:
    """With a changed plant file the second is made while the first still serves."""
    successor = ModelsInService(edge.plant, edge.home, edge.told.append)
    pipeline = Pipeline(edge.plant, successor.champions, clock=edge.clock)
    successor.serve(pipeline)
    edge.feed([5.0] * 4)
    await edge.bring(TWO)
    edge.promote()
    await edge.bring(times(0.3, "3"))
    steps = edge.steps
    successor.catch_up()
    pipeline.restore(edge.pipeline.state(), edge.pipeline.reached)
    edge.models, edge.pipeline = successor, pipeline
    assert scores(edge.feed([5.0] * 2)) == [1.0, 1.0]
    assert edge.steps == steps
    edge.promote()
    assert scores(edge.feed([5.0])) == [1.5]
    assert edge.files == {sha(TWO), sha(times(0.3, "3"))}


async def test_a_disk_that_is_full_stops_nothing(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await edge.bring(TWO)
    edge.feed([5.0] * 3)
    with monkeypatch.context() as patched:

        def full(path: Path, _: bytes) -> None:
            raise OSError(28, "No space left on device", str(path))

        patched.setattr("edge.model_registry._write", full)
        edge.promote()
        assert scores(edge.feed([5.0] * 5)) == [1.0] * 5
        edge.order(ModelVerb.ROLLBACK)
        assert scores(edge.feed([5.0])) == [0.5]
        assert caplog.text.count("cannot be written, and is tried again: No space left on device") == 1
        assert edge.files == {sha(TWO)}, "nothing is removed that the registry on the disk names"
    edge.feed([5.0])
    assert edge.files == set()
    edge.start()
    status = edge.models.status()["press"]
    assert (status.version, status.shadow) == ("1", None)


# -- texts -------------------------------------------------------------------------------------------------------------------


async def test_a_model_gets_the_texts_in_its_own_numbers(recipe_plant: Plant, tmp_path: Path) -> None:
    edge = Edge(recipe_plant, tmp_path / "home", by_recipe(["a", "b"], "1"))
    mine = functools.partial(_of, "press-1")
    assert scores(mine(edge.feed([5.0] * 4, recipe="b")))[-1] == 1.5
    edge.put_in_shadow(by_recipe(["b", "c", "a"], "2"))
    assert scores(mine(edge.feed([5.0] * 3, recipe="b"))) == [1.5] * 3
    shadow = edge.models.status()["press"].shadow
    assert shadow is not None
    assert (shadow.scored, shadow.difference) == (3, pytest.approx(-1.0))
    # it is the shadow that knows this one
    assert set(reasons(mine(edge.feed([5.0] * 4, recipe="c")))) == {"changeover", "unknown-recipe"}
    edge.promote()
    assert scores(mine(edge.feed([5.0], recipe="c"))) == [1.5]
    edge.feed([5.0] * 3, recipe="a")
    assert scores(mine(edge.feed([5.0], recipe="a"))) == [2.5]
    # texts are numbered as the new one does after a restart: what windows hold keeps its meaning
    assert edge.start() == []
    assert edge.pipeline.texts[RECIPE].texts[:3] == ("b", "c", "a")
    assert scores(mine(edge.feed([5.0], recipe="a"))) == [2.5]
    assert scores(mine(edge.feed([5.0] * 3, recipe="b"))) == [None, None, 0.5]
    edge.order(ModelVerb.ROLLBACK)
    assert scores(mine(edge.feed([5.0], recipe="b"))) == [1.5]


def _of(asset: str, found: list[Assessment]) -> list[Assessment]:
    return [a for a in found if a.asset == asset]


async def test_a_text_that_comes_later_to_one_asset_than_to_another_is_known(recipe_plant: Plant, tmp_path: Path) -> None:
    edge = Edge(recipe_plant, tmp_path / "home", None)
    first, second = edge.pipeline.texts[RECIPE], edge.pipeline.texts[RECIPE + 3]
    for text in ("x", "y", "z", "b"):
        first.code(text)
    second.code("x")
    edge.put_in_shadow(by_recipe(["b"], "1"))
    edge.promote()
    edge.feed([5.0] * 2)  # no text has come yet: nothing is known, and nothing fails
    found = []
    for asset in (0, 3):
        texts = edge.pipeline.texts[RECIPE + asset]
        for text in ("x", "b"):
            for _ in range(4):
                now = edge.time
                batch = SampleBatch.of(
                    [SPEED + asset, FORCE + asset, RECIPE + asset], [now] * 3, [100.0, 5.0, texts.code(text)]
                )
                edge.pipeline.feed(batch)
                found += edge.pipeline.advance(now + S).assessments
                edge.time += S
    for asset in ("press-1", "press-2"):
        assert 0.5 in scores(_of(asset, found)), asset


# -- what fails in service ---------------------------------------------------------------------------------------------------


async def test_a_model_that_fails_in_service_is_taken_out_and_the_last_good_one_scores_on(edge: Edge) -> None:
    edge.put_in_shadow(failing())
    edge.promote()
    edge.feed([5.0] * 5)
    found = edge.feed([250.0] * 8)
    assert reasons(found) == ["no-model"] * 5 + [None] * 3
    assert scores(found)[-1] == 25.0
    step = edge.told[-1]
    assert (step.step, step.version, step.sha256, step.by) == (ModelStep.WITHDRAWN, "fails", sha(failing()), "edge")
    assert "failed while scoring" in (step.reason or "")
    status = edge.models.status()["press"]
    assert (status.version, status.problem, status.previous) == ("1", None, 0)
    assert edge.files == set()
    edge.check_each_instant_once()
    edge.start()
    assert edge.models.status()["press"].version == "1", "it does not come back"


async def test_one_that_fails_now_and_then_is_taken_out_as_well_but_not_for_a_single_time(edge: Edge) -> None:
    edge.put_in_shadow(failing())
    edge.promote()
    for _ in range(8):
        # it is in three windows
        edge.feed([250.0] + [5.0] * 40)
    assert edge.models.status()["press"].version == "fails"
    for _ in range(12):
        edge.feed([250.0])
        edge.feed([5.0] * 3)
    assert edge.models.status()["press"].version == "1"


@pytest.mark.parametrize(
    ("nodes", "force", "words"),
    [
        ("score = Mul(mean_force, tenth)", -5.0, "gave a score that is no number ≥ 0"),
        ("root = Sqrt(mean_force) score = Mul(root, nought)", -5.0, "gave a score that is no number ≥ 0"),
        ("score = Mul(mean_force, huge_number)", 1e9, "gave a score that is no number ≥ 0"),
    ],
)
async def test_nonsense_is_withheld_and_then_the_model_is_taken_out(edge: Edge, nodes: str, force: float, words: str) -> None:
    stored = {"nought": np.array(0, np.float32), "huge_number": np.array(1e37, np.float32)}
    value = {"score = Mul(mean_force, huge_number)": 5e37, "score = Mul(mean_force, tenth)": 0.5}.get(nodes, 0.0)
    edge.put_in_shadow(press(nodes, constants=stored, golden=golden(value), version="odd").SerializeToString())
    edge.promote()
    edge.train(times(0.1, "1"))
    edge.feed([5.0] * 4)
    found = edge.feed([force] * 5)
    assert set(reasons(found)[2:]) == {"no-model"}
    for _ in range(4):
        edge.feed([force])
    assert scores(edge.feed([5.0] * 4))[-1] == 0.5
    assert (edge.told[-1].step, edge.told[-1].version) == (ModelStep.WITHDRAWN, "odd")
    assert words in (edge.told[-1].reason or "")


@pytest.mark.parametrize(
    ("nodes", "outputs", "spec", "words"),
    [
        # one row fewer than were asked for where the force is above 100
        (
            "plain = Mul(mean_force, tenth) low = Less(mean_force, hundred) score = Compress<axis = 0>(plain, low)",
            "",
            {},
            "shape",
        ),
        (
            "score = Mul(mean_force, tenth) logs = Sub(hundred, mean_force) roots = Sqrt(logs) known = Add(roots, one)",
            ", float[n] known",
            {},
            "gave a known that is no number",
        ),
        (
            "score = Mul(mean_force, tenth) wide = Unsqueeze(score, axis_1) rul_h = Concat<axis = 1>(wide, wide)",
            ", float[n, k] rul_h",
            {},
            "gave the output 'rul_h' in the shape (1, 2)",
        ),
    ],
)
async def test_outputs_that_are_not_of_the_assets_harm_nobody(
    edge: Edge, nodes: str, outputs: str, spec: dict[str, object], words: str
) -> None:
    stored = {"hundred": np.array(100, np.float32)}
    model = press(nodes, f"float[n] score{outputs}" if "Compress" not in nodes else "float[m] score", constants=stored, **spec)
    edge.put_in_shadow(model.SerializeToString())
    edge.promote()
    edge.feed([5.0] * 4)
    edge.feed([500.0] * 10)
    assert words in (edge.told[-1].reason or "")
    assert scores(edge.feed([5.0] * 3))[-1] == 0.5
    edge.check_each_instant_once()


async def test_windows_that_no_model_can_score_are_no_reason_to_take_it_out(edge: Edge) -> None:
    """It gives no number where one is missing, and none for what was never measured: its trial lets it."""
    await edge.bring(times(0.2, "2", n_samples=8))
    edge.promote()
    edge.feed([5.0] * 8)
    edge.pipeline.feed(SampleBatch.of([FORCE], [edge.time], [np.nan], [2]))
    edge.feed([5.0])
    edge.pipeline.feed(SampleBatch.of([SPEED], [edge.time], [100.0]))
    for _ in range(6):
        # a force that is stale: missing in windows from now on
        edge.pipeline.feed(SampleBatch.of([SPEED], [edge.time], [100.0]))
        edge.assessments += edge.pipeline.advance(edge.time + S).assessments
        edge.time += S
    edge.time += 2 * S
    found = edge.feed([5.0] * 12)
    assert "low-coverage" in reasons(found)
    assert reasons(found)[-1] is None
    found = edge.feed([3.4e38] * 8)
    assert set(reasons(found)[1:]) == {"bad-quality"}
    edge.feed([5.0] * 8)
    assert edge.models.status()["press"].version == "2"


async def test_a_slow_model_is_taken_out(edge: Edge) -> None:
    await edge.bring(TWO)
    edge.promote()
    edge.feed([5.0] * 4)
    for _ in range(3):
        edge.clock.step = 0.3
        edge.feed([5.0])
        edge.clock.step = 0.2
        edge.feed([5.0] * 12)
    assert edge.models.status()["press"].version == "2", "once is the machine's mood"
    edge.clock.step = 0.3
    found = edge.feed([5.0] * 5)
    assert scores(found) == [1.0] * 5
    edge.clock.step = 0.0
    assert scores(edge.feed([5.0] * 2)) == [0.5, 0.5]
    assert edge.told[-1].reason == "took 0.3 s of the processor for one instant, again and again; 0.25 s are allowed"


async def test_a_shadow_that_fails_is_taken_out_and_the_champion_notices_nothing(edge: Edge) -> None:
    edge.put_in_shadow(failing())
    force = [5.0] * 5 + [250.0] * 10
    found = edge.feed(force)
    assert judged(found) == judged(fresh(edge, ONE, force))
    (step,) = edge.told
    assert (step.step, step.version, step.by) == (ModelStep.WITHDRAWN, "fails", "edge")
    assert (step.reason or "").startswith("in shadow: failed again and again: ")
    assert edge.models.status()["press"].shadow is None


async def test_without_one_before_the_asset_is_withheld_and_the_rest_goes_on(make_plant: MakePlant, tmp_path: Path) -> None:
    edge = Edge(make_plant(), tmp_path / "home", failing())
    edge.feed([5.0] * 4)
    found = edge.feed([250.0] * 8)
    assert reasons(found) == ["no-model"] * 8
    assert {alarm.rule for alarm in edge.alarms} == {"limit-alarm-force"}, "its limits are watched all the same"
    assert [a.measured for a in found] == [{"speed": 100.0, "force": 250.0}] * 8
    status = edge.models.status()["press"]
    assert status.version is None
    assert "it was taken out of service, as it failed again and again" in (status.problem or "")
    assert edge.steps == [("withdrawn", "fails")]
    # one that comes then serves at once
    await edge.bring(TWO)
    edge.promote()
    assert scores(edge.feed([5.0] * 3))[-1] == 1.0
    assert edge.models.status()["press"].problem is None
    with pytest.raises(CommandRefused):
        edge.order(ModelVerb.ROLLBACK)


async def test_a_loop_that_never_ends_is_ended_and_not_begun_again(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LEAST_DEADLINE_S", 0.1)
    monkeypatch.setattr(watch, "DEADLINES", 0.4)
    # as many turns as the largest number of the window says: a trial would refuse it
    edge.put_in_shadow(loops(1, computed=True).SerializeToString())
    edge.promote()
    assert scores(edge.feed([5.0] * 4))[-1] == 0.5
    found = edge.feed([5.0] * 7, speed=1e18)
    assert reasons(found) == ["no-model"] * 5 + [None] * 2
    assert "terminate" in (edge.told[-1].reason or "")
    assert scores(found)[-1] == 0.5
    edge.check_each_instant_once()


async def test_a_model_that_is_to_be_taken_out_is_not_run_while_a_backlog_is_worked_off(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge.put_in_shadow(failing())
    edge.promote()
    edge.feed([5.0] * 4)
    runs = []
    original = OnnxModel.score
    monkeypatch.setattr(OnnxModel, "score", lambda self, *more: runs.append(1) or original(self, *more))
    for _ in range(50):
        edge.pipeline.feed(SampleBatch.of([SPEED, FORCE], [edge.time] * 2, [100.0, 250.0]))
        edge.time += S
    found = edge.pipeline.advance(edge.time).assessments
    assert len(found) == 50
    assert len(runs) == 5


def test_a_deadline_that_comes_before_that_of_another_run_is_kept() -> None:
    model = OnnxModel.of(loops(1, computed=True).SerializeToString(), "loop.onnx")
    window = np.full((1, 3, 2), 1e18, np.float32)
    with deadline.within(3600.0), pytest.raises(ModelError, match="terminate"):
        model.score({"window": window}, 0.05)
    # the session is as good as before
    assert model.score({"window": np.full((1, 3, 2), 5.0, np.float32)})["score"].tolist() == pytest.approx([0.5])


async def test_the_problem_of_a_foreign_model_is_told_under_the_plant_files_name(edge: Edge) -> None:
    foreign = onnx.load_from_string(failing())
    spec = next(entry for entry in foreign.metadata_props if entry.key == "kullager.spec")
    spec.value = spec.value.replace('"name":"press"', '"name":"forest of others"')
    edge.put_in_shadow(foreign.SerializeToString())
    edge.promote()
    edge.feed([5.0] * 4)
    (found, *_) = edge.feed([250.0])
    assert found.model is not None
    assert found.model.name == "forest of others"
    assert "failed while scoring" in (edge.models.status()["press"].problem or "")
