"""The parent's side of a trial: a process for it, an end to that process, and words for how it ended."""

import asyncio
import contextlib
import dataclasses
import hashlib
import os
import signal
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from edge.contracts.errors import MessageError, ModelError
from edge.contracts.model_spec import ModelSpec
from edge.contracts.plant import Asset
from edge.formats.json_message import decode
from edge.model_trial.request import Answer, Request
from edge.model_trial.trial import in_units, no_memory
from edge.state_detection.detector import check_fit
from edge.state_detection.onnx_model import MAX_MODEL_BYTES

MEMORY_BYTES: Final = 1 << 30
CPU_S: Final = 20.0
WALL_S: Final = 30.0
# a spec has 1 MB at most, and JSON in JSON takes two characters for some
MAX_ANSWER_BYTES: Final = 4 << 20
# every difference from the plant file is named, and a model may need thousands of signals
MAX_PROBLEM_CHARACTERS: Final = 4000
MAX_COMPLAINT_BYTES: Final = 16 << 10
_ROOT: Final = Path(__file__).parents[2]
# what libraries that were built elsewhere may need to be found; no passwords, which other variables hold
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a trial has found. Fit for service where `problem` is None.

    path:      what messages call the model
    sha256:    of the bytes that were tried: what goes into service should have the same
    latency_s: processor time [s] for one batch of all assets
    operators: those of its graph, with their domain where it is not ONNX's own
    opsets:    versions of the operators, by domain; that of ONNX itself is empty
    notes:     what is no reason to refuse it, but worth knowing
    problem:   why it must not go into service
    """

    path: str
    sha256: str
    n_bytes: int
    spec: ModelSpec | None = None
    latency_s: float | None = None
    operators: tuple[str, ...] = ()
    opsets: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def fit(self) -> bool:
        return self.problem is None


async def examine(
    path: Path,
    assets: Mapping[str, Asset],
    *,
    memory_bytes: int = MEMORY_BYTES,
    cpu_s: float = CPU_S,
    wall_s: float = WALL_S,
) -> Examination:
    """Try the model of a file in a process of its own; `assets`, by id, are those that it is to be put in service for."""
    try:
        content = await asyncio.to_thread(read_model, path)
    except ModelError as error:
        return Examination(path=str(path), sha256="", n_bytes=0, problem=str(error))
    return await examine_content(content, str(path), assets, memory_bytes=memory_bytes, cpu_s=cpu_s, wall_s=wall_s)


async def examine_content(
    content: bytes,
    path: str,
    assets: Mapping[str, Asset],
    *,
    memory_bytes: int = MEMORY_BYTES,
    cpu_s: float = CPU_S,
    wall_s: float = WALL_S,
) -> Examination:
    """The same of what was read already, such as to verify its signature; `path` is what messages call it."""
    # the request is JSON, and a file's name may be no text
    path = path.encode(errors="replace").decode()
    request = Request(path=path, n_assets=max(1, len(assets)), memory_bytes=memory_bytes, cpu_s=cpu_s, wall_s=wall_s)
    if len(content) > MAX_MODEL_BYTES:
        answer = Answer(problem=_too_large(path))
    else:
        answer = await _tried(content, request)
    spec, problem = None, answer.problem
    if answer.spec is not None:
        try:
            spec = decode(ModelSpec, answer.spec.encode(), path)
            if problem is None:
                for asset_id, asset in assets.items():
                    check_fit(spec, path, asset_id, asset)
        except (MessageError, ModelError) as error:
            problem = problem or str(error)
        except RecursionError:
            problem = problem or f"{path}: its metadata are nested too deep"
    elif problem is None:
        problem = f"{path}: its trial gave no answer"
    return Examination(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        n_bytes=len(content),
        spec=spec,
        latency_s=answer.latency_s,
        operators=answer.operators,
        opsets=answer.opsets,
        notes=answer.notes,
        problem=problem if problem is None else problem[:MAX_PROBLEM_CHARACTERS],
    )


def read_model(path: Path) -> bytes:
    """The bytes of a model file, never more than a model may have. Raises `ModelError`."""
    try:
        # not blocking: a pipe would keep us waiting for a writer
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise ModelError(f"{path}: is no regular file")
            if about.st_size > MAX_MODEL_BYTES:
                raise ModelError(_too_large(path))
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(MAX_MODEL_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such model") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_MODEL_BYTES:
        # it grew meanwhile
        raise ModelError(_too_large(path))
    return content


def _too_large(path: Path | str) -> str:
    return f"{path}: is larger than the {in_units(MAX_MODEL_BYTES)} that a model may have"


async def _tried(content: bytes, request: Request) -> Answer:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # one thread and one heap: address space is what is limited
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    environment |= {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "edge.model_trial", orjson.dumps(dataclasses.asdict(request)).decode()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd="/",
        start_new_session=True,
    )
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise RuntimeError("a process that was started with pipes has none")
    try:
        async with asyncio.timeout(request.wall_s):
            said, complaint, _, _ = await asyncio.gather(
                _first(child.stdout, MAX_ANSWER_BYTES),
                _first(child.stderr, MAX_COMPLAINT_BYTES),
                _feed(child.stdin, content),
                child.wait(),
            )
    except TimeoutError:
        return Answer(problem=f"{request.path}: was not done after {request.wall_s:g} s, and was stopped")
    finally:
        if child.returncode is None:
            # with all that it may have started
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    if child.returncode == 0 and len(said) < MAX_ANSWER_BYTES:
        try:
            return decode(Answer, said, request.path)
        except MessageError as error:
            return Answer(problem=f"{request.path}: its trial gave no answer that can be read: {error}")
    return Answer(problem=_ending(child.returncode or 0, complaint.decode(errors="replace"), request))


async def _first(stream: asyncio.StreamReader, n_bytes: int) -> bytes:
    """The beginning of what comes; the rest is read and thrown away, so that the child is not kept waiting."""
    kept = b""
    while part := await stream.read(1 << 16):
        kept += part[: n_bytes - len(kept)]
    return kept


async def _feed(stream: asyncio.StreamWriter, content: bytes) -> None:
    # a child that has ended takes no more
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
        stream.close()
        await stream.wait_closed()


def _ending(code: int, complaint: str, request: Request) -> str:
    """Words for an end without an answer: `code` as of `Popen.returncode`, `complaint` is what it wrote to standard error."""
    path = request.path
    if "bad_alloc" in complaint or "MemoryError" in complaint or "annot allocate memory" in complaint:
        return no_memory(request)
    if code >= 0:
        last = complaint.strip().splitlines()[-1][:300] if complaint.strip() else "it said nothing"
        return f"{path}: its trial ended with code {code} and no answer: {last}"
    ended_by = -code
    if ended_by == signal.SIGXCPU:
        return f"{path}: took more than {request.cpu_s:g} s of processor time while it was tried"
    if ended_by == signal.SIGALRM:
        return f"{path}: was not done after {request.wall_s:g} s, and was stopped"
    if ended_by == signal.SIGXFSZ:
        return f"{path}: tried to write a file while it was tried"
    if ended_by == signal.SIGKILL:
        return f"{path}: was killed by the system while it was tried, for want of memory most likely"
    return f"{path}: crashed onnxruntime ({signal.strsignal(ended_by)}) while it was tried"
