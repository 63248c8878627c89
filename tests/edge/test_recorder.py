"""What the plant said is written down: nothing wrong is ever read back, and what is missing is named."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edge.contracts.plant import Plant, RecordingSettings
from edge.contracts.plant_file import load_plant
from edge.contracts.sample_batch import Quality, SampleBatch, TextTable
from edge.formats.sample_log import begin, read_log, samples
from edge.recorder import RESERVE, Recorder, left_open
from edge.recordings import WHOLE_DAY, recorded, tidy

ROOT = Path(__file__).parents[2]
DAY_S = 86_400
# 2026-11-25T22:00Z
NOW = 1_795_644_000
SECOND = 1_000_000_000
KEPT = RecordingSettings()


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(ROOT / "tests/cases/training/plant.toml")


def recipes(plant: Plant) -> dict[int, TextTable]:
    return {plant.signal_index["pump", "recipe"]: TextTable()}


def second(plant: Plant, texts: dict[int, TextTable], at: int) -> SampleBatch:
    """A second of the pump: speed and flow, the recipe in words; each fifth flow is bad."""
    speed, flow, recipe = (plant.signal_index["pump", name] for name in ("speed", "flow", "recipe"))
    bad = at % 5 == 0
    return SampleBatch.of(
        [speed, flow, recipe],
        [at * SECOND] * 3,
        [1000.0 + at % 60, np.nan if bad else 20.0 + at % 7, texts[recipe].code("shaft" if at // 60 % 2 else "flange")],
        [Quality.GOOD, Quality.BAD if bad else Quality.GOOD, Quality.GOOD],
    )


def record(folder: Path, plant: Plant, first: int, n: int, **limits: float) -> Recorder:
    texts = recipes(plant)
    recorder = Recorder(folder, KEPT, plant.signal_table, texts, **limits)  # type: ignore[arg-type]
    for at in range(first, first + n):
        recorder.add(second(plant, texts, at))
        recorder.write(float(at))
    return recorder


def table(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder).sort_values(["time", "signal"], kind="stable")


def test_it_becomes_parquet_by_asset_and_day(plant: Plant, tmp_path: Path) -> None:
    first = NOW + 2 * 3600 - 100
    record(tmp_path, plant, first, 200).close()
    tidy(tmp_path, KEPT, first + 200)
    assert [(found.asset, found.day, found.rows) for found in recorded(tmp_path)] == [
        ("pump", "2026-11-25", 300),
        ("pump", "2026-11-26", 300),
    ]
    assert not list(tmp_path.glob("*.klog"))
    found = table(tmp_path)
    assert found["time"].iloc[0] == pd.Timestamp(first, unit="s", tz="UTC")
    speed, flow, recipe = (found[found["signal"] == name] for name in ("speed", "flow", "recipe"))
    assert speed["value"].tolist() == [1000.0 + at % 60 for at in range(first, first + 200)]
    assert recipe["text"].tolist() == ["shaft" if at // 60 % 2 else "flange" for at in range(first, first + 200)]
    assert recipe["value"].isna().all()
    assert (
        (flow["quality"] == "bad").tolist()
        == flow["value"].isna().tolist()
        == [at % 5 == 0 for at in range(first, first + 200)]
    )


def test_logs_of_an_hour_become_one_file_when_the_day_is_over(plant: Plant, tmp_path: Path) -> None:
    record(tmp_path, plant, NOW, 400, longest_s=100.0).close()
    (day,) = {path.parent for path in _tidied(tmp_path, NOW + 400)}
    assert len(list(day.glob("*.parquet"))) == 4
    before = table(tmp_path)
    assert [path.name for path in _tidied(tmp_path, NOW + DAY_S)] == [WHOLE_DAY]
    pd.testing.assert_frame_equal(table(tmp_path).reset_index(drop=True), before.reset_index(drop=True))
    # late samples of that day join it, and doing it again changes nothing
    record(tmp_path, plant, NOW + 1000, 10).close()
    assert [path.name for path in _tidied(tmp_path, NOW + DAY_S)] == [WHOLE_DAY]
    assert len(table(tmp_path)) == 3 * 410


def test_a_crash_between_two_steps_leaves_nothing_twice(plant: Plant, tmp_path: Path) -> None:
    record(tmp_path, plant, NOW, 200, longest_s=100.0).close()
    logs = {path: path.read_bytes() for path in tmp_path.glob("*.klog")}
    parts = {path: path.read_bytes() for path in _tidied(tmp_path, NOW + 200)}
    for path, content in logs.items():
        path.write_bytes(content)
    _tidied(tmp_path, NOW + 200)
    assert len(table(tmp_path)) == 600
    _tidied(tmp_path, NOW + DAY_S)
    for path, content in parts.items():
        path.write_bytes(content)
    assert [path.name for path in _tidied(tmp_path, NOW + DAY_S)] == [WHOLE_DAY]
    assert len(table(tmp_path)) == 600


def _tidied(folder: Path, now: float) -> list[Path]:
    tidy(folder, KEPT, now)
    return sorted(folder.glob("asset=*/day=*/*.parquet"))


def test_a_kill_at_any_moment_costs_the_last_second_at_most(plant: Plant, tmp_path: Path) -> None:
    """A process that records as fast as it can, killed again and again; it says each second when it has written it."""
    code = f"""
from pathlib import Path
from tests.edge.test_recorder import *
plant = load_plant(ROOT / "tests/cases/training/plant.toml")
texts = recipes(plant)
recorder = Recorder(Path({str(tmp_path)!r}), KEPT, plant.signal_table, texts)
for at in range(NOW, NOW + 10**9):
    recorder.add(second(plant, texts, at))
    recorder.write(float(at))
    print(at, flush=True)
