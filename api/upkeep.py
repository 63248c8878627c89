"""What the api does beside its work, in short steps: summarise what an older version has left, and forget what is too old."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from api.retention import DAY_NS, Keep
from api.store import Store

logger = logging.getLogger(__name__)

EVENTS_AT_ONCE: Final = 5000
LOOK_EVERY_S: Final = 60.0
T = TypeVar("T")


class Upkeep:
    """`run` it as a task. `forgotten` counts the results that were."""

    def __init__(
        self, store: Store, keep: Keep, *, now: Callable[[], int] = time.time_ns, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self.forgotten = 0
        self._store, self._keep, self._now, self._look_every_s = store, keep, now, look_every_s

    async def run(self) -> None:
        if (warning := self._keep.warning(self._store.dialect)) is not None:
            logger.warning("%s", warning)
        while True:
            try:
                await self._summarise()
                await self._trim()
            except SQLAlchemyError as error:
                # the same is tried again: nothing is half done
                logger.warning("the database is not tidied: %s", error)
            await asyncio.sleep(self._look_every_s)

    async def _summarise(self) -> None:
        if self._store.backlog is None:
            return
        logger.info("summarising the history that an older version has left: %d events", self._store.backlog.last)
        while await self._step(lambda: self._store.summarise_step(EVENTS_AT_ONCE)):
            pass
        logger.info("the history is summarised")

    async def _trim(self) -> None:
        before, after, more = self.forgotten, 0, True
        while more:
            oldest = self._now() - self._keep.days * DAY_NS
            step = await self._step(lambda: self._store.trim_step(self._keep, oldest, after))  # noqa: B023  # called at once
            self.forgotten += step.forgotten
            after, more = step.after, step.more
        if self.forgotten > before:
            logger.info("%d results were forgotten: too old, or too many", self.forgotten - before)

    async def _step(self, do: Callable[[], T]) -> T:
        """One step, and then as long for the others."""
        begun = time.monotonic()
        done = await asyncio.to_thread(do)
        await asyncio.sleep(time.monotonic() - begun)
        return done
