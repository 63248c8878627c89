"""A model is tried in a process of its own: hostile and broken ones are refused in words, and those that are fit pass."""

import asyncio
import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from onnx import TensorProto, helper, numpy_helper

from edge.contracts.errors import ModelError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.recording import Recording
from edge.model_trial.allowed import ALLOWED, RANDOM, TEXT, check_graph
from edge.model_trial.behaviour import try_model
from edge.model_trial.examination import examine, examine_content, read_model
from edge.model_trial.graph import read_graph
from edge.model_trial.request import Request
from edge.model_trial.signature import key_folder, read_signature, trusted_keys, verify
from edge.model_trial.trial import judge
from edge.state_detection.onnx_model import OnnxModel
from models.__main__ import main
from models.settings import FAMILIES, Settings
from models.training import train
from tests.edge.conftest import tensor
from tests.edge.hostile_models import CASES, GOLDEN, SPEC, WINDOW, Way, described, loops, press

ROOT = Path(__file__).parents[2]
MakePlant = Callable[..., Plant]


def written(folder: Path, model: bytes | onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    if content := model if isinstance(model, bytes) else model.SerializeToString():
        path.write_bytes(content)
    elif not path.exists():
        path.touch()
    return path


# -- refused -----------------------------------------------------------------------------------------------------------------


def of(way: Way) -> list[str]:
    return [name for name, case in CASES.items() if case.way is way]


@pytest.mark.parametrize("name", of(Way.READ))
def test_a_hostile_model_is_refused_before_onnxruntime_is_given_it(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, CASES[name].make(tmp_path))
    with pytest.raises(ModelError) as refused:
        check_graph(read_graph(path.read_bytes(), str(path)), str(path))
    assert CASES[name].words in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", of(Way.JUDGED))
def test_a_broken_model_is_refused_for_what_it_says_and_gives(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, CASES[name].make(tmp_path))
    request = Request(path=str(path), n_assets=1, memory_bytes=1 << 30, cpu_s=20.0, wall_s=30.0)
    problem = judge(path.read_bytes(), request).problem
    assert CASES[name].words in (problem or "accepted")
    assert str(path) in (problem or "")


# one of each kind of the others goes the whole way as well: a process takes half a second
WHOLE_WAY = (
    *("empty", "claims-2-GB", "external-hard-link", "loop-endless", "nested-without-end", "too-many-nodes", "random-noise"),
    *("bomb-of-few-bytes", "metadata-not-json", "golden-not-reproduced", "depends-on-neighbours", "known-above-1"),
)


@pytest.mark.parametrize("name", [*of(Way.TRIED), *WHOLE_WAY])
async def test_a_hostile_model_is_refused_by_its_trial(name: str, tmp_path: Path, make_plant: MakePlant) -> None:
    case = CASES[name]
    path = written(tmp_path, case.make(tmp_path))
    found = await examine(path, make_plant().assets, **case.limits)
    assert case.words in (found.problem or "accepted")
    assert str(path) in (found.problem or "")
    assert not found.fit


def test_a_model_that_does_not_repeat_itself_is_refused(tmp_path: Path) -> None:
    # the operators that could do it are refused by name; this one is harmless
    model = press(
        "noise = RandomUniformLike<high = 0.0001>(mean_force) plain = Mul(mean_force, tenth) score = Add(plain, noise)",
        golden={"tolerance": 1e-3},
    )
    with pytest.raises(ModelError, match="does not repeat itself: 'score' differs the second time for healthy windows"):
        try_model(OnnxModel.of(model.SerializeToString(), tmp_path / "model.onnx"), 1)


# -- accepted ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pump() -> tuple[Plant, Recording]:
    """Ten minutes of a healthy pump, whose flow follows its speed."""
    random, n = np.random.default_rng(7), 600
    speed = 1450 + 15 * np.sin(np.arange(n) / 40) + random.normal(0, 3, n)
    values = {
        "speed": speed,
        "flow": 20 * speed / 1450 + random.normal(0, 0.1, n),
        "pressure": 3.2 * (speed / 1450) ** 2 + random.normal(0, 0.02, n),
    }
    time = 1_795_514_400_000_000_000 + np.arange(n) * 1_000_000_000
    return load_plant(ROOT / "tests/cases/training/plant.toml"), Recording(
        path="pump.csv", asset="pump", time=time, values=values
    )


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_kind_that_is_trained_here_passes(family: str, pump: tuple[Plant, Recording]) -> None:
    plant, recording = pump
    settings = Settings(n_samples=20, family=family, features=("spread", "slope", "jitter"), without=("recipe",))
    content = train(recording, plant, settings).content
    found = await examine_content(content, f"{family}.onnx", dict.fromkeys(("pump", "pump-2"), plant.assets["pump"]))
    assert found.problem is None
    assert found.notes == ()
    assert found.spec is not None
    assert found.spec.figures["family"] == family
    assert (found.n_bytes, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert "Gather" in found.operators or "Concat" in found.operators
    assert found.latency_s is not None
    assert 0 <= found.latency_s < 0.2


def autoencoder(kind: str) -> onnx.ModelProto:
    """What PyTorch's exports look like: a network that gives the window back, and the score is how far it is off."""
    random, hidden = np.random.default_rng(1), 4

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 0.3, shape).astype(np.float32)

    turned = helper.make_node("Transpose", ["scaled"], ["turned"], perm=[1, 0, 2] if kind in ("LSTM", "GRU") else [0, 2, 1])
    gates = {"LSTM": 4, "GRU": 3}
    stored = {"usual": np.float32([100, 5]), "axis_1": np.array([1]), "axes": np.array([1, 2])}
    if kind in gates:
        stored |= {
            "w": weights(1, gates[kind] * hidden, 2),
            "r": weights(1, gates[kind] * hidden, hidden),
            "out": weights(hidden, 2),
        }
        network = [
            helper.make_node(kind, ["turned", "w", "r"], ["states"], hidden_size=hidden),
            helper.make_node("Squeeze", ["states", "axis_1"], ["squeezed"]),
            helper.make_node("MatMul", ["squeezed", "out"], ["back_turned"]),
            helper.make_node("Transpose", ["back_turned"], ["back"], perm=[1, 0, 2]),
        ]
    else:
        stored |= {"w": weights(hidden, 2, 3), "out": weights(hidden, 2, 3)}
        network = [
            helper.make_node("Conv", ["turned", "w"], ["code"], pads=[1, 1]),
            helper.make_node("Relu", ["code"], ["positive"]),
            helper.make_node("Dropout", ["positive"], ["kept"]),
            helper.make_node("ConvTranspose", ["kept", "out"], ["back_turned"], pads=[1, 1]),
            helper.make_node("Transpose", ["back_turned"], ["back"], perm=[0, 2, 1]),
        ]
    nodes = [
        helper.make_node("Div", ["window", "usual"], ["scaled"]),
        turned,
        *network,
        helper.make_node("Sub", ["scaled", "back"], ["off"]),
        helper.make_node("Mul", ["off", "off"], ["square"]),
        helper.make_node("ReduceMean", ["square", "axes"], ["score"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["n", 3, 2])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, producer_name="pytorch")
    score = ort.InferenceSession(model.SerializeToString()).run(None, {"window": WINDOW})[0]
    described(model, SPEC, GOLDEN | {"outputs": {"score": tensor(score)}})
    return model


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "Conv"])
async def test_a_network_of_another_framework_passes(kind: str, tmp_path: Path, make_plant: MakePlant) -> None:
    found = await examine(written(tmp_path, autoencoder(kind)), make_plant().assets)
    assert found.problem is None
    assert kind in found.operators
    assert found.notes == ("gives no score where a value of the window is missing, though min_coverage is below 1",)


