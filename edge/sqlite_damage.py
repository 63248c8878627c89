"""SQLite files that a disk has damaged: how that shows, and what becomes of them."""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

# of a larger file no more than its first page is looked at when it is opened: the rest shows when it is read
QUICK_CHECK_BELOW: Final = 256 << 20


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is not, or no longer, a sound database; a full disk is none of it."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def check(db: sqlite3.Connection, path: Path) -> None:
    """Raise `sqlite3.DatabaseError` where a file of moderate size is not sound."""
    if path.stat().st_size > QUICK_CHECK_BELOW:
        return
    (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        error = sqlite3.DatabaseError(said)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def set_aside(path: Path, reason: object) -> None:
    """Rename a damaged file and what belongs to it, so that another can be begun. Raises `OSError`."""
    aside = path.with_name(f"{path.stem}.damaged-{time.time_ns() // 1_000_000}{path.suffix}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    logger.error("%s is damaged (%s): it is kept as %s, and another one is begun", path, reason, aside.name)
