"""Every option of the commands stands in the README."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_option_of_train_is_explained() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "models", "train", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    options = set(re.findall(r"--[a-z-]+", told)) - {"--help"}
    assert len(options) > 8
    readme = (ROOT / "models" / "README.md").read_text()
    assert [option for option in sorted(options) if f"`{option}`" not in readme and f"{option} " not in readme] == []
