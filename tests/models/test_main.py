import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.plant import Plant
from edge.formats.recording import Recording, read_csv, write_csv
from models.__main__ import main
from models.settings import Settings
from models.training import train

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases/training"
START, SECOND = 1_795_514_400_000_000_000, 1_000_000_000
PLANT = ["--plant", str(CASES / "plant.toml"), "--asset", "pump"]


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"KULLAGER_HOME": str(home)}


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("case", sorted(path.parent for path in CASES.glob("*/case.toml")), ids=lambda case: case.name)
def test_bad_data_give_one_clear_sentence(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KULLAGER_HOME", str(tmp_path))
    expected = tomllib.loads((case / "case.toml").read_text(encoding="utf-8"))
    (data,) = case.glob("recording.*")
    assert main(["train", str(data), *PLANT, *expected["arguments"]]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("models: ")]
    assert len(said) == 1
    assert said[0].removeprefix(f"models: {case}/").removeprefix("models: ").startswith(expected["expected"])
    assert everything(tmp_path) == []


@pytest.mark.parametrize("rows", ["400", "a:b", "400:0", "-5:10"])
def test_rows_that_are_no_range_are_refused(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", "x.csv", *PLANT, f"--rows={rows}"])
    assert stopped.value.code == 2
    assert f"'{rows}' should be rows from:to, such as 0:400" in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path / "none.csv"), *PLANT]) == 2
    assert f"models: {tmp_path}/none.csv: cannot be read" in capsys.readouterr().err


def test_train_as_a_process_writes_the_same_model_and_its_card(recording: Recording, plant: Plant, tmp_path: Path) -> None:
    write_csv(tmp_path / "pump.csv", recording)
    # another number of threads must not show in the bytes
    done = subprocess.run(
        [sys.executable, "-m", "models", "train", "pump.csv", *PLANT, "--rows", "0:500", "--version", "7"],
        cwd=tmp_path,
        env=environment(tmp_path / "home") | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert everything(tmp_path / "home") == ["models/pump.html", "models/pump.md", "models/pump.onnx"]
    again = read_csv(tmp_path / "pump.csv", plant, "pump").rows(0, 500)
    assert (tmp_path / "home/models/pump.onnx").read_bytes() == train(again, plant, Settings(version="7")).content
    for said in (
        "500 rows",
        "forward of mean",
        "false alarms",
        "models/pump.onnx",
        "models/pump.html",
        "too little data",
    ):
        assert said in done.stdout
    card = (tmp_path / "home/models/pump.md").read_text(encoding="utf-8")
    for said in ("# pump, version 7", "| flow | m3/h |", "## False alarms", "## Limits of use", "µs"):
        assert said in card


def test_interrupted_training_leaves_nothing_behind(tmp_path: Path) -> None:
    time = START + np.arange(60_000) * SECOND
    values = {name: np.arange(60_000.0) % 7 + 1000 for name in ("speed", "flow", "pressure")}
    write_csv(tmp_path / "long.csv", Recording(path="", asset="pump", time=time, values=values))
    command = [sys.executable, "-m", "models", "train", str(tmp_path / "long.csv"), *PLANT]
    with subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path / "home"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "reading" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert "models: interrupted" in said
    assert "Traceback" not in said
    assert everything(tmp_path) == ["long.csv"]
