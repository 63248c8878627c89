"""`python -m edge report`: what somebody needs who is to help, in one file, with the secrets taken out.

The plant file, what `check` finds, the log, the metrics, gaps, journal, recordings, models, certificates (never a key) and
versions. Each part that cannot be had says why, in its place; the report is made all the same.
"""

import contextlib
import hashlib
import json
import platform
import re
import shutil
import sqlite3
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from edge import __version__
from edge.contracts.errors import KullagerError
from edge.contracts.plant import Plant
from edge.data_acquisition.opcua_security import certificate_folder
from edge.ledger import gaps_of
from edge.logs import LOG_FILE

REDACTED: Final = "[redacted]"
MOST_GAPS: Final = 2000
METRICS_WITHIN_S: Final = 5.0
# of the log this much is taken, the newest
MOST_LOG: Final = 4 << 20
# variables that hold a secret, and those that hold the name of a file with one, which may be told
_SECRET_NAME: Final = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL|_KEY$")
_USER_IN_ADDRESS: Final = re.compile(r"(\w+://)[^/\s\"']*@")
_KEYWORD: Final = re.compile(r"(?i)((?:password|passwd|token|secret)[\"']?\s*[=:]\s*)(?:([\"'])[^\n]*?\2|[^\s\"',}]+)")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


def write_report(
    path: Path, plant_file: Path, plant: Plant, home: Path, environ: Mapping[str, str], findings: str
) -> list[str]:
    """Write the report to `path`; gives the names of its parts. `findings`: what `check` has said."""
    secrets = secrets_of(environ)
    parts: dict[str, Callable[[], str]] = {
        "about.json": lambda: _json(_about(plant, home)),
        "plant.toml": lambda: plant_file.read_text(encoding="utf-8"),
        "environment.json": lambda: _json(_environment(environ)),
        "check.txt": lambda: findings,
        "log.txt": lambda: _log(home),
        "metrics.txt": lambda: _metrics(environ.get("KULLAGER_EDGE_METRICS", plant.edge.metrics)),
        "gaps.json": lambda: _json([asdict(gap) for gap in gaps_of(home / "edge" / "gaps.sqlite")[:MOST_GAPS]]),
        "journal.json": lambda: _json(_journal(home / "edge" / "journal.sqlite")),
        "files.json": lambda: _json(_files(home)),
        "certificates.json": lambda: _json(list(_certificates(certificate_folder(home)))),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as report:
        for name, make in parts.items():
            try:
                text = make()
            except (OSError, ValueError, KullagerError, sqlite3.Error) as error:
                text = f"not to be had: {error}\n"
            report.writestr(name, without_secrets(text, secrets))
    return list(parts)


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets that this process knows: those in the environment, and those in files that it names."""
    found = set()
    for name, value in environ.items():
        if not _SECRET_NAME.search(name) or not value:
            continue
        found.add(value)
        if name.endswith("_FILE"):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found.add(Path(value).read_text(encoding="utf-8").strip())
            # where it lies is no secret
            found.discard(value)
    # the longest first: one may be the begin of another; of one or two letters there is no telling
    return tuple(sorted((secret for secret in found if len(secret) > 2), key=len, reverse=True))


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """The text with every secret taken out that is known, or that looks like one.

    >>> without_secrets('url = "mqtt://anna:hemligt@broker", password = "x1", at hunter2', ("hunter2",))
    'url = "mqtt://[redacted]@broker", password = "[redacted]", at [redacted]'
    """
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    text = _PRIVATE_KEY.sub(REDACTED, text)
    return _KEYWORD.sub(rf"\1\2{REDACTED}\2", _USER_IN_ADDRESS.sub(rf"\1{REDACTED}@", text))


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n"


def _about(plant: Plant, home: Path) -> dict[str, object]:
    usage = shutil.disk_usage(home if home.exists() else Path.cwd())
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "edge": plant.edge.id,
        "version": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "disk": {"total": usage.total, "free": usage.free},
        "packages": dict(sorted((each.metadata["Name"], each.version) for each in distributions())),
    }


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: REDACTED if _SECRET_NAME.search(name) and not name.endswith("_FILE") else value
        for name, value in sorted(environ.items())
        if name.startswith(("KULLAGER_", "SSL_CERT", "TZ", "LANG"))
    }


def _log(home: Path) -> str:
    text = ""
    for path in (home / "edge" / f"{LOG_FILE}.1", home / "edge" / LOG_FILE):
        with contextlib.suppress(FileNotFoundError):
            text += path.read_text(encoding="utf-8", errors="replace")
    return text[-MOST_LOG:] or f"{home / 'edge' / LOG_FILE}: there is none\n"


def _metrics(address: str) -> str:
    if not address:
        return "nothing is served: the plant file names no edge.metrics\n"
    host, _, port = address.rpartition(":")
    # an edge that listens everywhere is asked here
    url = f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}/metrics"  # not bound to
    try:
        with urllib.request.urlopen(url, timeout=METRICS_WITHIN_S) as answer:  # http, see above
            content: bytes = answer.read()
    except urllib.error.URLError as error:
        return f"{url} does not answer: {error.reason}\n"
    return content.decode(errors="replace")


def _journal(path: Path) -> dict[str, object]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        (first, last, count), facts = (
            db.execute("SELECT min(seq), max(seq), count(*) FROM entry").fetchone(),
            dict(db.execute("SELECT name, content FROM fact WHERE name IN ('id', 'trimmed_to', 'published')").fetchall()),
        )
        (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
    told = {name: content.decode() for name, content in facts.items()}
    return {"first": first, "last": last, "entries": count, "quick_check": sound, **told}


def _files(home: Path) -> list[dict[str, object]]:
    """What lies in the edge's folder and in that of the models, with sizes; of models their hashes."""
    found = []
    for path in sorted([*(home / "edge").rglob("*"), *(home / "models").rglob("*")]):
        if not path.is_file():
            continue
        stat = path.stat()
        entry: dict[str, object] = {
            "path": str(path.relative_to(home)),
            "bytes": stat.st_size,
            "changed": datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds"),
        }
        if path.suffix == ".onnx":
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(entry)
    return found


def _certificates(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted([*folder.rglob("*.pem"), *folder.rglob("*.der"), *folder.rglob("*.crt")]):
        try:
            content = path.read_bytes()
            loaded = x509.load_pem_x509_certificate if b"-----BEGIN" in content else x509.load_der_x509_certificate
            certificate = loaded(content)
        except (OSError, ValueError) as error:
            yield {"path": str(path.relative_to(folder)), "problem": str(error).partition("\n")[0]}
            continue
        yield {
            "path": str(path.relative_to(folder)),
            "subject": certificate.subject.rfc4514_string(),
            "valid_from": certificate.not_valid_before_utc,
            "valid_until": certificate.not_valid_after_utc,
            "sha256": certificate.fingerprint(SHA256()).hex(),
        }
