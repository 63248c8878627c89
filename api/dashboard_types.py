"""`python -m api.dashboard_types`: what the dashboard knows of the API, as TypeScript made from the OpenAPI document.

Written to `dashboard/src/api.d.ts` by openapi-typescript, which `npm ci` in `dashboard` brings. `--print` prints the document
that it is made from, for other generators: without the digital twin, which has clients of its own, errors and examples, and
with paths below `/api/v1`.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from api.app import PREFIX, create_api

DASHBOARD: Final = Path(__file__).parent / "dashboard"
TYPES: Final = DASHBOARD / "src" / "api.d.ts"
GENERATOR: Final = DASHBOARD / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
PROSE: Final = ("example", "examples", "description", "summary", "title")


def document() -> dict[str, Any]:
    """The part of the OpenAPI document that the types are made from."""
    whole = create_api().openapi()
    paths = {path.removeprefix(PREFIX): item for path, item in whole["paths"].items() if "/aas/" not in path}
    for item in paths.values():
        for operation in item.values():
            operation["responses"] = {code: said for code, said in operation["responses"].items() if code.startswith("2")}
    found: dict[str, Any] = _bare({**whole, "servers": [{"url": PREFIX}], "paths": paths})
    schemas = found["components"]["schemas"]
    _name_keys(found, {name: schema["enum"] for name, schema in schemas.items() if "enum" in schema})
    return found


def typescript() -> str:
    """The types; raises `CalledProcessError` where the generator fails."""
    made = subprocess.run(  # noqa: S603  # nothing of it comes from outside
        ["node", str(GENERATOR)],  # noqa: S607
        input=orjson.dumps(document()),
        stdout=subprocess.PIPE,
        cwd=DASHBOARD,
        check=True,
    )
    return made.stdout.decode()


def _bare(node: Any, *, names: bool = False) -> Any:
    """Without prose; names: the keys are names of properties, of which any may be one of these."""
    if isinstance(node, list):
        return [_bare(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _bare(value, names=key == "properties") for key, value in node.items() if names or key not in PROSE}


def _name_keys(node: Any, enumerations: Mapping[str, list[str]]) -> None:
    """Keys of an enumeration as properties that may be there: the generator knows no `propertyNames`. In place."""
    if isinstance(node, dict):
        if (names := node.pop("propertyNames", None)) is not None:
            content = node.pop("additionalProperties")
            node["properties"] = dict.fromkeys(enumerations[names["$ref"].rpartition("/")[2]], content)
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            _name_keys(each, enumerations)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api.dashboard_types", description=__doc__)
    parser.add_argument("--print", action="store_true", help="print the document, and write nothing")
    if parser.parse_args().print:
        sys.stdout.buffer.write(orjson.dumps(document()))
    else:
        TYPES.write_text(typescript(), encoding="utf-8")


if __name__ == "__main__":
    main()
