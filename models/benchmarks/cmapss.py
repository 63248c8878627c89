"""Remaining life on C-MAPSS FD001: turbofans that were run to failure, in NASA's simulator.

The model is chosen and its interval measured by leaving out whole engines of the training file; the test engines are
looked at once, by the model as it is exported.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.errors import RecordingError
from models.features import FeatureGraph, Windows, build, open_session
from models.remaining_life import TREND, LifeRegressor, trend_constants, trends

# cycles: what is farther off shows in no sensor; the same for all published figures
CAP: Final = 125
WINDOW: Final = 200
# an engine is judged from here on
FIRST_CYCLE: Final = 20
PUBLISHED: Final = (("deep LSTM (2017)", 16.1), ("later work, best", 10.4))


def cmapss(folder: Path, step: Callable[[str], None]) -> str:
    """The table of figures. Raises `RecordingError` where a file is not there."""
    train, test, actual = (_read(folder / name) for name in ("train_FD001.txt", "test_FD001.txt", "RUL_FD001.txt"))
    # what never changes teaches nothing
    varying = [column for column in range(5, 26) if len(np.unique(train[:, column])) > 3]
    windows, engine, cycle, last = _windows(train, varying)
    features = FeatureGraph.learn(windows, ())
    step("features of the training engines")
    seen = trends(features, windows)
    life = np.minimum(last - cycle, CAP).astype(np.float64)
    model = LifeRegressor(horizon=CAP)
    step("held-out engines, in five groups")
    predicted = model.held_out(seen, life, engine)
    coverage = model.coverage(predicted, life, engine)
    model.fit(seen, life).calibrate(predicted, life)
    step("export, and the test engines")
    content = _graph(model, features)
    session = open_session(content)
    windows, engine, cycle, last = _windows(test, varying)
    newest = windows.take(np.flatnonzero(cycle == last))
    (given,) = session.run(["rul_h"], {"window": newest})
    low, middle, high = given.astype(np.float64).T
    truth = actual.ravel()
    error = middle - truth
    floor = np.full(len(truth), np.minimum(life, CAP).mean())
    # an interval that reaches the cap says "this long or longer"
    inside = (low <= truth) & ((truth <= high) | (high >= CAP - 1e-3))
    lines = [
        f"C-MAPSS FD001, remaining life, {len(truth)} test engines (training RUL capped at {CAP} cycles)",
        f"{'':<44}{'RMSE':>7}{'PHM score':>11}{'80 % interval':>15}",
        f"{'test engines, true RUL':<44}{_rmse(error):>7.2f}{_phm(error):>11.0f}{inside.mean():>15.1%}",
        f"{'test engines, RUL capped as in training':<44}{_rmse(middle - np.minimum(truth, CAP)):>7.2f}",
        f"{'training engines, held out, every cycle':<44}{_rmse(predicted - life):>7.2f}{'':>11}{coverage:>15.1%}",
        f"{'always the mean of training (floor)':<44}{_rmse(floor - truth):>7.2f}{_phm(floor - truth):>11.0f}",
    ]
    lines += [f"{'published: ' + name:<44}{rmse:>7.1f}" for name, rmse in PUBLISHED]
    return "\n".join([*lines, f"size of the graph: {len(content) / 1e6:.2f} MB"])


def _graph(model: LifeRegressor, features: FeatureGraph) -> bytes:
    fragment = model.fragment()
    constants = features.constants | trend_constants(features.n_samples) | fragment.constants
    inputs = f"float[n_assets, {features.n_samples}, {features.n_signals}] window"
    nodes = features.text + TREND + fragment.text
    content: bytes = build(
        "life", inputs, "float[n_assets, 3] rul_h", nodes, constants, fragment.attributes
    ).SerializeToString()
    return content


def _windows(
    rows: NDArray[np.float64], varying: list[int]
) -> tuple[Windows, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Windows of each engine, missing before its first cycle; of each window its engine, cycle, and the engine's last."""
    parts, last_rows, engines, cycles, lasts = [], [], [], [], []
    n = 0
    for engine in np.unique(rows[:, 0]).astype(np.int64):
        own = rows[rows[:, 0] == engine]
        block = own[:, [*varying, 1]].astype(np.float32)
        parts += [np.full((WINDOW, block.shape[1]), np.nan, np.float32), block]
        judged = np.arange(min(FIRST_CYCLE, len(own)), len(own) + 1)
        last_rows.append(n + WINDOW + judged - 1)
        engines.append(np.full(len(judged), engine))
        cycles.append(judged)
        lasts.append(np.full(len(judged), len(own)))
        n += WINDOW + len(own)
    windows = Windows(values=np.concatenate(parts), last=np.concatenate(last_rows), n_samples=WINDOW)
    return windows, np.concatenate(engines), np.concatenate(cycles), np.concatenate(lasts)


def _read(path: Path) -> NDArray[np.float64]:
    try:
        return np.loadtxt(path, ndmin=2)
    except OSError:
        raise RecordingError(f"{path}: is not there; FOLDER should hold the files of C-MAPSS as NASA publishes them") from None


def _rmse(error: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _phm(error: NDArray[np.float64]) -> float:
    """The score of the PHM 2008 challenge: late costs more than early, lower is better."""
    return float(np.where(error < 0, np.exp(-error / 13), np.exp(error / 10)).sum() - len(error))
