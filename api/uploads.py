"""Model files on their way from an engineer's browser to an edge, which fetches them: a few, for some minutes."""

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.problems import ProblemType
from edge.contracts.errors import KullagerError

# the most that an edge takes
LARGEST: Final = 64 << 20
MOST: Final = 4
# an edge fetches at once, and for two minutes at most
KEPT_S: Final = 600.0


class UploadRefused(KullagerError):
    """A file cannot be taken; `type` is that of the problem."""

    def __init__(self, type: ProblemType, text: str) -> None:  # noqa: A002  # its name there
        super().__init__(text)
        self.type = type


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """`key` is the name by which it is fetched: nobody can guess it. `until` in s of a steady clock."""

    key: str
    path: Path
    sha256: str
    until: float


class Uploads:
    """`url` is where an edge reaches this api. What a process before this one has left is deleted."""

    def __init__(self, folder: Path, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._url, self._clock = folder, url.rstrip("/"), clock
        self._kept: dict[str, Upload] = {}
        self._arriving = 0
        with contextlib.suppress(OSError):
            for left in folder.glob("*.onnx"):
                left.unlink()

    async def take(self, parts: AsyncIterator[bytes]) -> Upload:
        """Write down what arrives. Raises `UploadRefused`."""
        self._tidy()
        if len(self._kept) + self._arriving >= MOST:
            raise UploadRefused(
                ProblemType.BUSY, f"{MOST} files are on their way to edges, which is the most at a time; try again in minutes"
            )
        key, digest, size = secrets.token_urlsafe(24), hashlib.sha256(), 0
        path = self._folder / f"{key}.onnx"
        self._arriving += 1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                async for part in parts:
                    size += len(part)
                    if size > LARGEST:
                        raise UploadRefused(
                            ProblemType.TOO_LARGE, f"the file has more than {LARGEST} bytes, the most that a model may have"
                        )
                    digest.update(part)
                    await asyncio.to_thread(file.write, part)
            if not size:
                raise UploadRefused(ProblemType.EMPTY_FILE, "the body is empty; send the bytes of an ONNX file")
        except OSError as error:
            path.unlink(missing_ok=True)
            raise UploadRefused(ProblemType.NO_ROOM, f"the file cannot be kept: {error.strerror or error}") from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            self._arriving -= 1
        upload = Upload(key=key, path=path, sha256=digest.hexdigest(), until=self._clock() + KEPT_S)
        self._kept[key] = upload
        return upload

    def address(self, upload: Upload) -> str:
        return f"{self._url}/api/v1/models/files/{upload.key}"

    def find(self, key: str) -> Path | None:
        """The file, as long as it is kept."""
        self._tidy()
        upload = self._kept.get(key)
        return upload.path if upload is not None else None

    def drop(self, upload: Upload) -> None:
        self._kept.pop(upload.key, None)
        upload.path.unlink(missing_ok=True)

    def _tidy(self) -> None:
        for upload in [each for each in self._kept.values() if each.until < self._clock()]:
            self.drop(upload)
