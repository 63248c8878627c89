"""What is kept of each alarm: the right samples in files that others can read, within bounds, and nothing else broken."""

import io
import json
import logging
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edge.contracts.alarm import Alarm, AlarmState, BilingualText, Priority, Suppression
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable, WaveformBlock
from edge.contracts.spectrum import SpectrumLine, WaveformSpectrum
from edge.evidence import PART_BYTES, Evidence, NoEvidence, parts_of
from edge.formats.json_message import decode

S = 1_000_000_000
START = 1_700_000_000 * S
PLANT = """
schema = 1
[site]
enterprise = "example"
site = "works"
area = "hall"
[edge]
id = "edge-1"
evidence = {{ before_s = 20.0, after_s = 5.0, max_gb = {max_gb} }}
[sources.broker]
kind = "mqtt"
url = "mqtt://127.0.0.1:1883"
[assets.press-1]
class = "press"
context = ["recipe"]
[assets.press-1.signals]
force = {{ unit = "kN", source = "broker", topic = "p", field = "force" }}
recipe = {{ unit = "1", source = "broker", topic = "p", field = "recipe" }}
[assets.press-1.waveforms]
head = {{ unit = "m/s2", source = "broker", topic = "w1", points = 8, rate_hz = 100.0, every_s = 2.0 }}
foot = {{ unit = "m/s2", source = "broker", topic = "w2", points = 16, rate_hz = 200.0, every_s = 2.0 }}
[assets.press-2]
class = "press"
[assets.press-2.signals]
force = {{ unit = "kN", source = "broker", topic = "q", field = "force" }}
"""
FORCE, RECIPE, OTHER, HEAD, FOOT = range(5)


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return plant_of(tmp_path)


def plant_of(folder: Path, max_gb: float = 1.0) -> Plant:
    path = folder / "plant.toml"
    path.write_text(PLANT.format(max_gb=max_gb), encoding="utf-8")
    return load_plant(path)


@pytest.fixture
def evidence(tmp_path: Path, plant: Plant) -> Evidence:
    return Evidence(tmp_path / "evidence", plant, {RECIPE: TextTable(("day", "nätt"))})


def alarm(second: int = 30, asset: str = "press-1", alarm_id: str = "a-1", **about: object) -> Alarm:
    time = START + second * S
    fields: dict[str, object] = {
        "asset": asset,
        "alarm_id": alarm_id,
        "rule": "anomaly",
        "priority": Priority.HIGH,
        "state": AlarmState.ACTIVE_UNACKNOWLEDGED,
        "raised": time,
        "changed": time,
        "text": BilingualText(sv="Pressen", en="The press"),
    }
    return Alarm(**(fields | about))  # type: ignore[arg-type]


def samples(seconds: Iterable[int]) -> list[SampleBatch]:
    """Each second the force of both presses, in one batch, and the recipe of the first."""
    return [
        SampleBatch.of([FORCE, OTHER, RECIPE], [START + s * S] * 3, [float(s), -1.0, float(s % 2)], [0, 0, 0]) for s in seconds
    ]


def fill(evidence: Evidence, seconds: Iterable[int]) -> None:
    for batch in samples(seconds):
        evidence.take(batch)


def block(signal: int, second: int) -> WaveformBlock:
    points = {HEAD: 8, FOOT: 16}[signal]
    return WaveformBlock(signal=signal, time=START + second * S, rate_hz=100.0, points=np.full(points, second, np.float32))


def found(second: int, asset: str = "press-1", signal: str = "head") -> WaveformSpectrum:
    line = SpectrumLine(name="1x", hz=24.0, amplitude=0.5)
    return WaveformSpectrum(
        asset=asset,
        signal=signal,
        time=START + second * S,
        unit="m/s2",
        shaft_hz=24.0,
        step_hz=1.0,
        amplitude=(0.0, 1.0),
        envelope_step_hz=1.0,
        envelope=(0.0,),
        lines=(line,),
    )


def written(evidence: Evidence, now: int | None = None) -> list[Path]:
    drafts = evidence.due(now)
    for draft in drafts:
        draft.write()
    return [draft.path for draft in drafts]


