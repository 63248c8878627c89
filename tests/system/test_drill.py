"""`python -m edge drill`: the command itself, with one drill; all of them, also with servers by others, are `make drills`."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edge.drill.drills import Outcome
from tests.conftest import COUNTERPARTS, ROOT, node_program


def drilled(tmp_path: Path, *arguments: str) -> list[dict[str, object]]:
    out = tmp_path / "drills.json"
    command = [sys.executable, "-m", "edge", "drill", *arguments, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found: list[dict[str, object]] = json.loads(out.read_text()) if out.exists() else []
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return found


def test_an_edge_whose_writes_fail_goes_on_and_says_so(tmp_path: Path) -> None:
    (outcome,) = drilled(tmp_path, "failing-writes")
    assert (outcome["passed"], outcome["lost_results"], outcome["unaccounted"]) == (True, 0, 0)
    told = str(outcome["told"])
    assert "journal.sqlite: cannot be written" in told
    assert "cannot be recorded to" in told


def test_a_drill_that_there_is_not_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge", "drill", "no-such"]
    done = subprocess.run(command, cwd=tmp_path, env=None, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no drill 'no-such'; there are server-restart, " in done.stderr


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ({}, True),
        ({"lost": (1, 0)}, False),
        ({"lost": (1, 0), "allowed": (1, 0)}, True),
        ({"lost_results": 1}, False),
        ({"unaccounted": 1.0}, False),
        ({"unaccounted": float("nan")}, False),
        ({"problem": "it ended"}, False),
    ],
)
def test_a_drill_is_passed_only_with_nothing_missing(change: dict[str, object], passed: bool) -> None:
    assert Outcome("a", "b", **change).passed is passed  # type: ignore[arg-type]


@pytest.mark.drill
def test_all_drills_against_a_server_by_others(tmp_path: Path) -> None:
    node = node_program("node-opcua")
    server = f"{shlex.quote(node)} {shlex.quote(str(COUNTERPARTS / 'serve_opcua.mjs'))} {{port}}"
    outcomes = drilled(tmp_path, "--server", server, "--kills", "5", "--away", "20")
    assert sum(not outcome["skipped"] for outcome in outcomes) >= 14