async def test_a_model_with_loops_that_end_passes(tmp_path: Path, make_plant: MakePlant) -> None:
    found = await examine(written(tmp_path, loops(100, depth=1)), make_plant().assets)
    assert found.problem is None
    assert "Loop" in found.operators


async def test_all_outputs_of_the_contract_pass_and_many_assets_are_scored_at_once(
    tmp_path: Path, make_plant: MakePlant
) -> None:
    nodes = """
        score = Mul(mean_force, tenth)
        none = Sub(mean_force, mean_force)
        known = Add(none, one)
        flat = Unsqueeze(none, axis_1)
        shares = Constant<value = float[1, 2] {0.25, 0.75}>()
        contribution = Add(flat, shares)
        expected = ReduceMean<keepdims = 0>(window, axis_1)
        fault_probability = Add(flat, shares)
        lives = Constant<value = float[1, 3] {10, 20, 30}>()
        rul_h = Add(flat, lives)
    """
    outputs = "float[n] score, float[n] known, float[n, 2] contribution, float[n, 2] expected, float[n, 2] fault_probability"
    model = press(nodes, f"{outputs}, float[n, 3] rul_h", faults=["clogging", "leakage"])
    asset = make_plant().assets["press-1"]
    found = await examine(written(tmp_path, model), {f"press-{number}": asset for number in range(300)})
    assert found.problem is None


