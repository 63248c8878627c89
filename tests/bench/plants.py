"""Plants of any size and a model of the default family for them: what the benches feed."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import numpy as np

from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.formats.recording import Recording
from models.export import write
from models.settings import Settings
from models.training import train
from tests.bench.opcua_source import NAMESPACE

N_SIGNALS, N_SAMPLES = 8, 60
S: Final = 1_000_000_000
SITE: Final = '[site]\nenterprise = "example"\nsite = "works"\narea = "hall"\n'
OPCUA: Final = '[sources.plc]\nkind = "opcua"\nurl = "{url}"\nclock = "source"\npublishing_ms = 100\n'
MQTT: Final = '[sources.broker]\nkind = "mqtt"\nurl = "{url}"\nclock = "source"\n'


def opcua_plant(
    path: Path, n_assets: int, url: str, broker: str, metrics: str, *, field: str = "", first: int = 0, edge: str = "edge-1"
) -> Path:
    """Assets of eight signals, press-`first` and the next ones, node after node of the bench's source; field: of its values."""
    within = f', field = "{field}"' if field else ""
    rows = (
        ASSET.format(n=n)
        + "".join(
            f's{k} = {{ unit = "1", source = "plc", node = "nsu={NAMESPACE};s=s{n * N_SIGNALS + k}"{within} }}\n'
            for k in range(N_SIGNALS)
        )
        for n in range(first, first + n_assets)
    )
    return _written(path, OPCUA.format(url=url) + MQTT.format(url=broker), metrics, "".join(rows), edge)


def mqtt_plant(path: Path, n_assets: int, broker: str, metrics: str = "", *, n_signals: int = N_SIGNALS) -> Path:
    """The same, with one topic `press/n` for an asset, and its signals as fields."""
    rows = (
        ASSET.format(n=n)
        + "".join(
            f's{k} = {{ unit = "1", source = "broker", topic = "press/{n}", field = "s{k}", time_field = "time" }}\n'
            for k in range(n_signals)
        )
        for n in range(n_assets)
    )
    return _written(path, MQTT.format(url=broker), metrics, "".join(rows))


ASSET: Final = """
[assets.press-{n}]
class = "press"
model = "press"
[assets.press-{n}.signals]
"""


def _written(path: Path, sources: str, metrics: str, assets: str, name: str = "edge-1") -> Path:
    edge = f'[edge]\nid = "{name}"\n' + (f'metrics = "{metrics}"\n' if metrics else "")
    path.write_text(f"schema = 1\n{SITE}{edge}{sources}{assets}", encoding="utf-8")
    return path


@cache
def model_file() -> Path:
    """The default family, trained on noise with some correlation."""
    folder = Path(mkdtemp(prefix="kullager-bench-"))
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, N_SIGNALS)) + rng.normal(size=(2000, 1))
    recording = Recording(
        path="noise",
        asset="press-0",
        time=np.arange(2000, dtype=np.int64) * S,
        values={f"s{k}": values[:, k] for k in range(N_SIGNALS)},
    )
    path = folder / "press.onnx"
    plant: Plant = load_plant(mqtt_plant(folder / "plant.toml", 1, "mqtt://127.0.0.1:1883"))
    write(path, train(recording, plant, Settings(n_samples=N_SAMPLES)).content)
    return path
