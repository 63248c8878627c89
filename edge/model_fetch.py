"""Fetches a model file that a command names. Whatever the other side does, it is bounded in size and time."""

import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from edge.contracts.errors import ModelError
from edge.state_detection.onnx_model import MAX_MODEL_BYTES

SILENT_S: Final = 10.0
WITHIN_S: Final = 120.0
_PART: Final = 1 << 16


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where a file lies is what the command says, and nobody else."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        raise urllib.error.HTTPError(req.full_url, code, f"leads on to {newurl}; name that address instead", headers, fp)


def fetch(url: str, incoming: Path) -> bytes:
    """The bytes at an address. `incoming`: the folder below which files may be named. Raises `ModelError`."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        if not path.resolve().is_relative_to(incoming.resolve()):
            raise ModelError(f"{url}: only files below {incoming} can be named so")
        try:
            with path.open("rb") as file:
                content = file.read(MAX_MODEL_BYTES + 1)
        except OSError as error:
            raise ModelError(f"{url}: cannot be read: {error.strerror or error}") from None
        _check_size(url, len(content))
        return content
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelError(f"'{url}' should begin with http://, https:// or file://")
    opener = urllib.request.build_opener(_NoRedirects)
    ends, fetched = time.monotonic() + WITHIN_S, bytearray()
    try:
        with opener.open(url, timeout=SILENT_S) as answer:
            while part := answer.read1(_PART):
                fetched += part
                _check_size(url, len(fetched))
                if time.monotonic() > ends:
                    raise ModelError(f"{url}: takes longer than {WITHIN_S:g} s")
    except urllib.error.HTTPError as error:
        raise ModelError(f"{url}: answers {error.code} {error.msg}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{url}: cannot be fetched: {getattr(error, 'reason', None) or error}") from None
    return bytes(fetched)


def _check_size(url: str, n_bytes: int) -> None:
    if n_bytes > MAX_MODEL_BYTES:
        raise ModelError(f"{url}: has more than {MAX_MODEL_BYTES} bytes, which is the most that a model may have")
