"""Files that an edge sends in parts over the broker: gathered, and compared with what they should be."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from edge.contracts.command import EvidenceAnswer
from edge.contracts.errors import KullagerError, MessageError
from edge.formats.json_message import decode

END: Final = "end"
MOST_BYTES: Final = 256 << 20
_PART: Final = re.compile(r"[0-9]{1,9}")


class TransferFailed(KullagerError):
    """A file that came is not what it should be; the text says how."""


@dataclass(slots=True)
class _Transfer:
    whole: asyncio.Future[bytes]
    parts: dict[int, bytes] = field(default_factory=dict)
    answer: EvidenceAnswer | None = None
    n_bytes: int = 0


class Transfers:
    """Those that are expected; what nobody asked for is passed over."""

    def __init__(self) -> None:
        self._open: dict[str, _Transfer] = {}

    @contextlib.contextmanager
    def expected(self, command_id: str) -> Iterator[asyncio.Future[bytes]]:
        """A future for the file that answers this command; raises `TransferFailed`."""
        transfer = self._open[command_id] = _Transfer(asyncio.get_running_loop().create_future())
        try:
            yield transfer.whole
        finally:
            del self._open[command_id]
            # also where it has failed already: asyncio then tells nobody of an error that nobody fetched
            transfer.whole.cancel()

    def take(self, command_id: str, part: str, payload: bytes) -> None:
        """A part by its number, or the end. Parts may come in any order, and twice."""
        transfer = self._open.get(command_id)
        if transfer is None or transfer.whole.done():
            return
        try:
            if part == END:
                transfer.answer = decode(EvidenceAnswer, payload, f"evidence of {command_id}")
            elif not _PART.fullmatch(part):
                raise TransferFailed(f"'{part}' should be the number of a part, or '{END}'")
            elif int(part) not in transfer.parts:
                transfer.parts[int(part)] = payload
                transfer.n_bytes += len(payload)
        except (MessageError, TransferFailed) as error:
            transfer.whole.set_exception(TransferFailed(str(error)))
            return
        if transfer.n_bytes > MOST_BYTES:
            transfer.whole.set_exception(TransferFailed(f"it has more than {MOST_BYTES} bytes"))
        elif (answer := transfer.answer) is not None and len(transfer.parts) >= answer.parts:
            content = b"".join(transfer.parts[number] for number in sorted(transfer.parts))
            if hashlib.sha256(content).hexdigest() == answer.sha256:
                transfer.whole.set_result(content)
            else:
                transfer.whole.set_exception(TransferFailed("its sha256 is not what the edge says"))
