"""The routes as one page of plain HTML, from the OpenAPI schema: a plant has no way to a script on another server."""

import json
from html import escape
from typing import Any, Final

METHODS: Final = ("get", "post", "put", "patch", "delete")


def reference_page(schema: dict[str, Any]) -> str:
    sections = [
        _section(method, path, item[method]) for path, item in schema["paths"].items() for method in METHODS if method in item
    ]
    info = schema["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])} {escape(info['version'])}: routes</title>"
        f'<main style="max-width:60rem;margin:auto;font-family:sans-serif;line-height:1.5">'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])} "
        f'Machine-readable: <a href="openapi.json">openapi.json</a>.</p>{"".join(sections)}</main>'
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(p['name'])}</code> ({p['in']}{', needed' if p.get('required') else ''}) "
        f"{escape(p.get('description', ''))}</li>"
        for p in operation.get("parameters", [])
    )
    answers = "".join(_answer(status, answer) for status, answer in operation["responses"].items())
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('summary', ''))}. "
        f"{escape(operation.get('description', ''))}</p><ul>{parameters}</ul>{answers}</section>"
    )


def _answer(status: str, answer: dict[str, Any]) -> str:
    examples = [content["example"] for content in answer.get("content", {}).values() if "example" in content]
    text = "".join(escape(e if isinstance(e, str) else json.dumps(e, ensure_ascii=False, indent=1)) for e in examples)
    return (
        f"<details><summary>{status} {escape(answer.get('description', ''))}</summary>"
        f'<pre style="overflow:auto">{text}</pre></details>'
    )
