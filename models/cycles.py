"""A window for a machine that repeats itself: it holds several of its cycles, so that not each sees another part of one.

The means of a robot's torques over one and a half of its cycles waver far more than a wrong part in its gripper moves them.
Over ten cycles they stand still. Such a window is long beside the minutes that a product is made for in short series, so it
begins anew with each product.
"""

import math
from dataclasses import replace
from typing import Final

import numpy as np

from edge.contracts.plant import Asset
from edge.formats.recording import Recording
from models.settings import Settings, UnfitSettings

N_CYCLES: Final = 10
# beyond that many instants a window would show a sudden fault too late, and a cycle is long enough to be seen itself
LONGEST: Final = 300
PIECES: Final = "1"
DEFAULTS: Final = Settings()


def with_window(settings: Settings, recording: Recording, asset: Asset) -> Settings:
    """Settings with a window of ten cycles of the machine, as its counter of parts tells them.

    Raises `UnfitSettings` where the plant file names no such counter, the recording too few parts, or a window is too long.
    """
    product = asset.production.product if asset.production else None
    if product is None or asset.signals[product].unit != PIECES:
        raise UnfitSettings(
            f"--window cycles: production.product of '{recording.asset}' should count parts, in the unit \"{PIECES}\""
        )
    if product not in recording.values:
        raise UnfitSettings(f"--window cycles: {recording.path} should have a column for '{product}', which counts the parts")
    made = recording.time[1:][np.diff(recording.values[product]) > 0]
    if len(made) < N_CYCLES:
        raise UnfitSettings(f"--window cycles: '{product}' counts {len(made)} parts in {recording.path}; {N_CYCLES} are needed")
    instants = math.ceil(N_CYCLES * float(np.median(np.diff(made))) / (asset.period_s * 1e9))
    if instants > LONGEST:
        raise UnfitSettings(
            f"--window cycles: {N_CYCLES} cycles are {instants} instants, more than {LONGEST}; give a number instead"
        )
    return replace(settings, n_samples=max(instants, DEFAULTS.n_samples), since_change=True)
