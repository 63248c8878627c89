"""The card as a page: its words, its pictures, and what it says of faults and lives."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from models.card import card
from models.card_page import page
from models.pictures import Chart, round_ticks, thinned
from models.training import TrainedModel


def pictures(html: str) -> dict[str, ElementTree.Element]:
    """The SVG of each picture by its title; each is well-formed."""
    found = [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]  # noqa: S314
    return {picture.attrib["aria-label"]: picture for picture in found}


def test_the_page_has_the_words_and_pictures_of_a_detector(trained: TrainedModel) -> None:
    html = page(trained, card(trained, "pump", 12.0))
    drawn = pictures(html)
    assert set(drawn) == {
        "Drift of the signals over the training time",
        "Score over time",
        "Shares of the highest healthy scores",
        "Share of healthy instants above a score",
    }
    assert "<!--" not in html
    for said in ("<h1>pump, version 1</h1>", "<td>flow</td>", "False alarms", "One asset is scored in 12 µs"):
        assert said in html
    # nothing leaves for another host
    assert not re.findall(r"(?:src|href)=", html)


def test_the_score_that_is_drawn_is_that_of_the_calibration(trained: TrainedModel) -> None:
    picture = pictures(page(trained, card(trained, "pump", 12.0)))["Score over time"]
    lines = {line.attrib["class"]: line.attrib["points"].split() for line in picture.iter("polyline")}
    assert len(lines["score"]) == len(trained.calibration.scores)
    heights = np.array([float(point.split(",")[1]) for point in lines["score"]])
    limit = float(lines["limit"][0].split(",")[1])
    # on the page up is less
    assert (heights.min() < limit) == (trained.calibration.scores.max() > 1)


def test_the_same_model_gives_the_same_page(trained: TrainedModel) -> None:
    words = card(trained, "pump", 12.0)
    assert page(trained, words) == page(trained, words)


def test_what_lies_outside_stays_at_the_edge_and_words_are_escaped() -> None:
    chart = Chart(title="<a> & b", x=(0.0, 1.0), y=(0.0, 1.0))
    chart.line([0.0, 2.0], [0.5, 9.0], "score")
    picture = ElementTree.fromstring(chart.svg())  # noqa: S314
    assert picture.attrib["aria-label"] == "<a> & b"
    (line,) = picture.iter("polyline")
    *_, last = line.attrib["points"].split()
    assert last == "744.0,18.0"


def test_a_long_curve_keeps_its_peaks() -> None:
    y = np.zeros(100_000)
    y[12_345] = 3.0
    assert thinned(np.arange(100_000.0), y)[1].max() == 3.0
    assert round_ticks(0.0, 0.9) == [(0.0, "0"), (0.2, "0.2"), (0.4, "0.4"), (pytest.approx(0.6), "0.6"), (0.8, "0.8")]
