"""Live machines: a row on every whole period, paced by the wall clock."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from edge.contracts.plant import Plant
from simulator.accelerometers import Accelerometers
from simulator.simulated_site import SimulatedSite
from simulator.stage import open_stage

logger = logging.getLogger(__name__)

FURTHEST_OFF_S: Final = 10.0


async def run(
    plant: Plant, environ: Mapping[str, str], *, seed: int, speed: float, scenario: str = "", sparkplug: bool = False
) -> None:
    """Run all machines until cancelled. At `speed` 1 a row's time is now; faster, its time runs ahead of the clock."""
    site = SimulatedSite(plant, seed, scenario)
    accelerometers = Accelerometers(plant, site, seed)
    for asset in site.missing:
        logger.warning("%s is not simulated: there is no machine of class '%s'", asset, plant.assets[asset].asset_class)
    longest_period_s = max(plant.assets[asset].period_s for asset in site.assets)
    async with open_stage(plant, site, environ, sparkplug=sparkplug, disturbances=site.disturbances) as stage:
        began, first = time.time_ns(), time.time_ns()
        rows, slower = site.rows(first), False
        while True:
            row = next(rows)
            # by the wall clock, as the rows' times are: a monotonic clock stands still while a computer sleeps
            wait = (row.time - first) / 1e9 / speed - (time.time_ns() - began) / 1e9
            if not -FURTHEST_OFF_S < wait < longest_period_s + FURTHEST_OFF_S:
                passed_s, began = (time.time_ns() - began) / 1e9, time.time_ns()
                if speed == 1.0:
                    # the computer slept, or its clock was set: a row of another time would be a lie
                    logger.warning("the machines are %.0f s off the clock and go on from now", abs(wait))
                    first = began
                    rows = site.rows(first)
                    continue
                if not slower:
                    reached = (row.time - first) / 1e9 / passed_s
                    logger.warning("×%g is more than this computer manages; the machines run at about ×%.0f", speed, reached)
                first, wait, slower = row.time, 0.0, True
            await asyncio.sleep(max(wait, 0.0))
            if speed > 1.0:
                await stage.wait_for_brokers()
            await stage.show(row)
            for waveform, block in accelerometers.blocks(row.asset, row.time):
                await stage.show_waveform(waveform, block)