# -- files and processes -----------------------------------------------------------------------------------------------------


async def test_what_is_no_file_that_can_be_read_is_refused(tmp_path: Path, make_plant: MakePlant) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "round.onnx").symlink_to(tmp_path / "round.onnx")
    assets = make_plant().assets
    for path, words in (
        (tmp_path / "pipe.onnx", "is no regular file"),
        (tmp_path, "is no regular file"),
        (Path("/dev/zero"), "is no regular file"),
        (tmp_path / "none.onnx", "there is no such model"),
        (tmp_path / "round.onnx", "cannot be read"),
    ):
        assert f"{path}: {words}" in ((await examine(path, assets)).problem or "accepted")


async def test_a_trial_that_is_given_up_leaves_no_process(tmp_path: Path, make_plant: MakePlant) -> None:
    path = written(tmp_path, loops(10_000, depth=3))
    trial = asyncio.create_task(examine(path, make_plant().assets))
    async with asyncio.timeout(30.0):
        while not (children := _trials()):  # noqa: ASYNC110  # the kernel tells when one is there, nobody else
            await asyncio.sleep(0.02)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert not children & _trials()


def _trials() -> set[int]:
    """Trials that this process has started, and not seen the end of."""
    told = Path(f"/proc/self/task/{os.getpid()}/children")
    if not told.exists():
        pytest.skip("the kernel does not tell a process's children")
    return {
        int(child) for child in told.read_text().split() if b"edge.model_trial" in Path(f"/proc/{child}/cmdline").read_bytes()
    }


CONFINED = """
import os, sys
from edge.model_trial.limits import confine
from edge.model_trial.request import Request
before = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
confine(Request(path="x", n_assets=1, memory_bytes=64 << 20, cpu_s=5.0, wall_s=5.0))
try:
    open("/etc/hostname")
except OSError as error:
    print(error.strerror)
try:
    bytearray(256 << 20)
except MemoryError:
    print("no memory")
sys.stdout.flush()
os.write(before, b"x")
print("written")
"""


def test_the_process_of_a_trial_opens_nothing_writes_nothing_and_has_little_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, tmp_path / "written"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": "."},
    )
    assert done.stdout.splitlines() == ["Too many open files", "no memory"]
    assert done.returncode == -signal.SIGXFSZ or "File too large" in done.stderr
    assert (tmp_path / "written").read_bytes() == b""


async def test_the_process_of_a_trial_is_shown_no_secrets(
    tmp_path: Path, make_plant: MakePlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\nenv > {seen}\necho nothing that is JSON\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    monkeypatch.setenv("KULLAGER_PLC_PASSWORD", "hunter2")
    found = await examine_content(b"x", "x.onnx", make_plant().assets)
    assert "hunter2" not in seen.read_text()
    assert "its trial gave no answer that can be read" in (found.problem or "")


# -- operators ---------------------------------------------------------------------------------------------------------------


def test_operators_are_those_of_the_standard_and_all_stand_in_the_readme() -> None:
    known = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas_with_history()}
    readme = (ROOT / "edge/model_trial/README.md").read_text(encoding="utf-8")
    for domain, names in ALLOWED.items():
        assert {(domain, name) for name in names} <= known
        assert not names & (RANDOM | TEXT)
        assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", readme)] == []
    assert {name for _, name in known} >= RANDOM | TEXT


