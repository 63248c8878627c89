"""Live machines: a row on every whole period, paced by the wall clock."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from edge.contracts.plant import Plant
from simulator.site import SimulatedSite
from simulator.stage import open_stage

logger = logging.getLogger(__name__)

LONGEST_LAG_S: Final = 10.0


async def run(plant: Plant, environ: Mapping[str, str], *, seed: int, speed: float) -> None:
    """Run all machines until cancelled. At `speed` 1 a row's time is now; faster, its time runs ahead of the clock."""
    site = SimulatedSite(plant, seed)
    for asset in site.missing:
        logger.warning("%s is not simulated: there is no machine of class '%s'", asset, plant.assets[asset].asset_class)
    async with open_stage(plant, site, environ) as stage:
        started, began = time.monotonic(), time.time_ns()
        rows = site.rows(began)
        while True:
            row = next(rows)
            wait = (row.time - began) / 1e9 / speed - (time.monotonic() - started)
            if wait < -LONGEST_LAG_S:
                # the computer slept: a row of the past would be a lie, so the machines go on from now
                logger.warning("%.0f s behind the clock: the machines go on from now", -wait)
                started, began = time.monotonic(), time.time_ns()
                rows = site.rows(began)
                continue
            await asyncio.sleep(max(wait, 0.0))
            await stage.show(row)
