"""A report for support: all of it in one file, and no secret in any part of it."""

import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from edge import logs
from edge.application_certificate import Application, kept_identity
from edge.contracts.plant_file import load_plant
from edge.ledger import Ledger
from edge.report import REDACTED, secrets_of, without_secrets, write_report

ROOT = Path(__file__).parents[2]
PLANT = ROOT / "tests/cases/pump/plant.toml"
SECRETS = ("hunter2-plc", "hunter2-from-a-file", "token-of-an-operator")


def environment(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "secret-file"
    file.write_text(f"{SECRETS[1]}\n")
    return {
        "KULLAGER_SOURCE_PLC_PASSWORD": SECRETS[0],
        "KULLAGER_SOURCE_BROKER_PASSWORD_FILE": str(file),
        "KULLAGER_OPERATOR_TOKEN": SECRETS[2],
        "KULLAGER_LOG": "text",
        "PATH": "/not/for/others",
    }


def parts_of(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as report:
        assert report.testzip() is None
        return {name: report.read(name).decode() for name in report.namelist()}


def test_a_report_has_all_parts_and_no_secret(tmp_path: Path) -> None:
    home, environ = tmp_path / "home", environment(tmp_path)
    plant_file = tmp_path / "plant.toml"
    plant_file.write_text(PLANT.read_text() + f'# password = "{SECRETS[0]}"\n# mqtt://anna:{"swordfish"}@broker\n')
    plant = load_plant(plant_file)
    with Ledger(home / "edge/gaps.sqlite", plant, lambda _: None) as ledger:
        ledger.look(0.0, 0.0)
        ledger.look(100.0, 100.0)
    (home / "edge/edge.log").write_text(f"it says {SECRETS[0]}, and {SECRETS[1]}\n")
    identity = Application(name="kullager edge", uri="urn:x", hosts=("host",), server=False)
    kept_identity(home / "edge/certificates/own.pem", identity, datetime.now(UTC))
    (home / "models").mkdir()
    (home / "models/pump.onnx").write_bytes(b"no model")
    out = tmp_path / "report.zip"
    write_report(out, plant_file, plant, home, environ, f"FAIL  {SECRETS[2]}\n")
    parts = parts_of(out)
    whole = "\n".join(parts.values())
    for secret in (*SECRETS, "swordfish", "PRIVATE KEY", "/not/for/others"):
        assert secret not in whole
    assert "[assets.pump-101]" in parts["plant.toml"]
    assert "the source was connected, and nothing came" in parts["gaps.json"]
    assert "not to be had" in parts["journal.json"], "it does not run yet"
    assert '"models/pump.onnx"' in parts["files.json"]
    assert '"sha256"' in parts["files.json"]
    assert "CN=kullager edge" in parts["certificates.json"]
    assert "names no edge.metrics" in parts["metrics.txt"]
    assert f'"KULLAGER_OPERATOR_TOKEN": "{REDACTED}"' in parts["environment.json"]
    assert '"asyncua"' in parts["about.json"]


def test_what_looks_like_a_secret_is_taken_out() -> None:
    assert secrets_of({"X_PASSWORD": "ab", "Y_PASSWORD": ""}) == (), "of two letters there is no telling"
    text = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n{'token': 'x y', \"passwd\": \"z\"}"
    assert without_secrets(text, ()) == f"{REDACTED}\n{{'token': '{REDACTED}', \"passwd\": \"{REDACTED}\"}}"


def test_the_command_packs_it_and_says_what_is_in_it(tmp_path: Path) -> None:
    environ = {**os.environ, **environment(tmp_path), "PATH": os.environ["PATH"], "KULLAGER_HOME": str(tmp_path / "home")}
    out = tmp_path / "it.zip"
    command = [sys.executable, "-m", "edge", "report", "--plant", str(PLANT), "--out", str(out), "--listen", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "passwords and keys are taken out" in done.stdout
    assert "FAIL  source 'plc'" in parts_of(out)["check.txt"]
    command[command.index(str(out))] = str(tmp_path / "nowhere/it.zip")
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (
        2,
        f"{tmp_path}/nowhere/it.zip: cannot be written: No such file or directory",
    )


def test_a_log_is_kept_beside_standard_error(tmp_path: Path) -> None:
    code = "import logging, sys, pathlib; from edge import logs; logs.configure({}); logs.keep(pathlib.Path(sys.argv[1])); "
    code += "logging.getLogger('edge').info('it runs')"
    for folder, kept in ((tmp_path / "edge", True), (Path("/proc/edge"), False)):
        done = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "INFO edge: it runs" in done.stderr
        assert ("no log is kept" in done.stderr) is not kept
    assert "INFO edge: it runs" in (tmp_path / "edge" / logs.LOG_FILE).read_text()
