"""An edge that serves a plant file for as long as it runs, and follows what is changed in it.

A changed file is read when it has been left alone for a moment. Where it cannot be used everything goes on as it is, and the
log and the status say why. Otherwise a second service connects its sources while the first still serves, and takes over its
state: the assets that the change leaves as they are lose no sample, no window and no alarm.
"""

import asyncio
import gc
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge.contracts.errors import PlantError
from edge.contracts.plant import Plant
from edge.contracts.plant_file import load_plant
from edge.service import EdgeService

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0
WARM_UP_S: Final = 10.0


class Supervisor:
    """`plant` is what `path` says now; `await run(stop)` serves until the event is set."""

    def __init__(self, path: Path, plant: Plant, home: Path, environ: Mapping[str, str]) -> None:
        self._path, self._home, self._environ = path, home, environ
        self._seen = _content(path)
        self._service = EdgeService(plant, home, environ)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve. Raises `JournalError` where the journal cannot be opened."""
        # what has been made stays; to look through it for garbage would hold all else up, longer than a tick takes
        gc.freeze()
        gc.enable()
        stopped = asyncio.create_task(stop.wait())
        over = asyncio.Event()
        serving = asyncio.create_task(self._service.run(over))
        while True:
            changed = asyncio.create_task(self._changed())
            await asyncio.wait((serving, changed, stopped), return_when=asyncio.FIRST_COMPLETED)
            if serving.done() or stop.is_set():
                break
            if (successor := await self._successor(changed.result())) is None:
                continue
            self._service.is_relieved = True
            over.set()
            await serving
            logger.info("%s has changed, and is in use", self._path)
            self._service, over = successor, asyncio.Event()
            serving = asyncio.create_task(successor.run(over))
            # what is left of the one before is garbage now
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        for task in (changed, stopped):
            task.cancel()
        over.set()
        await serving

    async def _successor(self, plant: Plant) -> EdgeService | None:
        """A service of the changed plant with its sources connected; None where there can be none."""
        try:
            # models are loaded and tried, which takes a while
            successor = await asyncio.to_thread(EdgeService, plant, self._home, self._environ)
        except Exception as error:
            # whatever it is: what serves the plant now goes on
            self._service.plant_problem = f"the changed plant file is not in use: {error}"
            logger.exception("the plant file has been changed and cannot be used; all goes on as before")
            return None
        await successor.warm_up(WARM_UP_S)
        return successor

    async def _changed(self) -> Plant:
        """Waits for a plant file with another content that can be used."""
        while True:
            await asyncio.sleep(LOOK_S)
            content = _content(self._path)
            if content == self._seen:
                continue
            await asyncio.sleep(LOOK_S)
            if content is None or content != _content(self._path):
                # it is being written
                continue
            self._seen = content
            try:
                plant = load_plant(self._path, self._environ)
            except PlantError as error:
                first, *others = str(error).splitlines()
                more = f" (and {len(others)} more)" if others else ""
                self._service.plant_problem = f"the changed plant file is not in use: {first}{more}"
                logger.error("the plant file has been changed and is not in use; all goes on as before:\n%s", error)
                continue
            self._service.plant_problem = None
            return plant


def _content(path: Path) -> bytes | None:
    """A hash of the file's content; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None
