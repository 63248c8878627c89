"""Evidence while an edge serves: files are written in a thread, one after the other; the pipeline never waits for a disk."""

import asyncio
import logging
from collections.abc import Sequence

from edge.contracts.command import EvidenceAnswer, EvidenceCommand
from edge.evidence import Draft, Evidence, parts_of

logger = logging.getLogger(__name__)


class EvidenceFiles:
    """Of one edge. `look` now and then, `finish` at its end."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._writing: asyncio.Task[None] | None = None

    def look(self, now: int | None) -> None:
        """Begin to write what is due at this time of the plant [ns UTC]; None: it has none yet."""
        if now is None or (self._writing is not None and not self._writing.done()):
            return
        if drafts := self._evidence.due(now):
            self._writing = asyncio.create_task(self._write(drafts), name="evidence")

    async def finish(self) -> None:
        """Write all that is left."""
        if self._writing is not None:
            await self._writing
        await self._write(self._evidence.due(None))

    def answer(self, command: EvidenceCommand) -> tuple[list[bytes], EvidenceAnswer]:
        """The file that a command asks for, in parts. Raises `NoEvidence`."""
        content = self._evidence.read(command.alarm_id)
        parts, sha256 = parts_of(content)
        return parts, EvidenceAnswer(command_id=command.command_id, parts=len(parts), n_bytes=len(content), sha256=sha256)

    async def _write(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            try:
                await asyncio.to_thread(draft.write)
                await asyncio.to_thread(self._evidence.tidy)
            except OSError as error:
                logger.error("%s: evidence cannot be written: %s", draft.path, error.strerror or error)