def table(content: bytes, name: str) -> pd.DataFrame:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return pd.read_parquet(io.BytesIO(file.read(name)))


def test_the_samples_of_that_machine_from_before_to_after(evidence: Evidence) -> None:
    fill(evidence, range(31))
    evidence.saw([alarm()], [])
    fill(evidence, range(31, 40))
    bad = SampleBatch.of([FORCE, RECIPE], [START + 33 * S + 1] * 2, [np.nan, np.nan], [Quality.BAD, Quality.UNCERTAIN])
    evidence.take(bad)
    assert evidence.due(START + 34 * S) == []
    with pytest.raises(NoEvidence, match="the evidence of alarm a-1 is complete 5 s after it began"):
        evidence.read("a-1")
    assert [path.name for path in written(evidence, START + 35 * S)] == ["a-1.zip"]
    assert evidence.due(START + 35 * S) == []
    frame = table(evidence.read("a-1"), "samples.parquet")
    assert list(frame.columns) == ["time", "signal", "value", "text", "quality"]
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    force = frame[frame["signal"] == "force"]
    assert force["value"].dropna().tolist() == [float(second) for second in range(10, 36)]
    assert force["quality"].value_counts().to_dict() == {"good": 26, "bad": 1}
    assert frame["time"].is_monotonic_increasing
    recipe = frame[frame["signal"] == "recipe"]
    assert recipe["text"].dropna().tolist() == ["day", "nätt"] * 13
    assert recipe["value"].isna().all()
    assert set(frame["signal"]) == {"force", "recipe"}


def test_alarm_blocks_and_spectra_are_in_the_file(evidence: Evidence) -> None:
    fill(evidence, range(31))
    for second in range(0, 38, 2):
        evidence.take(block(HEAD, second))
        evidence.take(block(FOOT, second))
    raised = alarm()
    evidence.saw([raised], [found(30), found(30, signal="foot"), found(30, asset="press-2")])
    evidence.saw([], [found(32)])
    written(evidence)
    content = evidence.read("a-1")
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        names = set(file.namelist())
        assert decode(Alarm, file.read("alarm.json"), "alarm.json") == raised
        about = json.loads(file.read("about.json"))
        spectrum = decode(WaveformSpectrum, file.read(f"spectrum-head-{START + 32 * S}.json"), "spectrum")
    assert names == {
        *("alarm.json", "about.json", "samples.parquet", "waveforms.parquet"),
        *(f"spectrum-{name}-{START + second * S}.json" for name, second in (("head", 30), ("foot", 30), ("head", 32))),
    }
    assert spectrum == found(32)
    assert about["units"] == {"force": "kN", "recipe": "1", "head": "m/s2", "foot": "m/s2"}
    assert (about["from"], about["to"]) == ("2023-11-14T22:13:30Z", "2023-11-14T22:13:55Z")
    blocks = table(content, "waveforms.parquet")
    heads = blocks[blocks["signal"] == "head"]
    assert [points[0] for points in heads["points"]] == [float(second) for second in range(10, 36, 2)]
    assert {len(points) for points in blocks[blocks["signal"] == "foot"]["points"]} == {16}


def test_two_alarms_at_once_have_a_file_each(evidence: Evidence) -> None:
    fill(evidence, range(40))
    evidence.saw([alarm(), alarm(alarm_id="a-2"), alarm(asset="press-2", alarm_id="b-1")], [found(30)])
    assert sorted(path.name for path in written(evidence, START + 60 * S)) == ["a-1.zip", "a-2.zip", "b-1.zip"]
    assert set(table(evidence.read("b-1"), "samples.parquet")["value"]) == {-1.0}
    with zipfile.ZipFile(io.BytesIO(evidence.read("b-1"))) as file:
        assert set(file.namelist()) == {"alarm.json", "about.json", "samples.parquet"}


