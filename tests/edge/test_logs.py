"""Logs for people, and as JSON lines for what collects them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import logging, os
from edge import logs
logs.configure(os.environ)
logging.getLogger("edge.test").warning("source '%s': \\u00e5 %d", "plc", 3)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("edge.test").exception("it failed")
"""


def logged(form: str) -> str:
    environment = os.environ | {"KULLAGER_LOG": form}
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.stderr


def test_for_programs_each_line_is_an_object() -> None:
    first, second = map(json.loads, logged("json").splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("warning", "edge.test", "source 'plc': å 3")
    assert first["time"].endswith("Z")
    assert "ZeroDivisionError" in second["error"]


def test_for_people_it_is_a_sentence() -> None:
    assert "WARNING edge.test: source 'plc': å 3" in logged("text").splitlines()[0]


@pytest.mark.parametrize("form", ["xml"])
def test_another_form_is_refused_with_what_would_be_right(form: str) -> None:
    environment = os.environ | {"KULLAGER_LOG": form}
    command = [sys.executable, "-m", "edge", "schema"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "KULLAGER_LOG is 'xml'; it should be text or json" in done.stderr