# -- signatures --------------------------------------------------------------------------------------------------------------


def pem(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def team(tmp_path: Path) -> ed25519.Ed25519PrivateKey:
    """A key whose public part is trusted as "pilot-team"."""
    key = ed25519.Ed25519PrivateKey.generate()
    key_folder(tmp_path).mkdir(parents=True)
    (key_folder(tmp_path) / "pilot-team.pem").write_bytes(pem(key))
    return key


def test_a_signed_model_is_known_by_the_name_of_its_key(tmp_path: Path, team: ed25519.Ed25519PrivateKey) -> None:
    (key_folder(tmp_path) / "another.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    keys = trusted_keys(key_folder(tmp_path))
    assert list(keys) == ["another", "pilot-team"]
    signature = base64.encodebytes(team.sign(b"a model"))
    assert verify(b"a model", signature, keys) == "pilot-team"
    assert verify(b"a model", signature.decode(), keys) == "pilot-team"


def test_a_model_that_is_not_signed_by_a_trusted_key_is_refused(tmp_path: Path, team: ed25519.Ed25519PrivateKey) -> None:
    keys = trusted_keys(key_folder(tmp_path))
    good = base64.b64encode(team.sign(b"a model"))
    stranger = base64.b64encode(ed25519.Ed25519PrivateKey.generate().sign(b"a model"))
    for content, signature, trusted, words in (
        (b"a model", None, keys, "is not signed"),
        (b"a model", b" \n", keys, "is not signed"),
        (b"a model", b"!!!", keys, "is not base64"),
        (b"a model", "ännu en", keys, "is not base64"),
        (b"a model", b"AAAA", keys, "has 3 bytes"),
        (b"a model", stranger, keys, r"of none of the trusted keys \(pilot-team\)"),
        (b"another", good, keys, "or the file was changed after it was signed"),
        (b"a model", good, {}, "no model is trusted: there is no public key"),
    ):
        with pytest.raises(ModelError, match=words):
            verify(content, signature, trusted)


def test_a_file_that_is_no_key_of_the_right_kind_is_named(tmp_path: Path, team: ed25519.Ed25519PrivateKey) -> None:
    folder = key_folder(tmp_path)
    (folder / "rsa.pem").write_bytes(pem(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(ModelError, match=r"rsa\.pem: is no Ed25519 key"):
        trusted_keys(folder)
    (folder / "rsa.pem").write_text("no key at all")
    with pytest.raises(ModelError, match=r"rsa\.pem: is no public key"):
        trusted_keys(folder)
    with pytest.raises(ModelError, match=r"rsa\.pem: cannot be read: Not a directory"):
        trusted_keys(folder / "rsa.pem")
    assert trusted_keys(tmp_path / "nowhere") == {}


def test_what_openssl_signs_is_accepted(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    model, folder = written(tmp_path, press()), key_folder(tmp_path)
    folder.mkdir(parents=True)
    for command in (
        "openssl genpkey -algorithm ed25519 -out private.pem",
        f"openssl pkey -in private.pem -pubout -out {folder}/pilot-team.pem",
        "openssl pkeyutl -sign -rawin -inkey private.pem -in model.onnx -out raw.sig",
        "openssl base64 -in raw.sig -out model.onnx.sig",
    ):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    assert verify(read_model(model), read_signature(model), trusted_keys(folder)) == "pilot-team"


def test_what_is_signed_here_is_accepted_and_the_private_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    model, private = written(tmp_path, press()), tmp_path / "pilot-team.key"
    assert main(["keygen", str(private)]) == 0
    assert private.stat().st_mode & 0o777 == 0o600
    assert main(["keygen", str(private)]) == 2
    assert main(["sign", str(model), "--key", str(private)]) == 0
    folder = key_folder(tmp_path)
    folder.mkdir(parents=True)
    shutil.copy(tmp_path / "pilot-team.pem", folder)
    assert verify(read_model(model), read_signature(model), trusted_keys(folder)) == "pilot-team"
    assert main(["sign", str(model), "--key", str(tmp_path / "pilot-team.pem")]) == 2
    assert main(["sign", str(tmp_path / "none.onnx"), "--key", str(private)]) == 2
