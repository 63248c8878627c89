"""What a browser has to fetch of the dashboard as it is built."""

import gzip
import re

import pytest

from api.app import DASHBOARD

# a telephone on a hall's bad network has them within two seconds
MOST_BYTES = 200_000


@pytest.mark.skipif(not (DASHBOARD / "index.html").exists(), reason="the dashboard is not built; `make dashboard` builds it")
def test_the_scripts_of_all_pages_together_are_small() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in DASHBOARD.rglob("*.js")}
    (first,) = re.findall(r'<script[^>]* src="\./assets/([^"]+\.js)"', (DASHBOARD / "index.html").read_text("utf-8"))
    assert first in sizes
    assert sum(sizes.values()) <= MOST_BYTES, sizes
