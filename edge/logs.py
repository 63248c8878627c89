"""Logs to standard error: for people, or as one JSON object a line where `KULLAGER_LOG=json` says so."""

import logging
import sys
import traceback
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import orjson

from edge.formats.json_message import format_time

LOG_FILE: Final = "edge.log"
LOG_BYTES: Final = 4 << 20
FOR_PEOPLE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """`time` (RFC 3339, UTC), `level`, `logger`, `message`, and `error` with the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": format_time(round(record.created * 1e6) * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            document["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        return orjson.dumps(document).decode()


def configure(environ: Mapping[str, str]) -> None:
    """Log from INFO on to standard error. Raises `ValueError` for a form that is not known."""
    form = environ.get("KULLAGER_LOG", "text")
    if form not in ("text", "json"):
        raise ValueError(f"KULLAGER_LOG is '{form}'; it should be text or json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(FOR_PEOPLE))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # it tells every step at this level; the edge says itself what matters
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)


def keep(folder: Path) -> None:
    """Log to a file there, too, of bounded size, for `python -m edge report`. Nothing suffers where that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = _Kept(folder / LOG_FILE, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", delay=True)
    except OSError as error:
        logging.getLogger(__name__).warning("%s: no log is kept: %s", folder / LOG_FILE, error.strerror or error)
        return
    handler.setFormatter(logging.Formatter(FOR_PEOPLE))
    logging.getLogger().addHandler(handler)


class _Kept(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # its base names it so
        """The disk is full: standard error has it all the same."""