def test_only_what_begins_is_kept_and_what_a_flood_suppresses_too(evidence: Evidence) -> None:
    time = START + 30 * S
    evidence.saw(
        [
            alarm(alarm_id="acknowledged", state=AlarmState.ACTIVE_ACKNOWLEDGED),
            alarm(alarm_id="heard-again", changed=time + S),
            alarm(alarm_id="out", state=AlarmState.OUT_OF_SERVICE),
            alarm(alarm_id="flooded", state=AlarmState.SUPPRESSED, suppressed_by=Suppression.FLOOD),
        ],
        [],
    )
    assert [path.stem for path in written(evidence)] == ["flooded"]
    assert table(evidence.read("flooded"), "samples.parquet").empty


def test_a_stop_writes_what_is_due_later(evidence: Evidence) -> None:
    fill(evidence, range(31))
    evidence.saw([alarm()], [])
    written(evidence, None)
    assert table(evidence.read("a-1"), "samples.parquet")["value"].max() == 30.0


def test_memory_is_bounded_in_time_and_in_number(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(evidence, range(5000))
    for second in range(0, 5000, 2):
        evidence.take(block(HEAD, second))
    evidence.saw([alarm(second=4999)], [])
    (draft,) = evidence.due(None)
    assert sum(len(batch) for batch in evidence._samples) <= 3 * 32
    assert len(draft.blocks) <= 14
    monkeypatch.setattr("edge.evidence.MOST_SAMPLES", 30)
    fill(evidence, [5000])
    assert sum(len(batch) for batch in evidence._samples) <= 30


def test_the_oldest_files_go_when_there_is_no_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    evidence = Evidence(tmp_path / "evidence", plant_of(tmp_path, max_gb=25e-6), {RECIPE: TextTable()})
    folder = tmp_path / "evidence"
    folder.mkdir()
    for age, name in enumerate(("new.zip", "left-by-a-kill.part", "old.zip")):
        (folder / name).write_bytes(b"x" * 10_000)
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    with caplog.at_level(logging.WARNING):
        evidence.tidy()
    assert sorted(path.name for path in folder.iterdir()) == ["left-by-a-kill.part", "new.zip"]
    assert "old.zip: was removed, evidence may take 2.5e-05 GB" in caplog.text
    evidence.tidy()
    assert len(list(folder.iterdir())) == 2


def test_nothing_is_kept_where_nothing_is_wanted(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path / "evidence", plant_of(tmp_path, max_gb=0.0), {RECIPE: TextTable()})
    fill(evidence, range(31))
    evidence.take(block(HEAD, 1))
    evidence.saw([alarm()], [found(30)])
    assert evidence.due(None) == []
    evidence.tidy()
    assert not (tmp_path / "evidence").exists()
    with pytest.raises(NoEvidence, match="no evidence is kept of alarm a-1"):
        evidence.read("a-1")


@pytest.mark.parametrize("alarm_id", ["../secret", "/etc/hostname", "..", "", "a/b", "a\0b", "a\\b", ".hidden", "x\n"])
def test_an_id_never_leads_out_of_the_folder(tmp_path: Path, evidence: Evidence, alarm_id: str) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "secret.zip").write_bytes(b"secret")
    (tmp_path / "evidence" / ".hidden.zip").write_bytes(b"secret")
    with pytest.raises(NoEvidence, match="no evidence is kept of alarm "):
        evidence.read(alarm_id)


def test_a_disk_that_takes_nothing_is_told_and_leaves_nothing_behind(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(evidence, range(31))
    evidence.saw([alarm(), alarm(alarm_id="a-2")], [])
    first, second = evidence.due(None)
    real = zipfile.ZipFile.writestr

    def full(self: zipfile.ZipFile, name: str, content: bytes) -> None:
        if name == "samples.parquet":
            raise OSError(28, "No space left on device")
        real(self, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises(OSError, match="No space left"):
            first.write()
    assert list((tmp_path / "evidence").iterdir()) == []
    second.write()
    assert len(evidence.read("a-2")) > 0
    with pytest.raises(NoEvidence, match="or was not written"):
        evidence.read("a-1")


def test_a_file_goes_in_parts_that_a_broker_takes() -> None:
    content = os.urandom(2 * PART_BYTES + 5)
    parts, sha256 = parts_of(content)
    assert [len(part) for part in parts] == [PART_BYTES, PART_BYTES, 5]
    assert b"".join(parts) == content
    assert len(sha256) == 64
