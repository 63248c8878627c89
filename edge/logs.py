"""Logs to standard error: for people, or as one JSON object a line where `KULLAGER_LOG=json` says so."""

import logging
import sys
import traceback
from collections.abc import Mapping

import orjson

from edge.formats.json_message import format_time

FOR_PEOPLE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


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
    """Log from INFO on. Raises `ValueError` for a form that is not known."""
    form = environ.get("KULLAGER_LOG", "text")
    if form not in ("text", "json"):
        raise ValueError(f"KULLAGER_LOG is '{form}'; it should be text or json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(FOR_PEOPLE))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # it tells every step at this level; the edge says itself what matters
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