"""
    random = np.random.default_rng(4)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(int(random.integers(1, 3000))):
                said = process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            said = [said, *process.stdout.read().splitlines(keepends=True)][-1] or said
        (path,) = tmp_path.glob("*.open")
        log = read_log(path)
        newest = max(int(batch.time.max()) for batch in log.batches) // SECOND
        assert newest >= int(said) if said.endswith("\n") else newest >= int(said or 0)
        assert log.damaged == log.cut_off
        assert left_open(tmp_path) == 1
        tidy(tmp_path, KEPT, NOW)
        assert table(tmp_path)["time"].max() == pd.Timestamp(newest, unit="s", tz="UTC")
        for part in tmp_path.glob("asset=*/day=*/*.parquet"):
            part.unlink()


def test_bits_that_flip_are_found_and_never_a_wrong_value(plant: Plant, tmp_path: Path) -> None:
    record(tmp_path, plant, NOW, 300).close()
    (path,) = tmp_path.glob("*.klog")
    content = path.read_bytes()

    def rows() -> set[tuple[int, int, str, int]]:
        log = read_log(path)
        return {
            (int(signal), int(time), repr(float(value)), int(quality))
            for batch in log.batches
            for signal, time, value, quality in zip(batch.signal, batch.time, batch.value, batch.quality, strict=True)
        }

    whole, random = rows(), np.random.default_rng(5)
    for _ in range(200):
        flipped = bytearray(content)
        at = int(random.integers(len(flipped)))
        flipped[at] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        found = rows()
        assert found <= whole
        log = read_log(path)
        assert log.damaged > 0
        # one record at most is lost
        assert len(whole) - len(found) <= 3


def test_a_damaged_recording_is_not_read_as_if_it_were_whole(plant: Plant, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    record(tmp_path, plant, NOW, 3000).close()
    (path,) = _tidied(tmp_path, NOW + 3000)
    content, whole, found = path.read_bytes(), pq.read_table(path).to_pydict(), 0
    random = np.random.default_rng(6)
    for at in random.integers(4, len(content) - 8, 60):
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        try:
            read = pq.ParquetFile(path, page_checksum_verification=True).read().to_pydict()
        except Exception:  # of many kinds
            found += 1
        else:
            # statistics and sizes that nobody needs to read the values
            assert {name: list(map(repr, read[name])) for name in whole} == {
                name: list(map(repr, column)) for name, column in whole.items()
            }
    assert found > 30


def test_a_full_disk_stops_recording_and_says_so_and_it_goes_on(plant: Plant, tmp_path: Path) -> None:
    texts, free = recipes(plant), RESERVE - 1
    recorder = Recorder(tmp_path, KEPT, plant.signal_table, texts, free=lambda: free)
    recorder.add(second(plant, texts, NOW))
    recorder.write(NOW)
    assert recorder.status.lost == 3
    assert "0.5 GB are free, and 0.5 are left to results" in str(recorder.status.problem)
    free = RESERVE + 1
    recorder.add(second(plant, texts, NOW + 1))
    recorder.write(NOW + 1)
    assert (recorder.status.samples, recorder.status.lost, recorder.status.problem) == (3, 3, None)
    recorder.close()


def test_a_write_that_fails_half_way_leaves_whole_records(plant: Plant, tmp_path: Path) -> None:
    """A limit on the size of files makes the kernel write a part and refuse the rest, as a full disk does."""
    code = f"""
import resource, signal
from pathlib import Path
from tests.edge.test_recorder import *
plant = load_plant(ROOT / "tests/cases/training/plant.toml")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
texts = recipes(plant)
recorder = Recorder(Path({str(tmp_path)!r}), KEPT, plant.signal_table, texts)
for at in range(NOW, NOW + 100):
    recorder.add(second(plant, texts, at))
    recorder.write(float(at))
assert recorder.status.problem and recorder.status.lost, recorder.status
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for at in range(NOW + 100, NOW + 200):
    recorder.add(second(plant, texts, at))
    recorder.write(float(at))
assert recorder.status.problem is None
assert recorder.status.samples + recorder.status.lost == 600
print(recorder.status.samples)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.open")
    log = read_log(path)
    assert (log.damaged, sum(map(len, log.batches))) == (0, int(done.stdout))


def test_days_go_by_age_and_by_size(plant: Plant, tmp_path: Path) -> None:
    for day in range(5):
        record(tmp_path, plant, NOW + day * DAY_S, 300).close()
    tidy(tmp_path, KEPT, NOW + 4 * DAY_S)
    days = recorded(tmp_path)
    assert len(days) == 5
    tidy(tmp_path, RecordingSettings(keep_days=2), NOW + 4 * DAY_S)
    assert [found.day for found in recorded(tmp_path)] == [found.day for found in days[2:]]
    tidy(tmp_path, RecordingSettings(max_gb=days[-1].n_bytes * 1.5 / 1e9), NOW + 4 * DAY_S)
    assert [found.day for found in recorded(tmp_path)] == [days[-1].day]


def test_none_is_kept_where_the_plant_file_says_so(plant: Plant, tmp_path: Path) -> None:
    texts = recipes(plant)
    recorder = Recorder(tmp_path / "recordings", RecordingSettings(max_gb=0), plant.signal_table, texts)
    recorder.add(second(plant, texts, NOW))
    recorder.write(NOW)
    assert not (tmp_path / "recordings").exists()


def test_a_log_without_anything_is_no_fault(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "1-1.klog").write_bytes(b"")
    (tmp_path / "2-1.klog").write_bytes(begin(plant.signal_table)[:-3])
    (tmp_path / "3-1.klog").write_bytes(os.urandom(5000) + samples([SampleBatch.of([0], [1], [2.0])])[:-1])
    tidy(tmp_path, KEPT, NOW)
    assert recorded(tmp_path) == []
