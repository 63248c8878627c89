"""Every JSON answer that a test of the api gets, held against the OpenAPI document."""

import re
from functools import cache
from typing import Any, Final

import httpx
from jsonschema import Draft202012Validator

from api.app import create_api

# of a long list so many at its beginning: it is the same code that makes the rest
MOST_ITEMS: Final = 20


@cache
def document() -> dict[str, Any]:
    return create_api().openapi()


@cache
def _addresses() -> list[tuple[re.Pattern[str], str]]:
    """What each path of the document looks like in an address, those without parameters first."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\{[^/]+\\}", "[^/]+", re.escape(path))), path) for path in paths]


@cache
def _validator(path: str, method: str, status: str, media_type: str) -> Draft202012Validator:
    content = document()["paths"][path][method]["responses"][status]["content"][media_type]
    return Draft202012Validator({**content["schema"], "components": document()["components"]})


async def as_described(answer: httpx.Response) -> None:
    """A hook of a client's: raises AssertionError where an answer is not what the document says."""
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    path = next((path for address, path in _addresses() if address.fullmatch(answer.request.url.path)), None)
    method = answer.request.method.lower()
    if (
        path is None
        or method not in document()["paths"][path]
        or media_type not in {"application/json", "application/problem+json"}
    ):
        return
    await answer.aread()
    body = answer.json()
    if isinstance(body, dict) and isinstance(body.get("items"), list):
        body["items"] = body["items"][:MOST_ITEMS]
    validator = _validator(path, method, str(answer.status_code), media_type)
    faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
    assert not faults, f"{method.upper()} {path} {answer.status_code}: {'; '.join(faults)}"
